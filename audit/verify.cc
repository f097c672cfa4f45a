#include "audit/verify.h"

#include "audit/chain.h"
#include "audit/chain_notes.h"
#include "audit/line_file.h"
#include "audit/segments.h"
#include "audit/side_car.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace agentsh::audit {
namespace {

std::string entries(std::uint64_t first, std::uint64_t last) {
  return first == last ? fmt::format("entry {} is", first)
                       : fmt::format("entries {} to {} are", first, last);
}

class Verifier {
 public:
  Verifier(const ChainKey& key, const VerifyOptions& options) : key_(key), options_(options) {}

  Result<VerifyReport> directory(const std::string& directory) {
    // The heads first: the log is written before them, so it cannot be behind what they say now.
    if (!read_heads(directory)) return std::move(report_);
    const auto segments = list_segments(directory);
    if (!segments) return std::unexpected(segments.error());
    if (segments->empty() && !side_car_) return no_log(directory);
    for (const std::uint32_t segment : *segments) {
      if (auto read = segment_file(directory, segment, segments->back()); !read) {
        return std::unexpected(read.error());
      }
    }
    check_first_segment(directory, *segments);
    check_end(directory);
    return std::move(report_);
  }

  Result<VerifyReport> single_file(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
    const std::uint32_t number = segment_number(path.substr(slash + 1));
    const auto segments = list_segments(directory);
    const bool newest = number != 0 && segments && !segments->empty() && segments->back() == number;
    const bool has_heads = newest && read_side_car(directory).has_value();
    if (has_heads && !read_heads(directory)) return std::move(report_);
    first_may_be_any_ = true;
    if (auto read = file(path, has_heads && is_locked(directory), true); !read) {
      return std::unexpected(read.error());
    }
    if (has_heads) check_end(directory);
    return std::move(report_);
  }

 private:
  static std::unexpected<Error> no_log(const std::string& where) {
    return fail(where + ": no audit log", std::errc::no_such_file_or_directory);
  }

  void found(std::string kind, std::string what) {
    add(report_.findings, std::move(kind), std::move(what));
  }
  void noticed(std::string kind, std::string what) {
    add(report_.notices, std::move(kind), std::move(what));
  }
  void judge(bool tolerated, std::string kind, std::string what) {
    add(tolerated ? report_.notices : report_.findings, std::move(kind), std::move(what));
  }
  void add(std::vector<Finding>& list, std::string kind, std::string what) {
    if (list.size() < options_.max_findings) {
      list.push_back({file_, line_, std::move(kind), std::move(what)});
    } else if (&list == &report_.findings) {
      ++report_.uncounted;
    }
  }
  void whole_file(const std::string& path) {
    file_ = path;
    line_ = 0;
  }

  // False when the key is another one, so that there is nothing to check.
  bool read_heads(const std::string& directory) {
    live_ = LiveHead::read(directory, key_);
    whole_file(side_car_path(directory));
    auto side_car = read_side_car(directory);
    if (!side_car) {
      found("side_car", side_car.error().what);
      return true;
    }
    if (side_car->key_fingerprint != key_.fingerprint()) {
      found("wrong_key", fmt::format("the log was written with key {}, the key given is {}; "
                                     "nothing was checked",
                                     side_car->key_fingerprint, key_.fingerprint()));
      return false;
    }
    if (side_car->mac.empty()) {
      judge(options_.tolerate_unsigned, "side_car", "carries no mac");
    } else if (!is_authentic(key_, *side_car)) {
      found("side_car", "was changed");
      return true;
    }
    side_car_ = side_car->head;
    return true;
  }

  Result<> segment_file(const std::string& directory, std::uint32_t segment, std::uint32_t last) {
    if (last_segment_ != 0 && segment != last_segment_ + 1) {
      whole_file(directory);
      found("missing_segment", fmt::format("{} is missing", segment_name(last_segment_ + 1)));
    }
    last_segment_ = segment;
    if (last_segment_ == 1) first_may_be_any_ = false;
    const bool running = segment == last && is_locked(directory);
    auto read = file(segment_path(directory, segment), running, segment == last);
    if (!read && read.error().code == std::errc::no_such_file_or_directory) {
      // Deleted since it was listed; whether that is right shows at the end.
      gone_.push_back(segment);
      last_.reset();
      return {};
    }
    return read;
  }

  // Nothing is missing of what the writer has said to be in the log. What stands after that is a
  // line that it was killed in the middle of: its event is still in a ring, and the next start puts
  // it in its place.
  bool is_all_committed() const {
    return live_ && last_ && last_->sequence >= live_->sequence &&
           (!side_car_ || last_->sequence >= side_car_->sequence);
  }

  Result<> file(const std::string& path, bool being_written, bool newest) {
    auto lines = LineFile::open(path);
    if (!lines) return std::unexpected(lines.error());
    ++report_.segments;
    file_ = path;
    LineFile::Line line;
    for (;;) {
      auto more = lines->next(line);
      if (!more) return std::unexpected(more.error());
      if (!*more) return {};
      line_ = lines->number();
      if (line.ended) {
        check(line);
        continue;
      }
      judge(options_.tolerate_truncation || being_written || (newest && is_all_committed()),
            "half_line",
            newest ? "the last line is not complete"
                   : "the last line of a closed segment is not "
                     "complete");
    }
  }

