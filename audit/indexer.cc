#include "audit/indexer.h"

#include "base/log.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

namespace agentsh::audit {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kGather{50};
// What queries have to wait for at most, in time that the thread gets.
constexpr milliseconds kSlice{2};
constexpr milliseconds kQueryCatchUp{2000};
// An index that is behind for longer than this is no longer left for idle time: a query can still
// catch up with what ten seconds of full load write.
constexpr milliseconds kLeftBehind{10000};

// Of the calling thread. Idle: on a busy machine whatever else there is to do goes first. Who is
// not root may not leave idle time again (sched(7)); then a query does what is left to do.
void set_idle(bool idle) {
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), idle ? SCHED_IDLE : SCHED_OTHER, &none);
}

}  // namespace

Indexer::Indexer(std::string directory)
    : directory_(std::move(directory)), thread_(&Indexer::run, this) {}

Indexer::~Indexer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Indexer::notify() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(grown_, true)) return;
  }
  changed_.notify_all();
}

// Under index_mutex_.
Result<EventIndex*> Indexer::index() {
  if (opened_) return &*opened_;
  auto opened = EventIndex::open(directory_);
  if (!opened) return std::unexpected(opened.error());
  return &opened_.emplace(std::move(*opened));
}

void Indexer::run() {
  bool complained = false;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return grown_ || stopping_.load(); });
    if (changed_.wait_for(lock, kGather, [this] { return stopping_.load(); })) return;
    grown_ = false;
    lock.unlock();
    const Result<> done = follow();
    if (!done && !std::exchange(complained, true)) {
      log_warning("audit", "the index is behind: {}", done.error().what);
    }
    if (done) complained = false;
    lock.lock();
  }
}

// In slices, between which queries get their turn.
Result<> Indexer::follow() {
  const Clock::time_point begun = Clock::now();
  set_idle(true);
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (Clock::now() - begun > kLeftBehind) set_idle(false);
    const std::lock_guard index_lock(index_mutex_);
    const auto opened = index();
    if (!opened) return std::unexpected(opened.error());
    const auto at_end = (*opened)->catch_up(Clock::now() + kSlice);
    if (!at_end) return std::unexpected(at_end.error());
    if (*at_end) break;
  }
  return {};
}

Result<EventPage> Indexer::query(const EventQuery& query) {
  const std::lock_guard lock(index_mutex_);
  const auto opened = index();
  if (!opened) return std::unexpected(opened.error());
  if (auto at_end = (*opened)->catch_up(Clock::now() + kQueryCatchUp); !at_end) {
    return std::unexpected(at_end.error());
  }
  return (*opened)->query(query);
}

}  // namespace agentsh::audit
