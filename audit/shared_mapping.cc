#include "audit/shared_mapping.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace agentsh::audit {

Result<SharedMapping> SharedMapping::create(const std::string& path, std::size_t size) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return std::unexpected(errno_error("create", path));
  // posix_fallocate reports by its result and leaves errno alone.
  const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size));
  auto mapping = error == 0 ? map(fd.get(), size, path)
                            : std::unexpected(errno_error(error, "allocate", path));
  if (!mapping) ::unlink(path.c_str());
  return mapping;
}

Result<SharedMapping> SharedMapping::open(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::unexpected(errno_error("open", path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(errno_error("stat", path));
  if (!S_ISREG(info.st_mode) || info.st_size <= 0) return fail(path + ": not a file with content");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > limit) {
    return fail(path + ": larger than " + std::to_string(limit) + " bytes",
                std::errc::file_too_large);
  }
  return map(fd.get(), size, path);
}

Result<SharedMapping> SharedMapping::map(int fd, std::size_t size, const std::string& path) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return std::unexpected(errno_error("mmap", path));
  SharedMapping mapping(static_cast<std::uint8_t*>(data), size);
  if (::madvise(data, size, MADV_DONTFORK) != 0) {
    return std::unexpected(errno_error("madvise", path));
  }
  return mapping;
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMapping::~SharedMapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace agentsh::audit
