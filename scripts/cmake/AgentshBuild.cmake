# Compiler and linker flags of every target, the sanitizer and fuzz switches, ccache.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(AGENTSH_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=: address,undefined or thread")
option(AGENTSH_FUZZ "Build tests/fuzz with libFuzzer" OFF)
option(AGENTSH_WERROR "Warnings are errors" ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1 -D_GLIBCXX_ASSERTIONS")
set(CMAKE_C_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE
    "-O2 -g1 -D_GLIBCXX_ASSERTIONS -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong")

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wno-sign-conversion -Wno-missing-field-initializers)
if(AGENTSH_WERROR)
  add_compile_options(-Werror)
endif()
add_link_options(-fuse-ld=lld -Wl,-z,relro,-z,now -Wl,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_link_options(-Wl,--gc-sections -Wl,-O2)
  add_compile_options(-ffunction-sections -fdata-sections)
endif()

# Frames of coroutines are recycled by Asio per thread, two by default; a proxied request has more of them alive at once.
add_compile_definitions(BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16)

if(AGENTSH_SANITIZE)
  add_compile_options(-fsanitize=${AGENTSH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${AGENTSH_SANITIZE})
  # Asio keeps freed coroutine frames in a cache, which hides use-after-free from the sanitizers.
  add_compile_definitions(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)
endif()
if(AGENTSH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(AGENTSH_CCACHE ccache)
if(AGENTSH_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${AGENTSH_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
