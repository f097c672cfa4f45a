#include "audit/recorder.h"

#include "audit/event_id.h"
#include "audit/indexer.h"
#include "audit/log_recovery.h"
#include "audit/log_writer.h"
#include "audit/ring_pool.h"
#include "audit/segments.h"
#include "audit/subscribers.h"
#include "audit/text_buffer.h"
#include "audit/writer.h"
#include "base/file_io.h"

#include <unistd.h>

#include <algorithm>

namespace agentsh::audit {
namespace {

using std::chrono::nanoseconds;

// Texts that ride in front of the JSON in a ring. Real ones are far shorter; the JSON has them
// whole.
constexpr std::size_t kMaxRidingText = 1024;
constexpr std::chrono::seconds kRoomCheck{1};
// After a power cut an event may be logged and still stand in its ring. Lines from this long before
// the oldest event in a ring are looked through for it.
constexpr std::int64_t kClockSlack = 60'000'000'000;

std::int64_t wall_nanoseconds() {
  return nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string_view riding(const std::string& text) {
  return std::string_view(text).substr(0, kMaxRidingText);
}

// A lower bound of the JSON's size that takes no rendering.
std::size_t text_bytes(const Event& event) {
  std::size_t size = event.session_id.size() + event.command_id.size() + event.program.size() +
                     event.path.size() + event.domain.size() + event.remote.size();
  if (event.policy) size += event.policy->message.size();
  for (const auto& [name, value] : event.fields) {
    size += name.size();
    if (const auto* text = std::get_if<std::string>(&value)) size += text->size();
    if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
      for (const std::string& text : *texts) size += text.size();
    }
  }
  return size;
}

// Renders the event so that it fits: an event that is too large is cut, not lost.
void render(TextBuffer& out, const Event& event, std::string_view id, std::int64_t time,
            std::size_t max_bytes) {
  out.clear();
  if (text_bytes(event) <= max_bytes) {
    append_json(out, event, id, time);
    if (out.size() <= max_bytes) return;
  }
  RenderLimits limits{.string_bytes = 4096, .fields = 64};
  do {
    limits.string_bytes /= 2;
    limits.fields = limits.string_bytes < 128 ? 8 : 32;
    out.clear();
    append_json(out, event, id.substr(0, limits.string_bytes), time, limits);
  } while (out.size() > max_bytes && limits.string_bytes > 1);
}

// What has to be known of the log to tell which events in the rings are in it already.
IdWindow ids_wanted(RingPool& pool) {
  IdWindow window;
  std::vector<RingSlot*> slots;
  pool.list(slots);
  for (const RingSlot* slot : slots) {
    if (slot->ring.empty() && slot->ring.drops() == slot->ring.drops_reported()) continue;
    window.wanted = true;
    if (slot->ring.same_boot()) continue;
    std::vector<RingRecord> records;
    std::uint64_t damaged = 0;
    slot->ring.collect(records, damaged);
    for (const RingRecord& record : records) {
      window.since = std::min(window.since, static_cast<std::int64_t>(record.stamp) - kClockSlack);
    }
  }
  return window;
}

// A missing key is made only for a log that is empty: another one could not have written it.
Result<ChainKey> open_key(const RecorderOptions& options) {
  auto key = ChainKey::load(options.key_file);
  if (key || key.error().code != std::errc::no_such_file_or_directory) return key;
  const auto segments = list_segments(options.directory);
  if (!segments) return std::unexpected(segments.error());
  if (!segments->empty()) {
    return fail("audit key " + options.key_file + ": missing, but " + options.directory +
                    " has a log that was signed with it; restore it, or begin a new chain with "
                    "`agentsh audit chain reset --reason-code key_rotated --reason TEXT`",
                std::errc::no_such_file_or_directory);
  }
  return ChainKey::load_or_create(options.key_file);
}

}  // namespace

struct Recorder::State {
  RecorderOptions options;
  UniqueFd lock;
  std::shared_ptr<RingPool> pool;
  std::shared_ptr<Subscribers> subscribers;
  std::unique_ptr<Indexer> indexer;
  std::unique_ptr<Doorbell> doorbell;
  std::unique_ptr<Writer> writer;
  const pid_t owner = ::getpid();

