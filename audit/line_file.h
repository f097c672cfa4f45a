// Reads a file of any size line by line, with a bound on the length of a line.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace agentsh::audit {

class LineFile {
 public:
  static constexpr std::size_t kLongestLine = 16 << 20;

  static Result<LineFile> open(const std::string& path);

  struct Line {
    std::string_view text;  // Without the line break; valid until the next call.
    bool ended = true;      // False for a last line without a line break.
    bool too_long = false;  // The line was skipped; `text` is its beginning.
  };
  // False at the end of the file.
  Result<bool> next(Line& line);
  std::uint64_t number() const { return number_; }  // Of the last line given, from 1.

 private:
  LineFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<bool> fill();

  UniqueFd fd_;
  std::string path_;
  std::string buffer_;
  std::size_t start_ = 0;    // Of what was not given yet.
  std::size_t scanned_ = 0;  // Up to here there is no line break.
  bool at_end_ = false;
  bool skipping_ = false;
  std::uint64_t number_ = 0;
};

}  // namespace agentsh::audit
