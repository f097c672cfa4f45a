// The files of the log: audit-000001.jsonl, audit-000002.jsonl, ... in one directory, each appended
// to until it is full and never changed after that.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::audit {

std::string segment_name(std::uint32_t number);
std::string segment_path(const std::string& directory, std::uint32_t number);
// The number in a segment's file name (without directory); 0 for any other name.
std::uint32_t segment_number(std::string_view name);
// The numbers of the segments in `directory`, rising.
Result<std::vector<std::uint32_t>> list_segments(const std::string& directory);

// Keeps other recorders and `chain reset` away from a directory for as long as it lives (a lock on
// audit.lock, fcntl(2) F_OFD_SETLK). Fails with device_or_resource_busy when it is taken.
Result<UniqueFd> lock_directory(const std::string& directory);
// True while some process holds the lock.
bool is_locked(const std::string& directory);

// The segment that is being written. Belongs to the writer thread.
class SegmentFile {
 public:
  // Makes a new segment and syncs the directory, so that the name survives a power cut.
  static Result<SegmentFile> create(const std::string& directory, std::uint32_t number);
  // Opens one to go on at its end.
  static Result<SegmentFile> open(const std::string& directory, std::uint32_t number);

  std::uint32_t number() const { return number_; }
  std::uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }

  // Appends `data` from `done` on and moves `done`. On an error (a full disk) `done` says how far
  // it came; call again to go on there.
  Result<> append(std::string_view data, std::size_t& done);
  Result<> sync();
  // A descriptor of one's own for the same open file.
  Result<UniqueFd> duplicate() const;
  // False when the file is no longer what its path names: somebody removed or replaced it.
  bool in_place() const;

 private:
  SegmentFile(UniqueFd fd, std::string path, std::uint32_t number, std::uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), number_(number), size_(size) {}

  UniqueFd fd_;
  std::string path_;
  std::uint32_t number_;
  std::uint64_t size_;
};

}  // namespace agentsh::audit
