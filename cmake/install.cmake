# SPDX-License-Identifier: Apache-2.0
#
# What `make install` installs too, from the same templates (tools/install.mk).

include(GNUInstallDirs)
set(LIBDIR ${CMAKE_INSTALL_LIBDIR})
set(INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})
if(IS_ABSOLUTE "${LIBDIR}" OR IS_ABSOLUTE "${INCLUDEDIR}")
  message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR and CMAKE_INSTALL_INCLUDEDIR are relative to the prefix")
endif()

set(VERSION ${PROJECT_VERSION})
set(MAJOR ${PROJECT_VERSION_MAJOR})
set(MINOR ${PROJECT_VERSION_MINOR})
set(ABI ${aimdb_abi})
set(POINTER ${CMAKE_SIZEOF_VOID_P})
string(REGEX REPLACE "[^/]+" ".." UP "${LIBDIR}/cmake/AimDB")
set(generated ${PROJECT_BINARY_DIR}/install)
configure_file(cmake/AimDBConfig.cmake.in ${generated}/AimDBConfig.cmake @ONLY)
configure_file(cmake/AimDBConfigVersion.cmake.in ${generated}/AimDBConfigVersion.cmake @ONLY)

install(FILES ${header_dir}/aimdb.h ${header_dir}/aimdb.hpp DESTINATION ${INCLUDEDIR})
install(PROGRAMS ${library_dir}/libaimdb.so.${VERSION} DESTINATION ${LIBDIR})
install(FILES ${library_dir}/libaimdb.so.${ABI} ${library_dir}/libaimdb.so ${library_dir}/libaimdb.a
  DESTINATION ${LIBDIR})
install(FILES ${generated}/AimDBConfig.cmake ${generated}/AimDBConfigVersion.cmake
  DESTINATION ${LIBDIR}/cmake/AimDB)

# The prefix may be given as late as `cmake --install`.
install(CODE "
  set(PREFIX \"\${CMAKE_INSTALL_PREFIX}\")
  set(LIBDIR \"${LIBDIR}\")
  set(INCLUDEDIR \"${INCLUDEDIR}\")
  set(VERSION \"${VERSION}\")
  configure_file(\"${PROJECT_SOURCE_DIR}/cmake/aimdb.pc.in\" \"${generated}/aimdb.pc\" @ONLY)")
install(FILES ${generated}/aimdb.pc DESTINATION ${LIBDIR}/pkgconfig)
