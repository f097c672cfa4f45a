#include "base/file_io.h"

#include "base/random.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace agentsh {

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open", path));
  return read_all(fd.get(), limit, path);
}

Result<std::string> read_all(int fd, std::size_t limit, std::string_view name) {
  std::string data;
  for (;;) {
    const std::size_t have = data.size();
    data.resize(have + 65536);
    const ssize_t got = ::read(fd, data.data() + have, 65536);
    if (got < 0) {
      data.resize(have);
      if (errno == EINTR) continue;
      return std::unexpected(errno_error("read", name));
    }
    data.resize(have + static_cast<std::size_t>(got));
    if (data.size() > limit) {
      return fail(std::string(name) + ": larger than " + std::to_string(limit) + " bytes",
                  std::errc::file_too_large);
    }
    if (got == 0) return data;
  }
}

Result<> write_all(int fd, std::string_view data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error("write", name));
    }
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> write_file_atomic(const std::string& path, std::string_view data, mode_t mode) {
  const std::string temporary = path + ".tmp-" + random_name(8);
  UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return std::unexpected(errno_error("create", temporary));
  auto written = write_all(fd.get(), data, temporary);
  if (written && ::fsync(fd.get()) != 0) written = std::unexpected(errno_error("fsync", temporary));
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = std::unexpected(errno_error("rename", path));
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || ::fsync(parent.get()) != 0)
    return std::unexpected(errno_error("fsync", directory));
  return {};
}

Result<> make_directories(const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string prefix = path.substr(0, slash);
    if (!prefix.empty() && ::mkdir(prefix.c_str(), mode) != 0 && errno != EEXIST) {
      return std::unexpected(errno_error("mkdir", prefix));
    }
    if (slash == std::string::npos) return {};
  }
}

}  // namespace agentsh
