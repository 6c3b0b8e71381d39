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

# Man pages, suppressions, guide.
find_program(PYTHON3 python3)
set(examples ${PROJECT_SOURCE_DIR}/examples/c)
if(PYTHON3)
  file(GLOB example_sources CONFIGURE_DEPENDS ${examples}/man/*.c)
  add_custom_command(
    OUTPUT ${PROJECT_BINARY_DIR}/man/made
    COMMAND ${PYTHON3} tools/docs/header.py man capi/aimdb.h ${examples} ${PROJECT_BINARY_DIR}/man/man3
    COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/man/made
    DEPENDS capi/aimdb.h tools/docs/header.py ${examples}/hello.c ${example_sources}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    VERBATIM)
  add_custom_target(man_pages ALL DEPENDS ${PROJECT_BINARY_DIR}/man/made)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/man/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
else()
  message(STATUS "AimDB: no python3, so no man pages")
endif()
install(FILES tools/valgrind.supp DESTINATION ${CMAKE_INSTALL_DATADIR}/aimdb)
install(FILES docs/guide.md docs/sanitizers.md DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/aimdb)

# The loader's cache knows system directories.
install(CODE [[
  if("$ENV{DESTDIR}" STREQUAL "" AND CMAKE_INSTALL_PREFIX MATCHES "^(/|/usr|/usr/local)/?$")
    execute_process(COMMAND sh -c "test $(id -u) != 0 || ! command -v ldconfig >/dev/null || ldconfig")
  endif()]])
