#include "audit/writer.h"

#include "audit/event_id.h"
#include "audit/text_buffer.h"
#include "base/log.h"

#include <algorithm>

namespace agentsh::audit {
namespace {

using std::chrono::milliseconds;

// After a pass with events: how long to let more of them gather.
constexpr milliseconds kGather{5};
constexpr std::size_t kBatchBytes = 256 << 10;
constexpr milliseconds kLongRest = std::chrono::hours(1);
constexpr milliseconds kCatchUpLimit{10'000};

std::uint64_t now_stamp() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

Writer::Writer(Parts parts)
    : parts_(std::move(parts)),
      syncer_(parts_.options.directory, std::move(parts_.syncer_key), parts_.doorbell) {
  next_sync_ = next_removal_ = Clock::now();
  thread_ = std::thread(&Writer::run, this);
}

Writer::~Writer() {
  stopping_.store(true, std::memory_order_seq_cst);
  parts_.doorbell.ring();
  thread_.join();
}

void Writer::wait_until_caught_up() {
  progress_.wait(kCatchUpLimit, [this] { return caught_up_.load() || failing_.load(); });
}

void Writer::run() {
  for (;;) {
    // Read before the pass: what was recorded before the end was asked for is then in it.
    const bool stopping = stopping_.load(std::memory_order_seq_cst);
    bool found = false;
    if (!pass(found) || !tend()) break;
    // A failure of syncing that is over only now is still to be told.
    if (stopping && !found && (!sync_failure_ || !sync_now())) break;
    rest(found);
  }
  // Where the disk refuses, the side-car stays behind the log, which the next start puts right.
  if (log_.batch_bytes() == 0) sync_now();
}

void Writer::rest(bool busy) {
  if (busy) {
    parts_.doorbell.wait(kGather);
    return;
  }
  parts_.doorbell.announce_sleep();
  milliseconds limit = kLongRest;
  const auto until = [](Clock::time_point due) {
    return std::max(std::chrono::ceil<milliseconds>(due - Clock::now()), milliseconds(0));
  };
  if (log_.unsynced() && syncer_.idle()) limit = std::min(limit, until(next_sync_));
  if (work_waits()) limit = milliseconds(0);
  parts_.doorbell.wait(limit);
}

bool Writer::work_waits() {
  if (stopping_.load(std::memory_order_seq_cst)) return true;
  parts_.pool->list(slots_);
  return std::ranges::any_of(slots_, [](const RingSlot* slot) {
    return !slot->ring.empty() || slot->ring.drops() != slot->ring.drops_reported();
  });
}

bool Writer::pass(bool& found) {
  gather();
  found = !cursors_.empty();
  while (Cursor* cursor = earliest()) {
    if (!take(*cursor)) return false;
  }
  report_recovery();
  report_drops();
  report_failure();
  if (!commit()) return false;
  cursors_.clear();
  parts_.pool->recycle();
  // Only rings that were there at the start can hold what is logged already.
  parts_.recent_ids.clear();
  found = found || ended_failure_.has_value();
  if (!caught_up_.exchange(true)) progress_.step();
  return true;
}

void Writer::gather() {
  parts_.pool->list(slots_);
  records_.clear();
  cursors_.clear();
  for (RingSlot* slot : slots_) {
    const std::size_t first = records_.size();
    std::uint64_t damaged = 0;
    const std::uint64_t upto = slot->ring.collect(records_, damaged);
    if (damaged > 0) report_damage(*slot, damaged);
    if (records_.size() == first && damaged == 0) continue;
    cursors_.push_back({.slot = slot, .next = first, .end = records_.size(), .upto = upto});
    if (records_.size() == first) cursors_.back().release = upto;
  }
}

Writer::Cursor* Writer::earliest() {
  Cursor* found = nullptr;
  for (Cursor& cursor : cursors_) {
    if (cursor.next == cursor.end) continue;
    if (found == nullptr || records_[cursor.next].stamp < records_[found->next].stamp) {
      found = &cursor;
    }
  }
  return found;
}

bool Writer::take(Cursor& cursor) {
  const RingRecord& record = records_[cursor.next++];
  cursor.release = cursor.next == cursor.end ? cursor.upto : record.end;
  const bool adopted = cursor.slot->adopted;
  if (adopted && parts_.recent_ids.contains(std::string(line_id(record.json)))) return true;
  add(record);
  ++ring_records_in_batch_;
  if (adopted) ++recovered_;
  if (ended_failure_ && record.stamp <= ended_failure_->ended_stamp) ++ended_failure_->delayed;
  return commit_if_due();
}

void Writer::add(const RingRecord& record) {
  const std::uint64_t sequence = log_.add(record.json);
  if (parts_.subscribers->any()) to_deliver_.emplace_back(record, sequence);
}

void Writer::add_own(Event event, std::string id) {
  own_stamp_ = std::max(own_stamp_ + 1, now_stamp());
  event.id = id.empty() ? std::string(EventId(own_stamp_, 0).view()) : std::move(id);
  event.source = "audit";
  TextBuffer text;
  append_json(text, event, event.id, static_cast<std::int64_t>(own_stamp_));
  OwnEvent& own = own_events_.emplace_back(std::move(event), std::string(text.view()));
  add({.stamp = own_stamp_, .type = own.event.type, .json = own.json});
}

bool Writer::commit_if_due() {
  const bool full = log_.segment_bytes() >= parts_.options.segment_bytes;
  if (!full && log_.batch_bytes() < kBatchBytes) return true;
  return commit() && (!full || rotate("size"));
}

bool Writer::commit() {
  for (;;) {
    if (const auto written = log_.commit(); !written) {
      if (!wait_out(written.error())) return false;
    } else if (parts_.options.fsync != Fsync::kAlways || sync_now()) {
      break;
    } else if (!wait_out(make_error("the log cannot be put on disk", std::errc::io_error))) {
      return false;
    }
  }
  if (write_failure_) {
    end_failure(write_failure_);
    // The same disk: see at once whether it takes this again, too.
    if (sync_failure_) sync_now();
  }
  deliver();
  // From here on a crash would not write these events again.
  for (Cursor& cursor : cursors_) {
    if (cursor.release != 0) cursor.slot->ring.release(std::exchange(cursor.release, 0));
  }
  for (const auto& [slot, total] : drops_in_batch_) slot->ring.set_drops_reported(total);
  const bool any = ring_records_in_batch_ > 0 || !own_events_.empty();
  drops_in_batch_.clear();
  own_events_.clear();
  ring_records_in_batch_ = 0;
  progress_.step();
  if (any && parts_.on_commit) parts_.on_commit();
  return true;
}

void Writer::deliver() {
  for (const auto& [record, sequence] : to_deliver_) {
    delivered_.sequence = sequence;
    delivered_.session_id = record.session_id;
    delivered_.command_id = record.command_id;
    delivered_.type = record.type;
    delivered_.decision = record.decision;
    delivered_.json = record.json;
    parts_.subscribers->deliver(delivered_);
  }
  to_deliver_.clear();
}

}  // namespace agentsh::audit
