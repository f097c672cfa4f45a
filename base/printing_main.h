// The end of a program that prints: a reader that went away (`agentsh session logs | head`) or a
// full disk below standard output are ordinary ends, not crashes.
//
//   int main(int argc, char** argv) { return agentsh::end_of_printing([&] { return run(...); }); }
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace agentsh {

// What a shell shows for a program that SIGPIPE ended, as it would end one that does not ignore it.
inline constexpr int kExitBrokenPipe = 128 + SIGPIPE;

template <class Run>
int end_of_printing(Run run) {
  try {
    const int code = run();
    if (std::fflush(stdout) == 0) return code;
    if (errno == EPIPE) return kExitBrokenPipe;
    std::fprintf(stderr, "agentsh: standard output: %s\n", std::strerror(errno));
    return code == 0 ? 1 : code;
  } catch (const std::system_error& failed) {
    if (failed.code() == std::errc::broken_pipe) return kExitBrokenPipe;
    std::fprintf(stderr, "agentsh: %s\n", failed.what());
    return 1;
  }
}

}  // namespace agentsh