  void check(const LineFile::Line& line) {
    ParsedLine parsed;
    const LineKind kind = line.too_long ? LineKind::kMalformed : parse_line(line.text, parsed);
    switch (kind) {
      case LineKind::kMalformed:
        return found("malformed", "not a JSON object on one line");
      case LineKind::kUnsigned:
        ++report_.unsigned_lines;
        return judge(options_.tolerate_unsigned, "unsigned", "carries no integrity member");
      case LineKind::kSigned:
        if (parsed.sequence >= options_.from_sequence) check_signed(parsed);
    }
  }

  void check_signed(const ParsedLine& line) {
    ++report_.entries;
    const bool authentic = is_authentic(key_, line);
    if (!authentic) {
      found("changed", fmt::format("entry {} does not match its hash", line.sequence));
    }
    const ChainNote note = authentic ? read_chain_note(line.payload) : ChainNote{};
    if (note.oldest_segment) oldest_allowed_ = *note.oldest_segment;
    const bool moves = note.is_reset && line.previous_hash == as_view(zero_hash())
                           ? check_reset(line, note)
                           : check_link(line);
    if (side_car_ && line.sequence == side_car_->sequence &&
        line.entry_hash != as_view(side_car_->hash)) {
      found("side_car",
            fmt::format("entry {} is not the one that the side-car speaks of", line.sequence));
    }
    if (!moves) return;
    if (report_.first_sequence == 0) report_.first_sequence = line.sequence;
    report_.last_sequence = line.sequence;
    last_.emplace(ChainHead{.sequence = line.sequence});
    std::ranges::copy(line.entry_hash, last_->hash.begin());
  }

  bool check_reset(const ParsedLine& line, const ChainNote& note) {
    if (last_ && line.sequence <= last_->sequence) return check_link(line);
    noticed("reset", fmt::format("a new chain begins with entry {} ({}: {})", line.sequence,
                                 note.reason_code, note.reason));
    return true;
  }

  // Whether the line is the right one after the last. True when the next one has to follow it.
  bool check_link(const ParsedLine& line) {
    if (!last_) {
      const bool any = first_may_be_any_ || options_.from_sequence > 0 || !gone_.empty();
      if (any) return true;
      if (line.sequence != 1) {
        found("missing", entries(1, line.sequence - 1) + " missing before this line");
      } else if (line.previous_hash != as_view(zero_hash())) {
        found("link", "the first entry names one before it");
      }
      return true;
    }
    if (line.sequence <= last_->sequence) {
      found("order", fmt::format("entry {} stands after entry {}", line.sequence, last_->sequence));
      return false;
    }
    if (line.sequence != last_->sequence + 1) {
      found("missing",
            entries(last_->sequence + 1, line.sequence - 1) + " missing before this line");
    } else if (line.previous_hash != as_view(last_->hash)) {
      found("link", fmt::format("entry {} does not name the hash of entry {}", line.sequence,
                                last_->sequence));
    }
    return true;
  }

  void check_first_segment(const std::string& directory,
                           const std::vector<std::uint32_t>& segments) {
    whole_file(directory);
    for (const std::uint32_t segment : gone_) {
      if (segment >= oldest_allowed_) {
        found("missing_segment", segment_name(segment) + " disappeared");
      }
    }
    if (options_.from_sequence > 0 || segments.empty()) return;
    if (segments.front() > oldest_allowed_) {
      found("missing_segment",
            fmt::format("the log begins with {}, but nothing in it says that {} was deleted",
                        segment_name(segments.front()), segment_name(oldest_allowed_)));
    }
  }

  void check_end(const std::string& directory) {
    whole_file(directory);
    std::uint64_t expected = side_car_ ? side_car_->sequence : 0;
    if (live_) expected = std::max(expected, live_->sequence);
    const std::uint64_t last = last_ ? last_->sequence : 0;
    if (last < expected) {
      judge(options_.tolerate_truncation, "cut_off",
            fmt::format("{}; the log ends with entry {}",
                        entries(last + 1, expected) + " missing at the end", last));
    }
    if (options_.from_sequence > 0 && report_.entries == 0) {
      found("missing", fmt::format("there is no entry {} or later", options_.from_sequence));
    }
  }

  const ChainKey& key_;
  const VerifyOptions options_;
  VerifyReport report_;
  std::optional<ChainHead> side_car_;
  std::optional<ChainHead> live_;
  std::optional<ChainHead> last_;  // The last entry in its place.
  bool first_may_be_any_ = true;
  std::uint32_t last_segment_ = 0;
  std::uint32_t oldest_allowed_ = 1;  // Older segments were deleted, as the log says.
  std::vector<std::uint32_t> gone_;
  std::string file_;
  std::uint64_t line_ = 0;
};

}  // namespace

Result<VerifyReport> verify_log(const std::string& path, const ChainKey& key,
                                const VerifyOptions& options) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::unexpected(errno_error("open", path));
  Verifier verifier(key, options);
  return S_ISDIR(info.st_mode) ? verifier.directory(path) : verifier.single_file(path);
}

}  // namespace agentsh::audit
