#include "appliance/config/trusted_file.h"

#include "base/file_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>

namespace agentsh::config {
namespace {

constexpr int kMaxLinks = 40;  // As in path_resolution(7).

std::unexpected<Error> untrusted(const std::string& path, std::string_view why,
                                 std::string_view remedy) {
  return fail(fmt::format("{}: {}; {}", path, why, remedy), std::errc::permission_denied);
}

Result<struct stat> status_of(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return std::unexpected(errno_error("fstat", path));
  return status;
}

bool is_on_read_only_mount(int fd) {
  struct statvfs filesystem{};
  return ::fstatvfs(fd, &filesystem) == 0 && (filesystem.f_flag & ST_RDONLY) != 0;
}

// What root may rely on. Links have no mode of their own.
Result<> check_step_for_root(int fd, const struct stat& status, const std::string& path) {
  if (status.st_uid != 0) {
    return untrusted(path,
                     fmt::format("belongs to user id {}, who could change what root's daemon reads",
                                 status.st_uid),
                     fmt::format("chown root {}", path));
  }
  const bool sticky_directory = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if (S_ISLNK(status.st_mode) || (status.st_mode & 022) == 0 || sticky_directory ||
      is_on_read_only_mount(fd)) {
    return {};
  }
  return untrusted(
      path, fmt::format("can be written by others than root (mode {:04o})", status.st_mode & 07777),
      fmt::format("chmod go-w {}", path));
}

Result<std::string> link_target(int fd, const std::string& path) {
  std::array<char, 4096> buffer{};
  const ssize_t length = ::readlinkat(fd, "", buffer.data(), buffer.size());
  if (length < 0) return std::unexpected(errno_error("readlink", path));
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

void push_front(std::deque<std::string>& steps, std::string_view path) {
  std::deque<std::string> added;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (slash != 0) added.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  steps.insert(steps.begin(), added.begin(), added.end());
}

// Resolves `path` (absolute) step by step, each one checked. The result is an O_PATH descriptor.
Result<UniqueFd> walk_for_root(const std::string& path) {
  std::deque<std::string> steps;
  push_front(steps, path);
  UniqueFd at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string walked = "/";
  for (int links = 0;;) {
    if (!at) return std::unexpected(errno_error("open", walked));
    auto status = status_of(at.get(), walked);
    if (!status) return std::unexpected(status.error());
    if (auto checked = check_step_for_root(at.get(), *status, walked); !checked) {
      return std::unexpected(checked.error());
    }
    if (steps.empty()) return at;
    const std::string step = steps.front();
    steps.pop_front();
    UniqueFd next(::openat(at.get(), step.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return std::unexpected(errno_error("open", path));
    const std::string name = (walked == "/" ? "" : walked) + "/" + step;
    auto next_status = status_of(next.get(), name);
    if (!next_status) return std::unexpected(next_status.error());
    if (!S_ISLNK(next_status->st_mode)) {
      at = std::move(next);
      walked = name;
      continue;
    }
    if (auto checked = check_step_for_root(next.get(), *next_status, name); !checked) {
      return std::unexpected(checked.error());
    }
    auto target = link_target(next.get(), name);
    if (!target) return std::unexpected(target.error());
    if (++links > kMaxLinks) return std::unexpected(errno_error(ELOOP, "open", path));
    push_front(steps, *target);
    if (target->starts_with('/')) {
      at.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
      walked = "/";
    }
  }
}

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::array<char, 4096> here{};
  if (::getcwd(here.data(), here.size()) == nullptr) return path;
  return std::string(here.data()) + "/" + path;
}

// Opens what the O_PATH descriptor stands for.
Result<UniqueFd> reopen(const UniqueFd& found, const std::string& path, int flags) {
  const std::string name = fmt::format("/proc/self/fd/{}", found.get());
  UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd) return std::unexpected(errno_error("open", path));
  return fd;
}

Result<UniqueFd> open_for_user(const std::string& path, uid_t reader, int flags) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd) return std::unexpected(errno_error("open", path));
  auto status = status_of(fd.get(), path);
  if (!status) return std::unexpected(status.error());
  if (status->st_uid != reader && status->st_uid != 0) {
    return untrusted(path, fmt::format("belongs to user id {}, not to you", status->st_uid),
                     "copy it to a file of your own");
  }
  const bool writable = (status->st_mode & S_IWOTH) != 0 && (status->st_mode & S_ISVTX) == 0;
  if (writable && !is_on_read_only_mount(fd.get())) {
    return untrusted(
        path, fmt::format("can be written by everybody (mode {:04o})", status->st_mode & 07777),
        fmt::format("chmod o-w {}", path));
  }
  return fd;
}

Result<UniqueFd> open_trusted(const std::string& path, uid_t reader, int flags) {
  if (reader != 0) return open_for_user(path, reader, flags);
  auto found = walk_for_root(absolute(path));
  if (!found) return found;
  return reopen(*found, path, flags);
}

}  // namespace

Result<UniqueFd> open_trusted_file(const std::string& path, uid_t reader) {
  // Without O_NONBLOCK, opening a FIFO waits for a writer.
  auto fd = open_trusted(path, reader, O_NONBLOCK | O_NOCTTY);
  if (!fd) return fd;
  auto status = status_of(fd->get(), path);
  if (!status) return std::unexpected(status.error());
  if (!S_ISREG(status->st_mode)) return fail(path + ": is not a file");
  return fd;
}

Result<UniqueFd> open_trusted_directory(const std::string& path, uid_t reader) {
  return open_trusted(path, reader, O_DIRECTORY);
}

Result<std::string> read_trusted_file(const std::string& path, uid_t reader, std::size_t limit) {
  auto fd = open_trusted_file(path, reader);
  if (!fd) return std::unexpected(fd.error());
  return read_all(fd->get(), limit, path);
}

Result<std::string> read_secret_file(const std::string& path, uid_t reader, std::size_t limit) {
  auto fd = open_trusted_file(path, reader);
  if (!fd) return std::unexpected(fd.error());
  auto status = status_of(fd->get(), path);
  if (!status) return std::unexpected(status.error());
  if ((status->st_mode & 077) != 0) {
    return untrusted(
        path,
        fmt::format("holds secrets and is open to others (mode {:04o})", status->st_mode & 07777),
        fmt::format("chmod 600 {}", path));
  }
  return read_all(fd->get(), limit, path);
}

}  // namespace agentsh::config
