#include "audit/line_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace agentsh::audit {
namespace {
constexpr std::size_t kChunkBytes = 1 << 20;
}

Result<LineFile> LineFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open", path));
  return LineFile(std::move(fd), path);
}

// Makes room by dropping what was given, and reads on. False at the end of the file.
Result<bool> LineFile::fill() {
  if (at_end_) return false;
  buffer_.erase(0, start_);
  scanned_ -= start_;
  start_ = 0;
  const std::size_t have = buffer_.size();
  buffer_.resize(have + kChunkBytes);
  ssize_t got = 0;
  do {
    got = ::read(fd_.get(), buffer_.data() + have, kChunkBytes);
  } while (got < 0 && errno == EINTR);
  buffer_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0) return std::unexpected(errno_error("read", path_));
  at_end_ = got == 0;
  return !at_end_;
}

Result<bool> LineFile::next(Line& line) {
  for (;;) {
    const std::size_t end = buffer_.find('\n', scanned_);
    if (end != std::string::npos) {
      line = {.text = std::string_view(buffer_).substr(start_, end - start_)};
      start_ = scanned_ = end + 1;
      if (std::exchange(skipping_, false)) continue;  // The rest of a line that was too long.
      ++number_;
      return true;
    }
    scanned_ = buffer_.size();
    if (skipping_) start_ = scanned_;
    if (scanned_ - start_ > kLongestLine) {
      line = {.text = std::string_view(buffer_).substr(start_), .too_long = true};
      start_ = scanned_;
      skipping_ = true;
      ++number_;
      return true;
    }
    const auto more = fill();
    if (!more) return std::unexpected(more.error());
    if (*more) continue;
    if (start_ == buffer_.size()) return false;
    line = {.text = std::string_view(buffer_).substr(start_), .ended = false};
    start_ = scanned_ = buffer_.size();
    ++number_;
    return true;
  }
}

}  // namespace agentsh::audit
