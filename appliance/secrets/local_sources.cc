#include "appliance/secrets/local_sources.h"

#include "appliance/config/trusted_file.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <vector>

extern char** environ;

namespace agentsh::secrets {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxBytes = 64 << 10;

// A child that is ended and waited for, whatever happens.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int wait() {
    int status = -1;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

Result<pid_t> spawn(const std::string& command, int output) {
  std::vector<std::string> words;
  std::istringstream split(command);
  for (std::string word; split >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv.front(), &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return std::unexpected(errno_error(error, "run", words.front()));
  return pid;
}

Result<std::string> read_until_end(int fd, Clock::time_point deadline) {
  std::string output;
  std::array<char, 4096> buffer;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wait{fd, POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail("the program takes too long", std::errc::timed_out);
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno_error("read", "the program's output"));
    if (got == 0) return output;
    output.append(buffer.data(), static_cast<std::size_t>(got));
    if (output.size() > kMaxBytes) return fail("the program writes more than 64 KB");
  }
}

}  // namespace

Result<std::string> run_program(const std::string& command, std::chrono::milliseconds timeout) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe2"));
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto pid = spawn(command, writer.get());
  if (!pid) return std::unexpected(pid.error());
  Child child(*pid);
  writer.reset();
  auto output = read_until_end(reader.get(), Clock::now() + timeout);
  if (!output) return output;
  const int status = child.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  return fail(WIFEXITED(status) ? fmt::format("the program ended with {}", WEXITSTATUS(status))
                                : std::string("the program was killed"));
}

Result<std::string> read_local(const Reference& reference, uid_t reader,
                               std::chrono::milliseconds timeout) {
  if (reference.scheme == "env") {
    const char* value = std::getenv(reference.location.c_str());
    if (value == nullptr) {
      return fail(fmt::format("the daemon's environment has no {}", reference.location));
    }
    return select_value(reference, value);
  }
  if (reference.scheme == "file") {
    auto content = config::read_secret_file(reference.location, reader, kMaxBytes);
    if (!content) return content;
    return select_value(reference, std::move(*content));
  }
  if (reference.scheme == "exec") {
    const std::string program = reference.location.substr(0, reference.location.find(' '));
    if (auto trusted = config::open_trusted_file(program, reader); !trusted) {
      return std::unexpected(trusted.error());
    }
    auto output = run_program(reference.location, timeout);
    if (!output) return output;
    return select_value(reference, std::move(*output));
  }
  return fail("no local source: " + reference.scheme);
}

}  // namespace agentsh::secrets
