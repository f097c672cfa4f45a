#include "audit/segments.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

namespace agentsh::audit {
namespace {

constexpr std::string_view kPrefix = "audit-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kMinDigits = 6;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<> sync_directory(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return std::unexpected(errno_error("fsync", directory));
  return {};
}

std::string lock_path(const std::string& directory) {
  return directory + "/audit.lock";
}

// A lock of the open file description: unlike those of flock(2) it can be asked about without being
// taken, and unlike POSIX ones it is not lost when the process closes another descriptor of the
// file.
struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

std::string segment_name(std::uint32_t number) {
  return fmt::format("{}{:06}{}", kPrefix, number, kSuffix);
}

std::string segment_path(const std::string& directory, std::uint32_t number) {
  return directory + "/" + segment_name(number);
}

std::uint32_t segment_number(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return 0;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(std::min(kSuffix.size(), name.size()));
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool canonical = name.size() == kMinDigits || (name.size() > kMinDigits && name[0] != '0');
  if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size() || !canonical) return 0;
  return number;
}

Result<std::vector<std::uint32_t>> list_segments(const std::string& directory) {
  std::unique_ptr<DIR, CloseDirectory> stream(::opendir(directory.c_str()));
  if (!stream) return std::unexpected(errno_error("open", directory));
  std::vector<std::uint32_t> numbers;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (const std::uint32_t number = segment_number(entry->d_name)) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

Result<UniqueFd> lock_directory(const std::string& directory) {
  const std::string path = lock_path(directory);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return std::unexpected(errno_error("open", path));
  struct flock lock = whole_file(F_WRLCK);
  if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return fd;
  if (errno != EAGAIN && errno != EACCES) return std::unexpected(errno_error("lock", path));
  return fail(directory + ": another process is writing this audit log",
              std::errc::device_or_resource_busy);
}

bool is_locked(const std::string& directory) {
  UniqueFd fd(::open(lock_path(directory).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct flock lock = whole_file(F_RDLCK);
  return fd && ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<SegmentFile> SegmentFile::create(const std::string& directory, std::uint32_t number) {
  std::string path = segment_path(directory, number);
  UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return std::unexpected(errno_error("create", path));
  if (auto synced = sync_directory(directory); !synced) {
    ::unlink(path.c_str());
    return std::unexpected(synced.error());
  }
  return SegmentFile(std::move(fd), std::move(path), number, 0);
}

Result<SegmentFile> SegmentFile::open(const std::string& directory, std::uint32_t number) {
  std::string path = segment_path(directory, number);
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::unexpected(errno_error("open", path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(errno_error("stat", path));
  return SegmentFile(std::move(fd), std::move(path), number,
                     static_cast<std::uint64_t>(info.st_size));
}

Result<> SegmentFile::append(std::string_view data, std::size_t& done) {
  while (done < data.size()) {
    const ssize_t written = ::write(fd_.get(), data.data() + done, data.size() - done);
    if (written < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error("write", path_));
    }
    done += static_cast<std::size_t>(written);
    size_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<> SegmentFile::sync() {
  if (::fdatasync(fd_.get()) != 0) return std::unexpected(errno_error("fdatasync", path_));
  return {};
}

Result<UniqueFd> SegmentFile::duplicate() const {
  UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno_error("duplicate", path_));
  return fd;
}

bool SegmentFile::in_place() const {
  struct stat ours{};
  struct stat named{};
  return ::fstat(fd_.get(), &ours) == 0 && ::lstat(path_.c_str(), &named) == 0 &&
         ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

}  // namespace agentsh::audit
