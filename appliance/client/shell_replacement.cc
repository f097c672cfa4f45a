#include "appliance/client/shell_replacement.h"

#include "base/file_io.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace agentsh::client {
namespace {

constexpr std::size_t kMaxShim = 64 << 20;

// The root's /bin, which may be a link to usr/bin.
std::string bin_directory(const std::string& root) {
  const std::filesystem::path bin = std::filesystem::path(root) / "bin";
  std::error_code error;
  const auto target = std::filesystem::read_symlink(bin, error);
  if (error) return bin.native();
  return (std::filesystem::path(root) / target.relative_path()).lexically_normal().native();
}

bool is_there(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

// The shim is known by its name, which it carries in its messages: another version is one too.
bool is_shim(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const auto content = read_file(path, kMaxShim);
  return content && content->find("agentsh-shell-shim: ") != std::string::npos;
}

}  // namespace

std::string_view to_string(ShellState state) {
  switch (state) {
    case ShellState::kMissing:
      return "missing";
    case ShellState::kOriginal:
      return "original";
    case ShellState::kShim:
      return "shim";
    case ShellState::kBroken:
      return "broken";
    case ShellState::kReplaced:
      return "replaced";
  }
  return "missing";
}

ShellReplacement ShellReplacement::look(const std::string& root, std::string_view shell,
                                        const std::string& shim) {
  const std::string path = bin_directory(root) + "/" + std::string(shell);
  if (!is_there(path)) return ShellReplacement(path, shim, ShellState::kMissing);
  const bool real = is_there(path + ".real");
  if (is_shim(path))
    return ShellReplacement(path, shim, real ? ShellState::kShim : ShellState::kBroken);
  return ShellReplacement(path, shim, real ? ShellState::kReplaced : ShellState::kOriginal);
}

Result<> ShellReplacement::install(bool again) const {
  if (state_ == ShellState::kMissing) return fail(path_ + ": there is no such shell");
  if (state_ == ShellState::kBroken)
    return fail(path_ + ": is the shim already, and " + real_path() +
                " is missing: put the shell there");
  if (state_ == ShellState::kReplaced && !again) {
    return fail(path_ + ": " + real_path() +
                " is left from before (a package replaced the shim?); "
                "--force puts the shim over what is there now");
  }
  auto program = read_file(shim_, kMaxShim);
  if (!program) return std::unexpected(program.error());
  if (state_ != ShellState::kShim) {
    if (state_ == ShellState::kReplaced && ::unlink(real_path().c_str()) != 0)
      return std::unexpected(errno_error("unlink", real_path()));
    // A link's second name is a link as well, which leads to the same place.
    if (::link(path_.c_str(), real_path().c_str()) != 0)
      return std::unexpected(errno_error("link", real_path()));
  }
  return write_file_atomic(path_, *program, 0755);
}

Result<> ShellReplacement::uninstall() const {
  switch (state_) {
    case ShellState::kMissing:
    case ShellState::kOriginal:
      return {};
    case ShellState::kBroken:
      return fail(path_ + ": is the shim, and " + real_path() +
                  " is missing: put the shell in its place");
    case ShellState::kReplaced:
      if (::unlink(real_path().c_str()) != 0)
        return std::unexpected(errno_error("unlink", real_path()));
      return {};
    case ShellState::kShim:
      if (std::rename(real_path().c_str(), path_.c_str()) != 0)
        return std::unexpected(errno_error("rename", real_path()));
      return {};
  }
  return {};
}

}  // namespace agentsh::client
