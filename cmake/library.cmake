# SPDX-License-Identifier: Apache-2.0
#
# The library: Go, behind a C header. It is built by tools/build-lib.sh, for the
# machine of the C compiler.
#   AimDB::aimdb         libaimdb.so
#   AimDB::aimdb_static  libaimdb.a

set(AIMDB_BUILT "" CACHE PATH "Where libaimdb.so and libaimdb.a are that need not be built")
find_program(GO go)
if(NOT GO AND NOT AIMDB_BUILT)
  message(FATAL_ERROR "AimDB needs Go 1.25 or newer (https://go.dev/dl) to build its library")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# A directory with nothing but the public headers.
set(header_dir ${PROJECT_BINARY_DIR}/include)
configure_file(capi/aimdb.h ${header_dir}/aimdb.h COPYONLY)
configure_file(bindings/c/aimdb.hpp ${header_dir}/aimdb.hpp COPYONLY)

set(library_dir ${PROJECT_BINARY_DIR}/lib)
if(AIMDB_BUILT)
  set(library_dir ${AIMDB_BUILT})
endif()
file(GLOB_RECURSE library_sources CONFIGURE_DEPENDS capi/*.go capi/*.c capi/*.h core/*.go core/*.s)
list(APPEND library_sources go.mod go.sum capi/libaimdb.map capi/symbols.txt tools/build-lib.sh)

function(aimdb_build target kind output)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} KIND=${kind}
            ${PROJECT_SOURCE_DIR}/tools/build-lib.sh ${library_dir}
    DEPENDS ${library_sources}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMENT "Building ${output}"
    VERBATIM)
  if(top_level)
    add_custom_target(${target}_build ALL DEPENDS ${output})
  else() # only what is linked
    add_custom_target(${target}_build DEPENDS ${output})
  endif()
endfunction()

function(aimdb_library target type kind file)
  set(output ${library_dir}/${file})
  add_library(${target} ${type} IMPORTED GLOBAL)
  if(NOT AIMDB_BUILT)
    aimdb_build(${target} ${kind} ${output})
    add_dependencies(${target} ${target}_build)
  endif()
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${output}
    INTERFACE_INCLUDE_DIRECTORIES ${header_dir})
  add_library(AimDB::${target} ALIAS ${target})
endfunction()

aimdb_library(aimdb SHARED shared libaimdb.so.${PROJECT_VERSION})
set_target_properties(aimdb PROPERTIES IMPORTED_SONAME libaimdb.so.${aimdb_abi})

aimdb_library(aimdb_static STATIC static libaimdb.a)
set_target_properties(aimdb_static PROPERTIES
  IMPORTED_LINK_INTERFACE_LANGUAGES C
  INTERFACE_LINK_LIBRARIES Threads::Threads)
