# SPDX-License-Identifier: Apache-2.0
# How every folder is built: clew_library() makes the target clew_<name>, clew_test() a GoogleTest program run by ctest.

add_library(clew_options INTERFACE)
target_include_directories(clew_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(clew_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror=return-type
                                              -fno-omit-frame-pointer)
if(CLEW_SANITIZE)
  target_compile_options(clew_options INTERFACE -fsanitize=${CLEW_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(clew_options INTERFACE -fsanitize=${CLEW_SANITIZE})
endif()
find_program(CLEW_MOLD mold)
if(CLEW_MOLD)
  target_link_options(clew_options INTERFACE -fuse-ld=mold)
endif()
find_program(CLEW_CCACHE ccache)
if(CLEW_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CLEW_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CLEW_CCACHE})
endif()

# clew_library(NAME SOURCES a.cc … [DEPENDS targets…])
function(clew_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(clew_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(clew_${name} PUBLIC clew_options ${ARG_DEPENDS})
endfunction()

# clew_test(NAME SOURCES a_test.cc … [DEPENDS targets…] [ENVIRONMENT VAR=value…]): the ctest test NAME
function(clew_test name)
  if(NOT CLEW_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE clew_options ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main Threads::Threads)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()
