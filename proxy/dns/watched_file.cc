#include "proxy/dns/watched_file.h"

#include "base/file_io.h"
#include "base/log.h"

#include <sys/stat.h>

namespace agentsh::dns {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileStamp FileStamp::of(const std::string& path) {
  FileStamp stamp;
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return stamp;
  stamp.modified_ns_ = nanoseconds(status.st_mtim);
  stamp.changed_ns_ = nanoseconds(status.st_ctim);
  stamp.inode_ = status.st_ino;
  stamp.size_ = status.st_size;
  return stamp;
}

std::string read_or_warn(const std::string& path) {
  auto text = read_file(path, kMaxFileBytes);
  if (!text) log_warning("dns", "{}", text.error().what);
  return std::move(text).value_or(std::string());
}

}  // namespace agentsh::dns
