#include "dlp/database_cache.h"

#include "base/file_io.h"
#include "base/unique_fd.h"
#include "dlp/siphash.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace agentsh::dlp {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDatabase = 64 << 20;
// Files that nobody has used for so long belong to patterns of the past.
constexpr auto kKeptFor = std::chrono::hours(24 * 30);
constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

// Owned by this user and writable by nobody else.
bool is_private(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & kOthersMayWrite) == 0;
}

UniqueFd open_private_directory(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (!directory || ::fstat(directory.get(), &status) != 0 || !is_private(status)) return {};
  return directory;
}

// Not secret: two hashes to make a name of 128 bits.
std::string file_name(std::string_view description) {
  return fmt::format("{:016x}{:016x}.hsdb", siphash({1}, description), siphash({2}, description));
}

void remove_old(const std::string& directory) {
  std::error_code error;
  const auto limit = fs::file_time_type::clock::now() - kKeptFor;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".hsdb") continue;
    const auto used = entry.last_write_time(error);
    if (!error && used < limit) fs::remove(entry.path(), error);
  }
}

}  // namespace

std::optional<std::string> DatabaseCache::load(std::string_view description) const {
  if (!enabled()) return {};
  const UniqueFd directory = open_private_directory(directory_);
  if (!directory) return {};
  const UniqueFd file(::openat(directory.get(), file_name(description).c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !is_private(status) ||
      !S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > kMaxDatabase) {
    return {};
  }
  std::string database(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t at = 0;
  while (at < database.size()) {
    const ssize_t got = ::read(file.get(), database.data() + at, database.size() - at);
    if (got <= 0) return {};
    at += static_cast<std::size_t>(got);
  }
  ::futimens(file.get(), nullptr);
  return database;
}

void DatabaseCache::store(std::string_view description, std::string_view database) const {
  if (!enabled() || database.size() > kMaxDatabase) return;
  std::error_code error;
  if (!fs::exists(directory_, error)) {
    fs::create_directories(fs::path(directory_).parent_path(), error);
    if (::mkdir(directory_.c_str(), 0700) != 0) return;
  }
  if (!open_private_directory(directory_)) return;
  remove_old(directory_);
  (void)write_file_atomic(directory_ + "/" + file_name(description), database, 0600);
}

std::string user_cache_directory() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/agentsh/dlp";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/agentsh/dlp";
  return {};
}

}  // namespace agentsh::dlp
