#include "audit/log_writer.h"

#include <fcntl.h>

#include <algorithm>

namespace agentsh::audit {
namespace {

std::optional<std::int64_t> time_of_first_line(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string start(512, '\0');
  const ssize_t got = fd ? ::read(fd.get(), start.data(), start.size()) : -1;
  if (got <= 0) return {};
  start.resize(static_cast<std::size_t>(got));
  const std::int64_t time = line_time(start);
  return time == INT64_MIN ? std::nullopt : std::optional(time);
}

}  // namespace

Result<LogWriter> LogWriter::open(const std::string& directory, ChainKey key,
                                  const LogState& state) {
  auto live_head = LiveHead::open_for_writing(directory);
  if (!live_head) return std::unexpected(live_head.error());
  if (state.segment == 0) {
    if (auto noted = write_side_car(directory, key, state.head); !noted) {
      return std::unexpected(noted.error());
    }
  }
  auto segment = state.segment == 0 ? SegmentFile::create(directory, 1)
                                    : SegmentFile::open(directory, state.segment);
  if (!segment) return std::unexpected(segment.error());
  live_head->write(key, state.head);
  LogWriter writer(directory, std::move(key), state.head, std::move(*segment),
                   std::move(*live_head));
  writer.segment_began_ = time_of_first_line(writer.segment_.path());
  writer.unsynced_ = true;
  return writer;
}

std::uint64_t LogWriter::add(std::string_view json) {
  append_line(key_, built_, json, batch_);
  if (!segment_began_) segment_began_ = line_time(json);
  return built_.sequence;
}

Result<> LogWriter::commit() {
  if (batch_bytes() == 0) return {};
  if (auto appended = segment_.append(batch_.view(), written_); !appended) return appended;
  batch_.clear();
  written_ = 0;
  committed_ = built_;
  unsynced_ = true;
  live_head_.write(key_, committed_);
  return {};
}

Result<> LogWriter::rotate() {
  if (auto synced = sync(); !synced) return synced;
  auto segments = list_segments(directory_);
  if (!segments) return std::unexpected(segments.error());
  std::uint32_t last = segment_.number();
  if (!segments->empty()) last = std::max(last, segments->back());
  auto next = SegmentFile::create(directory_, last + 1);
  if (!next) return std::unexpected(next.error());
  segment_ = std::move(*next);
  segment_began_.reset();
  return {};
}

Result<SyncJob> LogWriter::begin_sync() {
  auto segment = segment_.duplicate();
  if (!segment) return std::unexpected(segment.error());
  unsynced_ = false;
  return SyncJob{.segment = std::move(*segment), .path = segment_.path(), .head = committed_};
}

Result<> LogWriter::sync() {
  if (!unsynced_) return {};
  if (auto synced = segment_.sync(); !synced) return synced;
  if (auto noted = write_side_car(directory_, key_, committed_); !noted) return noted;
  unsynced_ = false;
  return {};
}

}  // namespace agentsh::audit
