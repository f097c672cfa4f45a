#include "appliance/sessions/metadata_calls.h"

#include "appliance/sessions/filesystem_identity.h"
#include "base/file_io.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <filesystem>
#include <string_view>

namespace agentsh {
namespace {

constexpr int kChmodAtWithFlags = 452;  // fchmodat2, Linux 6.6
constexpr std::string_view kOwnDescriptors[] = {"/proc/self/fd/", "/proc/thread-self/fd/",
                                                "/dev/fd/"};

int as_int(std::uint64_t argument) {
  return static_cast<int>(argument);
}

std::string own_path(const UniqueFd& file) {
  return "/proc/self/fd/" + std::to_string(file.get());
}

// Where a program goes through /proc to its own descriptors, as glibc does for AT_SYMLINK_NOFOLLOW.
std::optional<int> own_descriptor(std::string_view path) {
  for (const std::string_view prefix : kOwnDescriptors) {
    if (!path.starts_with(prefix)) continue;
    int number = -1;
    const char* end = path.data() + path.size();
    const auto read = std::from_chars(path.data() + prefix.size(), end, number);
    if (read.ec == std::errc() && read.ptr == end) return number;
  }
  return {};
}

int errno_of(const Error& error) {
  return error.code == std::errc() ? EPERM : error.code.value();
}

Result<UniqueFd> start_of(const sandbox::Call& call, int directory) {
  if (directory != AT_FDCWD) return call.descriptor(directory);
  const std::string cwd = "/proc/" + std::to_string(call.thread()) + "/cwd";
  UniqueFd fd(::open(cwd.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open", cwd));
  return fd;
}

// What the call names: by a path at `address`, or as the descriptor itself where there is none.
Result<UniqueFd> open_named(const sandbox::Call& call, int directory, std::uint64_t address,
                            int flags) {
  std::string path;
  if (address != 0) {
    auto read = call.read_text(address, PATH_MAX);
    if (!read) return std::unexpected(read.error());
    path = std::move(*read);
  }
  if (path.empty()) {
    if (address != 0 && (flags & AT_EMPTY_PATH) == 0)
      return std::unexpected(errno_error(ENOENT, "open"));
    return start_of(call, directory);
  }
  if (auto number = own_descriptor(path)) return call.descriptor(*number);
  auto start = start_of(call, directory);
  if (!start && path.front() != '/') return std::unexpected(start.error());
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  if ((flags & AT_SYMLINK_NOFOLLOW) != 0) how.flags |= O_NOFOLLOW;
  // In the caller's /proc they lead to its files, in ours to our own.
  how.resolve = RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(
      ::syscall(SYS_openat2, start ? start->get() : AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!fd) return std::unexpected(errno_error("open", path));
  return fd;
}

}  // namespace

MetadataCalls::MetadataCalls(UserIdentity user, std::vector<std::string> writable)
    : user_(std::move(user)) {
  for (const std::string& path : writable) {
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error);
    if (!error) writable_.push_back(real.native());
  }
}

bool MetadataCalls::handles(int number) {
  constexpr std::array kCalls = {SYS_chmod, SYS_fchmod, SYS_fchmodat, SYS_utimensat};
  return number == kChmodAtWithFlags || std::ranges::find(kCalls, number) != kCalls.end();
}

int MetadataCalls::perform(const sandbox::Call& call) const {
  const FilesystemIdentity identity(user_);
  const auto argument = [&](std::size_t index) { return call.argument(index); };
  const auto named = [&](int directory, std::size_t path, int flags) {
    return open_named(call, directory, argument(path), flags);
  };
  Result<UniqueFd> file = fail("not such a call");
  switch (call.number()) {
    case SYS_chmod:
      file =
          argument(0) == 0 ? std::unexpected(errno_error(EFAULT, "chmod")) : named(AT_FDCWD, 0, 0);
      break;
    case SYS_fchmod:
      file = call.descriptor(as_int(argument(0)));
      if (file && (::fcntl(file->get(), F_GETFL) & O_PATH) != 0) return EBADF;
      break;
    case SYS_fchmodat:
    case kChmodAtWithFlags: {
      if (argument(1) == 0) return EFAULT;
      const int flags = call.number() == SYS_fchmodat ? 0 : as_int(argument(3));
      file = named(as_int(argument(0)), 1, flags);
      break;
    }
    case SYS_utimensat:
      file = named(as_int(argument(0)), 1, as_int(argument(3)));
      break;
  }
  if (!file) return errno_of(file.error());
  if (const int refused = judge(*file); refused != 0) return refused;
  if (call.number() == SYS_utimensat) return change_times(call, *file, argument(2));
  const bool first = call.number() == SYS_chmod || call.number() == SYS_fchmod;
  if (!call.is_waiting()) return EINTR;
  return change_mode(*file, argument(first ? 1 : 2));
}

int MetadataCalls::judge(const UniqueFd& file) const {
  std::error_code error;
  const std::string real = std::filesystem::read_symlink(own_path(file), error).native();
  if (error) return EPERM;
  const bool inside = std::ranges::any_of(writable_, [&](const std::string& tree) {
    return real.starts_with(tree) && (real.size() == tree.size() || real[tree.size()] == '/');
  });
  struct stat status;
  if (!inside || ::fstat(file.get(), &status) != 0) return EPERM;
  // The session has no capabilities; we may have them also as uid 0 on its behalf.
  return user_.uid == 0 && status.st_uid != 0 ? EPERM : 0;
}

int MetadataCalls::change_mode(const UniqueFd& file, std::uint64_t mode) const {
  struct stat status;
  if (::fstat(file.get(), &status) != 0) return errno;
  if (!S_ISDIR(status.st_mode) && (mode & (S_ISUID | S_ISGID)) != 0) return EPERM;
  return ::chmod(own_path(file).c_str(), static_cast<mode_t>(mode & 07777)) == 0 ? 0 : errno;
}

int MetadataCalls::change_times(const sandbox::Call& call, const UniqueFd& file,
                                std::uint64_t times) const {
  std::array<timespec, 2> values{};
  if (times != 0 && !call.read(times, std::as_writable_bytes(std::span(values)))) return EFAULT;
  if (!call.is_waiting()) return EINTR;
  const timespec* given = times == 0 ? nullptr : values.data();
  return ::utimensat(AT_FDCWD, own_path(file).c_str(), given, 0) == 0 ? 0 : errno;
}

}  // namespace agentsh
