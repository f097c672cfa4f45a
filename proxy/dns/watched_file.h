// A small text file that is read again when it changes: /etc/resolv.conf, /etc/hosts. The check is
// one stat(2), made at most once a second.
//
// Threads: any. Errors: a file that cannot be read is as an empty one (nothing is resolved by it);
// the operator's log says so once per change.
#pragma once

#include "base/lock_guarded.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace agentsh::dns {

// Reads files and tells whether one is still as it was.
class FileStamp {
 public:
  // The stamp of the file at `path` now; a missing file has one too.
  static FileStamp of(const std::string& path);
  bool operator==(const FileStamp&) const = default;

 private:
  std::int64_t modified_ns_ = -1;
  std::int64_t changed_ns_ = -1;
  std::uint64_t inode_ = 0;
  std::int64_t size_ = -1;
};

// The file's text, at most 1 MiB; empty, with a warning in the log, when it cannot be read.
std::string read_or_warn(const std::string& path);

// Parsed is made from the file's text by Parsed::parse(std::string_view).
template <class Parsed>
class WatchedFile {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // An empty path stands for an empty file.
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  std::shared_ptr<const Parsed> get(TimePoint now) {
    auto state = state_.lock();
    if (state->parsed && now < state->next_check) return state->parsed;
    state->next_check = now + std::chrono::seconds(1);
    if (path_.empty()) {
      if (!state->parsed) state->parsed = std::make_shared<const Parsed>(Parsed::parse({}));
      return state->parsed;
    }
    const FileStamp stamp = FileStamp::of(path_);
    if (!state->parsed || stamp != state->stamp) {
      state->parsed = std::make_shared<const Parsed>(Parsed::parse(read_or_warn(path_)));
      state->stamp = stamp;
    }
    return state->parsed;
  }

 private:
  struct State {
    std::shared_ptr<const Parsed> parsed;
    FileStamp stamp;
    TimePoint next_check{};
  };
  const std::string path_;
  LockGuarded<State> state_;
};

}  // namespace agentsh::dns
