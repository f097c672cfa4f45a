# Kernel programs: compiled by clang for the bpf target while building, embedded by bpftool as a libbpf skeleton.
#
# Only <linux/bpf.h> and libbpf's headers are used, no vmlinux.h, so neither the build machine nor the one that runs
# the result needs kernel type information of its own.

# Debian keeps bpftool in /usr/sbin, which is not on an ordinary user's PATH.
find_program(AGENTSH_BPFTOOL bpftool PATHS /usr/sbin /sbin)
find_program(AGENTSH_BPF_CLANG NAMES clang-19 clang)
if(NOT AGENTSH_BPFTOOL)
  message(FATAL_ERROR "bpftool is missing (Debian 12: apt install bpftool)")
endif()
if(NOT AGENTSH_BPF_CLANG)
  message(FATAL_ERROR "clang is missing, which compiles the eBPF programs (Debian 12: apt install clang-19)")
endif()

# agentsh_bpf_object(<target> <file>.bpf.c)
# An interface library <target> whose users include "<file>.skel.h" and link libbpf. The object without the skeleton
# is the target's property AGENTSH_BPF_OBJECT.
function(agentsh_bpf_object target source)
  cmake_path(GET source STEM stem)
  set(compiled ${CMAKE_CURRENT_BINARY_DIR}/${stem}.compiled.o)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.bpf.o)
  # Outside of the source tree's names, which clang-tidy looks for: generated code is not ours to mend.
  set(generated ${CMAKE_BINARY_DIR}/generated)
  set(skeleton ${generated}/${stem}.skel.h)
  file(MAKE_DIRECTORY ${generated})
  # <linux/types.h> includes <asm/types.h>, which Debian keeps in the directory of the host's architecture.
  add_custom_command(
    OUTPUT ${compiled}
    COMMAND ${AGENTSH_BPF_CLANG} --target=bpf -mcpu=v3 -std=gnu17 -O2 -g -Wall -Wextra -Werror
            -I${CMAKE_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -MD -MF ${compiled}.d -MT ${compiled} -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${compiled}
    DEPENDS ${source}
    DEPFILE ${compiled}.d
    COMMENT "Compiling ${source} for the kernel"
    VERBATIM)
  # "gen object" drops the debug sections and keeps the type information that libbpf loads.
  add_custom_command(
    OUTPUT ${object} ${skeleton}
    COMMAND ${AGENTSH_BPFTOOL} gen object ${object} ${compiled}
    COMMAND sh -c "\"$1\" gen skeleton \"$2\" name \"$3\" > \"$4\".new && mv \"$4\".new \"$4\"" skeleton
            ${AGENTSH_BPFTOOL} ${object} ${stem}_bpf ${skeleton}
    DEPENDS ${compiled}
    COMMENT "Embedding ${stem}.bpf.o"
    VERBATIM)
  add_custom_target(${target}_skeleton DEPENDS ${skeleton} ${object})
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_skeleton)
  target_include_directories(${target} SYSTEM INTERFACE ${generated})
  target_link_libraries(${target} INTERFACE PkgConfig::libbpf)
  set_target_properties(${target} PROPERTIES AGENTSH_BPF_OBJECT ${object})
endfunction()
