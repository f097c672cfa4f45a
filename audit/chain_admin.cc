#include "audit/chain_admin.h"

#include "audit/chain_notes.h"
#include "audit/event.h"
#include "audit/event_id.h"
#include "audit/line_file.h"
#include "audit/ring_pool.h"
#include "audit/segments.h"
#include "audit/verify.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

namespace agentsh::audit {
namespace {

constexpr std::array<std::string_view, 6> kReasonCodes = {
    "sidecar_missing", "sidecar_corrupt", "key_rotated",
    "legacy_archived", "manual_reset",    "post_tamper_recovery"};

std::uint64_t file_size(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// In words, for the event and the operator.
std::string summary(const Result<VerifyReport>& report) {
  if (!report) return report.error().what;
  if (report->ok()) return "none";
  const Finding& first = report->findings.front();
  const std::uint64_t more = report->findings.size() - 1 + report->uncounted;
  return fmt::format("{}:{}: {}: {}{}", first.file, first.line, first.kind, first.what,
                     more > 0 ? fmt::format(" (and {} more)", more) : "");
}

// The last sequence that the old log's lines state, authentic or not: its key may be lost.
Result<std::uint64_t> last_stated_sequence(const std::string& directory,
                                           const std::vector<std::uint32_t>& segments) {
  // A forged line could state any number; this leaves room to count on.
  constexpr std::uint64_t kLargestBelieved = std::uint64_t{1} << 62;
  std::uint64_t last = 0;
  for (const std::uint32_t segment : segments) {
    auto lines = LineFile::open(segment_path(directory, segment));
    if (!lines) return std::unexpected(lines.error());
    LineFile::Line line;
    for (;;) {
      const auto more = lines->next(line);
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      ParsedLine parsed;
      if (parse_line(line.text, parsed) == LineKind::kSigned &&
          parsed.sequence < kLargestBelieved) {
        last = std::max(last, parsed.sequence);
      }
    }
  }
  if (const auto side_car = read_side_car(directory);
      side_car && side_car->head.sequence < kLargestBelieved) {
    last = std::max(last, side_car->head.sequence);
  }
  return last;
}

// Moves the segments and the side-car away. Returns the name of the folder.
Result<std::string> archive(const std::string& directory,
                            const std::vector<std::uint32_t>& segments) {
  std::string name = "archive-" + format_rfc3339(std::chrono::system_clock::now());
  std::erase(name, ':');
  const std::string target = directory + "/" + name;
  if (::mkdir(target.c_str(), 0700) != 0) return std::unexpected(errno_error("mkdir", target));
  std::vector<std::string> names;
  names.reserve(segments.size() + 1);
  for (const std::uint32_t segment : segments) names.push_back(segment_name(segment));
  if (::access(side_car_path(directory).c_str(), F_OK) == 0) {
    names.push_back(side_car_path(directory).substr(directory.size() + 1));
  }
  for (const std::string& file : names) {
    const std::string from = fmt::format("{}/{}", directory, file);
    if (::rename(from.c_str(), fmt::format("{}/{}", target, file).c_str()) != 0) {
      return std::unexpected(errno_error("move", file));
    }
  }
  return name;
}

std::string reset_event(const ResetOptions& options, const ResetResult& result,
                        std::uint32_t oldest_segment) {
  Event event{std::string(kChainReset)};
  event.timestamp = std::chrono::system_clock::now();
  const auto stamp = std::chrono::nanoseconds(event.timestamp.time_since_epoch()).count();
  event.id = EventId(static_cast<std::uint64_t>(stamp), 0).view();
  event.source = "audit";
  event.field("reason", options.reason)
      .field("reason_code", options.reason_code)
      .field("previous_problems", result.previous_problems)
      .field("archive", result.archive)
      .field("uid", std::int64_t{::getuid()})
      .field("oldest_segment", std::int64_t{oldest_segment});
  return to_json(event);
}

Result<> write_first_line(const std::string& directory, const ChainKey& key, std::uint32_t segment,
                          std::string_view json, ChainHead head) {
  auto file = SegmentFile::create(directory, segment);
  if (!file) return std::unexpected(file.error());
  TextBuffer line;
  append_line(key, head, json, line);
  std::size_t done = 0;
  if (auto written = file->append(line.view(), done); !written) return written;
  if (auto synced = file->sync(); !synced) return synced;
  return write_side_car(directory, key, head);
}

}  // namespace

Result<ChainStatus> chain_status(const std::string& directory, const ChainKey* key) {
  const auto segments = list_segments(directory);
  if (!segments) return std::unexpected(segments.error());
  ChainStatus status{.directory = directory,
                     .recorder_running = is_locked(directory),
                     .segments = segments->size()};
  if (!segments->empty()) {
    status.first_segment = segment_name(segments->front());
    status.last_segment = segment_name(segments->back());
  }
  for (const std::uint32_t segment : *segments) {
    status.log_bytes += file_size(segment_path(directory, segment));
  }
  if (auto side_car = read_side_car(directory)) {
    status.last_sequence = side_car->head.sequence;
    status.side_car = std::move(*side_car);
  } else {
    status.side_car_problem = side_car.error().what;
  }
  if (key != nullptr) {
    status.key_fingerprint = key->fingerprint();
    if (const auto live = LiveHead::read(directory, *key)) {
      status.last_sequence = std::max(status.last_sequence, live->sequence);
    }
  }
  status.waiting_rings = RingPool::count_waiting(directory);
  return status;
}

std::span<const std::string_view> reset_reason_codes() {
  return kReasonCodes;
}

Result<ResetResult> reset_chain(const ResetOptions& options) {
  if (options.reason.empty()) return fail("a reset needs a reason");
  if (std::ranges::find(kReasonCodes, options.reason_code) == kReasonCodes.end()) {
    return fail(fmt::format("unknown reason code \"{}\"; there are: {}", options.reason_code,
                            fmt::join(kReasonCodes, ", ")));
  }
  const auto segments = list_segments(options.directory);
  if (!segments) return std::unexpected(segments.error());
  if (segments->empty() && ::access(side_car_path(options.directory).c_str(), F_OK) != 0) {
    return fail(options.directory + ": no audit log", std::errc::no_such_file_or_directory);
  }
  const auto lock = lock_directory(options.directory);
  if (!lock) return std::unexpected(lock.error());
  auto key = ChainKey::load_or_create(options.key_file);
  if (!key) return std::unexpected(key.error());
  const auto report = verify_log(options.directory, *key);
  ResetResult result{.previous_problems = summary(report)};
  if (report && report->ok() && !options.force) {
    return fail(options.directory + ": the chain is intact; --force begins a new one all the same",
                std::errc::operation_not_permitted);
  }
  const auto last = last_stated_sequence(options.directory, *segments);
  if (!last) return std::unexpected(last.error());
  const std::uint32_t segment = segments->empty() ? 1 : segments->back() + 1;
  std::uint32_t oldest = segments->empty() ? segment : segments->front();
  LiveHead::remove(options.directory);
  if (options.legacy_archive && !segments->empty()) {
    auto moved = archive(options.directory, *segments);
    if (!moved) return std::unexpected(moved.error());
    result.archive = std::move(*moved);
    oldest = segment;
  }
  if (auto written = write_first_line(options.directory, *key, segment,
                                      reset_event(options, result, oldest), {.sequence = *last});
      !written) {
    return std::unexpected(written.error());
  }
  result.segment = segment_name(segment);
  result.sequence = *last + 1;
  return result;
}

}  // namespace agentsh::audit
