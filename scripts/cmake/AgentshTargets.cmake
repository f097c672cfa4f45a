# Functions that declare our targets, so that each folder's CMakeLists.txt is a list of names.

# agentsh_library(<name> SOURCES a.cc b.cc ... [PUBLIC lib ...] [PRIVATE lib ...] [ASIO])
# A static library agentsh_<name>. Includes are relative to the repository's root. PUBLIC links are what its
# headers include, PRIVATE ones what only its .cc files do: a folder that is not linked cannot be included. ASIO says that it links
# agentsh_asio, for its precompiled header.
function(agentsh_library name)
  cmake_parse_arguments(ARG "ASIO" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(agentsh_${name} STATIC ${ARG_SOURCES})
  target_include_directories(agentsh_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(agentsh_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  if(name STREQUAL "asio")
    target_precompile_headers(agentsh_asio PRIVATE ${CMAKE_SOURCE_DIR}/proxy/net/asio_pch.h)
  elseif(ARG_ASIO)
    target_precompile_headers(agentsh_${name} REUSE_FROM agentsh_asio)
  elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    return()
  elseif(name STREQUAL "base")
    target_precompile_headers(agentsh_base PRIVATE ${CMAKE_SOURCE_DIR}/base/pch.h)
  else()
    target_precompile_headers(agentsh_${name} REUSE_FROM agentsh_base)
  endif()
endfunction()

# agentsh_unoptimised(<target>)
# For objects that only a test consists of: what is tested is in libraries, so optimising the test would cost build time only.
# Sanitizer and development builds have flags of their own.
function(agentsh_unoptimised target)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
  endif()
endfunction()

# agentsh_test(<name> SOURCES ... [LINK lib ...] [LABELS ...] [TIMEOUT seconds] [PRIVILEGED] [ASIO])
# A GoogleTest binary, one ctest entry per binary; ASIO says that it links agentsh_asio, for its precompiled header. Exit code 77 is a skip (GoogleTest's own skips are not failures).
function(agentsh_test name)
  cmake_parse_arguments(ARG "PRIVILEGED;ASIO" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} agentsh_test_main)
  agentsh_unoptimised(${name})
  if(ARG_ASIO)
    target_precompile_headers(${name} REUSE_FROM agentsh_asio_test_pch)
  else()
    target_precompile_headers(${name} REUSE_FROM agentsh_test_main)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}"
                       SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
  if(ARG_PRIVILEGED)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# agentsh_fuzzer(<name> SOURCE x_fuzz.cc [LINK lib ...])
# With AGENTSH_FUZZ: a libFuzzer binary <name>. Otherwise the corpus tests/fuzz/corpus/<name> runs through the same
# function as an ordinary test.
function(agentsh_fuzzer name)
  cmake_parse_arguments(ARG "" "SOURCE" "LINK" ${ARGN})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  add_executable(${name} ${ARG_SOURCE})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  if(AGENTSH_FUZZ)
    set(seconds 10)
    if(NOT "$ENV{AGENTSH_FUZZ_SECONDS}" STREQUAL "")
      set(seconds $ENV{AGENTSH_FUZZ_SECONDS})
    endif()
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -max_total_time=${seconds} -rss_limit_mb=4096
             -timeout=10 -print_final_stats=1 ${CMAKE_BINARY_DIR}/corpus/${name} ${corpus})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus/${name})
    math(EXPR limit "${seconds} + 120")
    set_tests_properties(${name} PROPERTIES TIMEOUT ${limit} LABELS fuzz)
  else()
    target_link_libraries(${name} PRIVATE agentsh_fuzz_main)
    add_test(NAME ${name}_corpus COMMAND ${name} ${corpus})
    set_tests_properties(${name}_corpus PROPERTIES TIMEOUT 60 LABELS unit)
  endif()
endfunction()

# agentsh_benchmark(<name> SOURCES ... [LINK lib ...])
# A Google Benchmark binary with a smoke run in ctest.
function(agentsh_benchmark name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} benchmark::benchmark_main)
  add_test(NAME ${name}_smoke COMMAND ${name} --benchmark_min_time=0.01)
  set_tests_properties(${name}_smoke PROPERTIES TIMEOUT 120 LABELS bench)
endfunction()

# agentsh_npm_packages(<folder>)
# Node packages that tests need, as the folder's lock file says, installed into <build>/<folder> by a test of its own that
# runs before those which name it (NPM <folder>).
function(agentsh_npm_packages folder)
  if(AGENTSH_SANITIZE)
    return()
  endif()
  add_test(NAME ${folder}_installed
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/install ${CMAKE_BINARY_DIR}/${folder})
  set_tests_properties(${folder}_installed PROPERTIES TIMEOUT 300 LABELS e2e FIXTURES_SETUP ${folder} SKIP_RETURN_CODE 77)
endfunction()

# agentsh_appliance_test(<file>_test.py [LABEL e2e|escape] [VARIANTS root nftables rootless] [TIMEOUT seconds] [ALONE]
#                        [NPM folder])
# A Python test that runs the built programs, once per variant: root redirects by eBPF, nftables without it, rootless is
# an ordinary user's daemon. Each has a network of its own, so they run beside each other, but for those that fill the
# machine (ALONE).
function(agentsh_appliance_test file)
  cmake_parse_arguments(ARG "ALONE" "LABEL;TIMEOUT;NPM" "VARIANTS" ${ARGN})
  if(AGENTSH_SANITIZE)
    return()  # Sandboxed programs inherit what the sanitizers need and the sandbox refuses.
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL e2e)
  endif()
  if(NOT ARG_VARIANTS)
    set(ARG_VARIANTS root nftables rootless)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 240)
  endif()
  set(arguments_root "")
  set(arguments_nftables --intercept nftables)
  set(arguments_rootless --user nobody)
  cmake_path(GET file STEM stem)
  foreach(variant ${ARG_VARIANTS})
    set(name ${ARG_LABEL}_${stem}_${variant})
    add_test(NAME ${name} COMMAND /usr/bin/python3 -W ignore ${CMAKE_CURRENT_SOURCE_DIR}/${file}
             --bin ${CMAKE_BINARY_DIR}/bin ${arguments_${variant}})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABEL};privileged"
                         RUN_SERIAL ${ARG_ALONE} SKIP_RETURN_CODE 77 FIXTURES_REQUIRED "${ARG_NPM}")
  endforeach()
endfunction()
