// One recorded stream of a command, as a file that only the daemon's user reads.
//
//   terminal   asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/): play it with
//              `asciinema play`, or read it, one JSON array per line
//   others     the bytes as they came
//
// A file ends at kLargest; what comes after is not kept, and truncated() says so. So does a disk
// that is full.
//
// Threads: any; the methods exclude each other.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace agentsh {

class OutputFile {
 public:
  static constexpr std::uint64_t kLargest = std::uint64_t{256} << 20;

  static Result<std::unique_ptr<OutputFile>> plain(std::string path);
  static Result<std::unique_ptr<OutputFile>> terminal(std::string path, std::uint16_t rows,
                                                      std::uint16_t columns,
                                                      std::string_view command);

  void append(std::string_view data);
  void resized(std::uint16_t rows, std::uint16_t columns);

  const std::string& path() const { return path_; }
  bool truncated() const;

 private:
  OutputFile(std::string path, UniqueFd file, bool cast);
  static Result<UniqueFd> open(const std::string& path);
  void write(std::string_view bytes);
  void write_cast_line(std::string_view kind, std::string_view data);

  const std::string path_;
  const UniqueFd file_;
  const bool cast_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  std::string partial_;  // The begun character that a piece ended with.
  std::uint64_t size_ = 0;
  bool truncated_ = false;
};

}  // namespace agentsh
