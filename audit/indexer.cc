#include "audit/indexer.h"

#include "base/log.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

namespace agentsh::audit {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kGather{50};
// How long queries have to wait for the thread at most.
constexpr milliseconds kSlice{20};
constexpr milliseconds kQueryCatchUp{2000};
constexpr int kNiceness = 10;

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
  // On Linux this is the thread's own niceness.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
  bool complained = false;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return grown_ || stopping_; });
    if (changed_.wait_for(lock, kGather, [this] { return stopping_; })) return;
    grown_ = false;
    lock.unlock();
    Result<bool> at_end = true;
    {
      const std::lock_guard index_lock(index_mutex_);
      const auto opened = index();
      at_end = opened ? (*opened)->catch_up(Clock::now() + kSlice)
                      : Result<bool>(std::unexpected(opened.error()));
    }
    if (!at_end && !std::exchange(complained, true)) {
      log_warning("audit", "the index is behind: {}", at_end.error().what);
    }
    if (at_end) complained = false;
    lock.lock();
    if (at_end && !*at_end) grown_ = true;
  }
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