  void record_in(RingSlot& slot, const Event& event);
  void push_or_drop(RingSlot& slot, const RingRecord& record);
};

Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Recorder>> Recorder::open(RecorderOptions options) {
  if (auto made = make_directories(options.directory); !made) {
    return std::unexpected(made.error());
  }
  auto state = std::make_unique<State>();
  auto lock = lock_directory(options.directory);
  if (!lock) return std::unexpected(lock.error());
  auto key = open_key(options);
  if (!key) return std::unexpected(key.error());
  auto rings = RingPool::open(options.directory, options.ring_bytes);
  if (!rings) return std::unexpected(rings.error());
  auto log_state = recover_log(options.directory, *key, ids_wanted(*rings->pool));
  if (!log_state) return std::unexpected(log_state.error());
  for (const std::string& path : rings->damaged) {
    Event event("audit_ring_damaged");
    event.path = path;
    log_state->repairs.push_back(std::move(event));
  }
  auto log = LogWriter::open(options.directory, std::move(*key), *log_state);
  if (!log) return std::unexpected(log.error());
  auto doorbell = Doorbell::create();
  if (!doorbell) return std::unexpected(doorbell.error());
  auto syncer_key = log->copy_key();
  if (!syncer_key) return std::unexpected(syncer_key.error());

  state->options = options;
  state->lock = std::move(*lock);
  state->pool = rings->pool;
  state->subscribers = std::make_shared<Subscribers>();
  state->doorbell = std::make_unique<Doorbell>(std::move(*doorbell));
  std::function<void()> on_commit;
  if (options.index) {
    state->indexer = std::make_unique<Indexer>(options.directory);
    on_commit = [indexer = state->indexer.get()] { indexer->notify(); };
  }
  state->writer =
      std::make_unique<Writer>(Writer::Parts{.options = std::move(options),
                                             .log = std::move(*log),
                                             .pool = rings->pool,
                                             .subscribers = state->subscribers,
                                             .doorbell = *state->doorbell,
                                             .syncer_key = std::move(*syncer_key),
                                             .recent_ids = std::move(log_state->recent_ids),
                                             .notes = std::move(log_state->repairs),
                                             .on_commit = std::move(on_commit)});
  state->writer->wait_until_caught_up();
  return std::unique_ptr<Recorder>(new Recorder(std::move(state)));
}

Recorder::~Recorder() {
  if (state_->owner != ::getpid()) {
    // A forked child: the threads to end and the rings to close are its parent's.
    [[maybe_unused]] const State* abandoned = state_.release();
    return;
  }
  state_->writer.reset();
  state_->pool->close();
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): callers give the event away.
void Recorder::record(Event event) {
  RingPool& pool = *state_->pool;
  if (RingSlot* slot = pool.of_this_thread()) {
    state_->record_in(*slot, event);
    return;
  }
  const std::lock_guard lock(pool.shared_mutex());
  state_->record_in(pool.shared(), event);
}

void Recorder::State::record_in(RingSlot& slot, const Event& event) {
  const std::int64_t now = wall_nanoseconds();
  // Stamps rise strictly within a ring, also when the clock is set back.
  const std::uint64_t stamp = std::max(static_cast<std::uint64_t>(now), slot.ring.last_stamp() + 1);
  const EventId made_id(stamp, slot.ring.number());
  const std::int64_t own_time =
      std::chrono::duration_cast<nanoseconds>(event.timestamp.time_since_epoch()).count();
  thread_local TextBuffer text;
  render(text, event, event.id.empty() ? made_id.view() : std::string_view(event.id),
         own_time != 0 ? own_time : now, slot.ring.max_json());
  push_or_drop(slot, {.stamp = stamp,
                      .session_id = riding(event.session_id),
                      .command_id = riding(event.command_id),
                      .type = riding(event.type),
                      .decision = event.policy ? riding(event.policy->decision) : "",
                      .json = text.view()});
}

void Recorder::State::push_or_drop(RingSlot& slot, const RingRecord& record) {
  const auto count = [](std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  bool pushed = slot.ring.push(record);
  // The writer cannot wait for itself.
  if (!pushed && options.backpressure == Backpressure::kBlock && !writer->is_this_thread()) {
    while (!pushed) {
      doorbell->ring();
      pushed = writer->progress().wait(kRoomCheck, [&] { return slot.ring.push(record); });
    }
  }
  if (!pushed) {
    slot.ring.count_drop();
    count(slot.dropped);
    doorbell->ring_if_asleep();
    return;
  }
  count(slot.accepted);
  if (slot.ring.half_full()) {
    doorbell->ring();
  } else {
    doorbell->ring_if_asleep();
  }
}

bool Recorder::flush(std::chrono::milliseconds limit) {
  RingPool& pool = *state_->pool;
  std::vector<std::pair<const Ring*, std::uint64_t>> targets;
  if (const RingSlot* slot = pool.held_by_this_thread()) {
    targets.emplace_back(&slot->ring, slot->ring.tail());
  }
  targets.emplace_back(&pool.shared().ring, pool.shared().ring.tail());
  state_->doorbell->ring();
  return state_->writer->progress().wait(limit, [&] {
    return std::ranges::all_of(
        targets, [](const auto& target) { return target.first->head() >= target.second; });
  });
}

bool Recorder::healthy() const {
  return writing() || !state_->options.deny_on_write_error;
}
bool Recorder::writing() const {
  return !state_->writer->failing();
}
std::uint64_t Recorder::recorded() const {
  return state_->pool->accepted();
}
std::uint64_t Recorder::dropped() const {
  return state_->pool->dropped();
}

std::shared_ptr<Recorder::Subscription> Recorder::subscribe(
    std::function<void(const RecordedEvent&)> callback) {
  return state_->subscribers->add(std::move(callback));
}

Result<EventPage> Recorder::query(const EventQuery& query) const {
  if (!state_->indexer) return fail("the audit index is switched off", std::errc::not_supported);
  return state_->indexer->query(query);
}

}  // namespace agentsh::audit
