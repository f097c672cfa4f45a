#include "audit/log_recovery.h"

#include "audit/segments.h"
#include "audit/side_car.h"
#include "base/file_io.h"
#include "base/time_format.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace agentsh::audit {
namespace {

constexpr std::size_t kFirstWindow = 256 << 10;
// Identifiers are looked for in this much of the log at most when time alone decides.
constexpr std::uint64_t kMaxTimeWindow = 256u << 20;

std::unexpected<Error> tampered(std::string what, std::string_view reason_code) {
  what += fmt::format(
      "; look at it with `agentsh audit verify`, then begin a new chain with `agentsh audit chain "
      "reset --reason-code {} --reason TEXT`",
      reason_code);
  return fail(std::move(what), std::errc::bad_message);
}

// The end of one segment as text, from the start of a line.
struct Tail {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;  // Of `text` in the file.
  std::string text;

  std::string_view first_line() const {
    return std::string_view(text).substr(0, std::min(text.find('\n'), text.size()));
  }
};

Result<Tail> read_tail(const std::string& directory, std::uint32_t segment, std::uint64_t window) {
  const std::string path = segment_path(directory, segment);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::unexpected(errno_error("open", path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(errno_error("stat", path));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  Tail tail{.segment = segment, .offset = size > window ? size - window : 0};
  if (::lseek(fd.get(), static_cast<off_t>(tail.offset), SEEK_SET) < 0) {
    return std::unexpected(errno_error("seek", path));
  }
  auto text = read_all(fd.get(), SIZE_MAX, path);
  if (!text) return std::unexpected(text.error());
  tail.text = std::move(*text);
  if (tail.offset > 0) {
    // The window began inside a line: that line is left out. When it is the only one, all is.
    const std::size_t start = std::min(tail.text.find('\n'), tail.text.size() - 1) + 1;
    tail.text.erase(0, start);
    tail.offset += start;
  }
  return tail;
}

class Recovery {
 public:
  Recovery(const std::string& directory, const ChainKey& key, IdWindow window)
      : directory_(directory), key_(key), window_(window) {}

  Result<LogState> run() {
    auto segments = list_segments(directory_);
    if (!segments) return std::unexpected(segments.error());
    auto side_car = read_side_car(directory_);
    if (!side_car) return without_side_car(*segments, side_car.error());
    if (side_car->key_fingerprint != key_.fingerprint()) {
      return tampered(fmt::format("audit log {}: written with key {}, but the key given is {}",
                                  directory_, side_car->key_fingerprint, key_.fingerprint()),
                      "key_rotated");
    }
    if (!is_authentic(key_, *side_car)) {
      return tampered(side_car_path(directory_) + ": was changed", "sidecar_corrupt");
    }
    start_ = side_car->head;
    state_.head = start_;
    if (auto read = read_tails(*segments); !read) return std::unexpected(read.error());
    for (const Tail& tail : tails_) {
      if (auto checked = check(tail); !checked) return std::unexpected(checked.error());
    }
    if (auto mended = mend_last_line(); !mended) return std::unexpected(mended.error());
    if (auto whole = check_end(); !whole) return std::unexpected(whole.error());
    return std::move(state_);
  }

 private:
  // A new directory has neither; anything else without a readable side-car is for a person.
  Result<LogState> without_side_car(const std::vector<std::uint32_t>& segments,
                                    const Error& error) {
    const bool missing = error.code == std::errc::no_such_file_or_directory;
    if (missing && segments.empty()) return std::move(state_);
    if (missing) {
      return tampered(side_car_path(directory_) + ": missing, although there is a log",
                      "sidecar_missing");
    }
    if (error.code != std::errc::bad_message) return std::unexpected(error);
    return tampered(error.what, "sidecar_corrupt");
  }

  // Reads back to the side-car's line, and further where identifiers of older lines are wanted.
  Result<> read_tails(const std::vector<std::uint32_t>& segments) {
    if (!segments.empty()) state_.segment = segments.back();
    std::uint64_t total = 0;
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
      for (std::uint64_t window = kFirstWindow;; window *= 2) {
        auto tail = read_tail(directory_, *segment, window);
        if (!tail) return std::unexpected(tail.error());
        const bool whole = tail->offset == 0;
        const bool enough = reaches_back(*tail, total + tail->text.size());
        if (!whole && !enough) continue;
        total += tail->text.size();
        tails_.push_back(std::move(*tail));
        if (enough) {
          std::ranges::reverse(tails_);
          return {};
        }
        break;
      }
    }
    std::ranges::reverse(tails_);
    return {};
  }

  bool reaches_back(const Tail& tail, std::uint64_t total) const {
    const std::string_view line = tail.first_line();
    ParsedLine parsed;
    if (parse_line(line, parsed) != LineKind::kSigned || parsed.sequence > start_.sequence) {
      return false;
    }
    const bool by_time = window_.wanted && window_.since != INT64_MAX;
    return !by_time || line_time(line) < window_.since || total > kMaxTimeWindow;
  }

  Result<> check(const Tail& tail) {
    std::string_view rest = tail.text;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (auto checked = check_line(rest.substr(0, end)); !checked) {
        const auto offset = static_cast<std::size_t>(rest.data() - tail.text.data());
        return tampered(fmt::format("{} at byte {}: {}", segment_path(directory_, tail.segment),
                                    tail.offset + offset, checked.error().what),
                        "post_tamper_recovery");
      }
      rest.remove_prefix(end + 1);
    }
    unfinished_ = rest;
    unfinished_offset_ = tail.offset + static_cast<std::size_t>(rest.data() - tail.text.data());
    return {};
  }

  Result<> check_line(std::string_view line) {
    ParsedLine parsed;
    if (parse_line(line, parsed) != LineKind::kSigned) return fail("not a signed line");
    if (window_.wanted && (parsed.sequence > start_.sequence || line_time(line) >= window_.since)) {
      state_.recent_ids.emplace(line_id(line));
    }
    if (parsed.sequence < start_.sequence) {
      last_before_ = parsed.sequence;
      return {};
    }
    if (parsed.sequence == start_.sequence) {
      if (parsed.entry_hash != as_view(start_.hash)) {
        return fail("not the line that the side-car speaks of");
      }
      if (!is_authentic(key_, parsed)) return fail("its content was changed");
      start_seen_ = true;
      return {};
    }
    if (parsed.sequence != state_.head.sequence + 1 ||
        parsed.previous_hash != as_view(state_.head.hash)) {
      return fail("does not follow the line before it");
    }
    if (!is_authentic(key_, parsed)) return fail("its content was changed");
    state_.head.sequence = parsed.sequence;
    std::ranges::copy(parsed.entry_hash, state_.head.hash.begin());
    return {};
  }

  // Only the last segment can have one: the others were complete before the next was begun.
  Result<> mend_last_line() {
    if (unfinished_.empty()) return {};
    const std::string path = segment_path(directory_, state_.segment);
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return std::unexpected(errno_error("open", path));
    const bool complete = check_line(unfinished_).has_value();
    if (complete) {
      if (auto written = write_all(fd.get(), "\n", path); !written) return written;
    } else if (::ftruncate(fd.get(), static_cast<off_t>(unfinished_offset_)) != 0) {
      return std::unexpected(errno_error("truncate", path));
    }
    Event event("audit_log_repaired");
    event.source = "audit";
    event.field("segment", segment_name(state_.segment))
        .field("action", std::string(complete ? "line_completed" : "line_cut"))
        .field("bytes", static_cast<std::int64_t>(unfinished_.size()))
        .field("sequence", static_cast<std::int64_t>(state_.head.sequence));
    state_.repairs.push_back(std::move(event));
    return {};
  }

  Result<> check_end() {
    std::uint64_t expected = start_.sequence;
    if (const auto live = LiveHead::read(directory_, key_)) {
      expected = std::max(expected, live->sequence);
    }
    const bool any = start_seen_ || state_.head.sequence > start_.sequence;
    const std::uint64_t found = any ? state_.head.sequence : last_before_;
    if (found >= expected) return {};
    return tampered(fmt::format("audit log {}: ends with entry {}, but entry {} was written",
                                directory_, found, expected),
                    "post_tamper_recovery");
  }

  const std::string& directory_;
  const ChainKey& key_;
  const IdWindow window_;
  LogState state_;
  ChainHead start_;
  std::vector<Tail> tails_;
  std::uint64_t last_before_ = 0;  // The last line before the side-car's.
  bool start_seen_ = false;        // The side-car's own line.
  std::string_view unfinished_;
  std::uint64_t unfinished_offset_ = 0;
};

}  // namespace

Result<LogState> recover_log(const std::string& directory, const ChainKey& key, IdWindow window) {
  return Recovery(directory, key, window).run();
}

std::string_view line_id(std::string_view line) {
  constexpr std::string_view kStart = "{\"id\":\"";
  if (!line.starts_with(kStart)) return {};
  line.remove_prefix(kStart.size());
  std::size_t end = 0;
  while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
  return end < line.size() ? line.substr(0, end) : std::string_view();
}

std::int64_t line_time(std::string_view line) {
  constexpr std::string_view kName = "\"timestamp\":\"";
  constexpr std::size_t kMaxLength = 40;
  const std::string_view id = line_id(line);
  const std::size_t start = id.empty() ? 1 : static_cast<std::size_t>(id.end() - line.begin()) + 2;
  if (start > line.size() || !line.substr(start).starts_with(kName)) return INT64_MIN;
  line = line.substr(start + kName.size(), kMaxLength);
  const auto time = parse_rfc3339(line.substr(0, std::min(line.find('"'), line.size())));
  if (!time) return INT64_MIN;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time->time_since_epoch()).count();
}

}  // namespace agentsh::audit
