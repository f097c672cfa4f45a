// The events that the writer records about the audit trail itself.
#include "audit/event_id.h"
#include "audit/writer.h"

#include <algorithm>
#include <charconv>

namespace agentsh::audit {
namespace {

// The id of a report of drops names the ring and the total so far, so that after a crash between
// writing it and noting it in the ring, the next start can tell what was reported.
std::string drops_id(const Ring& ring) {
  return std::string(EventId(ring.created(), ring.number()).view()) + "-drops-";
}

}  // namespace

void Writer::report_damage(const RingSlot& slot, std::uint64_t bytes) {
  Event event("audit_ring_damaged");
  event.path = slot.ring.path();
  event.field("bytes_unreadable", static_cast<std::int64_t>(bytes));
  add_own(std::move(event));
}

void Writer::report_drops() {
  for (RingSlot* slot : slots_) {
    const std::uint64_t total = slot->ring.drops();
    const std::uint64_t reported =
        std::max(slot->ring.drops_reported(), drops_logged_before(*slot));
    if (total != reported) {
      Event event("audit_dropped");
      event.field("count", static_cast<std::int64_t>(total - reported))
          .field("total", static_cast<std::int64_t>(total))
          .field("ring", static_cast<std::int64_t>(slot->ring.number()));
      add_own(std::move(event), drops_id(slot->ring) + std::to_string(total));
    }
    if (total != slot->ring.drops_reported()) drops_in_batch_.emplace_back(slot, total);
  }
}

std::uint64_t Writer::drops_logged_before(const RingSlot& slot) const {
  if (!slot.adopted) return 0;
  const std::string prefix = drops_id(slot.ring);
  std::uint64_t most = 0;
  for (const std::string& id : parts_.recent_ids) {
    if (!id.starts_with(prefix)) continue;
    std::uint64_t total = 0;
    std::from_chars(id.data() + prefix.size(), id.data() + id.size(), total);
    most = std::max(most, total);
  }
  return most;
}

void Writer::report_recovery() {
  if (caught_up_.load(std::memory_order_relaxed)) return;
  for (Event& note : parts_.notes) add_own(std::move(note));
  parts_.notes.clear();
  if (recovered_ == 0) return;
  Event event("audit_recovered");
  event.field("events", recovered_);
  add_own(std::move(event));
}

void Writer::report_failure() {
  if (!ended_failure_) return;
  // The pass in which it ended may have begun before it; the next one has seen all that waited.
  if (!std::exchange(ended_failure_->reportable, true)) return;
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(ended_failure_->duration);
  Event event("audit_write_failed");
  event.field("error", ended_failure_->error)
      .field("duration_ms", std::int64_t{milliseconds.count()})
      .field("attempts", ended_failure_->attempts)
      .field("events_delayed", ended_failure_->delayed);
  ended_failure_.reset();
  add_own(std::move(event));
}

}  // namespace agentsh::audit
