# SPDX-License-Identifier: Apache-2.0
# Compiler settings of all our code, and the two helpers its CMakeLists use.

add_library(eoip_options INTERFACE)
target_compile_options(eoip_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual> -Werror=return-type
  -Werror=switch -fstack-protector-strong)
target_compile_definitions(eoip_options INTERFACE
  EOIP_VERSION_STRING="${PROJECT_VERSION}")
if(EOIP_SANITIZE)
  target_compile_options(eoip_options INTERFACE
    -fsanitize=${EOIP_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(eoip_options INTERFACE -fsanitize=${EOIP_SANITIZE})
endif()

# eoip_library(NAME SRCS... DEPS...): a static library under agent/.
# Headers are included from agent/ ("base/status.h") and from kmod/.
function(eoip_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  if(ARG_SRCS)
    add_library(${name} STATIC ${ARG_SRCS})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/agent)
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE eoip_options)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR}/agent)
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# eoip_executable(NAME SRCS... DEPS...): a program, to bin/.
function(eoip_executable name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/agent)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} eoip_options)
endfunction()

# eoip_fuzzer(NAME LIBRARY SOURCE CORPUS): a libFuzzer program for the library,
# and ctest's short run of it, with what it finds in the build tree.
function(eoip_fuzzer name library source corpus)
  target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
  eoip_executable(${name} SRCS ${source} DEPS ${library})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${corpus})
  add_test(NAME ${name}
    COMMAND ${name} -max_total_time=20 -print_final_stats=1
            ${CMAKE_CURRENT_BINARY_DIR}/${corpus}
            ${CMAKE_CURRENT_SOURCE_DIR}/${corpus})
  set_tests_properties(${name} PROPERTIES LABELS fuzz)
endfunction()

# What tests/sanitize builds: the programs of these two tiers and no more.
add_custom_target(unit_and_component_tests)

# eoip_test(NAME SRCS... DEPS... [LABELS unit|component...]): a GoogleTest
# program, one ctest test per program. Default label: unit.
function(eoip_test name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SRCS})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/agent)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} eoip_options
    GTest::gmock GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 120)
  if(ARG_LABELS MATCHES "unit|component")
    add_dependencies(unit_and_component_tests ${name})
  endif()
endfunction()

# The wire header and the link contract, shared with the kernel module.
add_library(eoip_wire INTERFACE)
target_include_directories(eoip_wire INTERFACE
  ${CMAKE_SOURCE_DIR}/kmod ${CMAKE_SOURCE_DIR}/kmod/include/uapi)
