#include "sandbox/process/init/descendants.h"

#include "base/file_io.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::sandbox {
namespace {

constexpr auto kLimit = std::chrono::seconds(4);

void add_numbers(std::string_view text, std::vector<pid_t>& numbers) {
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    pid_t number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc()) return;
    numbers.push_back(number);
    at = read.ptr < end ? read.ptr + 1 : end;
  }
}

// Children of one process, whichever of its threads made them.
void add_children(pid_t parent, std::vector<pid_t>& found) {
  const std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(tasks.c_str()), &::closedir);
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    if (auto list = read_file(tasks + "/" + entry->d_name + "/children", 1 << 20))
      add_numbers(*list, found);
  }
}

std::vector<pid_t> descendants() {
  std::vector<pid_t> found;
  add_children(::getpid(), found);
  for (std::size_t i = 0; i < found.size(); ++i) add_children(found[i], found);
  return found;
}

}  // namespace

void end_descendants() {
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  do {
    // Stopped first, so that what forks without end does not outrun us.
    for (const pid_t process : descendants()) ::kill(process, SIGSTOP);
    for (const pid_t process : descendants()) ::kill(process, SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (::waitpid(-1, nullptr, WNOHANG) < 0) return;  // ECHILD
  } while (std::chrono::steady_clock::now() < deadline);
}

}  // namespace agentsh::sandbox
