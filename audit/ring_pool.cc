#include "audit/ring_pool.h"

#include "base/file_io.h"
#include "base/log.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace agentsh::audit {
namespace {

constexpr std::string_view kRingPrefix = "ring-";

std::uint32_t ring_number(std::string_view name) {
  if (!name.starts_with(kRingPrefix)) return 0;
  name.remove_prefix(kRingPrefix.size());
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size() ? number : 0;
}

// The process was killed while it made the ring: nothing was ever written to it.
bool is_unfinished(const std::string& path) {
  const auto content = read_file(path, Ring::kHeaderBytes + kMaxRingBytes);
  return content && content->find_first_not_of('\0') == std::string::npos;
}

// Nothing in it that is not in the log.
bool is_done(const RingSlot& slot) {
  return slot.ring.empty() && slot.ring.drops() == slot.ring.drops_reported();
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::uint32_t>> list_rings(const std::string& directory) {
  std::unique_ptr<DIR, CloseDirectory> stream(::opendir(directory.c_str()));
  if (!stream) return std::unexpected(errno_error("open", directory));
  std::vector<std::uint32_t> numbers;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (const std::uint32_t number = ring_number(entry->d_name)) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

std::string path_of_ring(const std::string& directory, std::uint32_t number) {
  return fmt::format("{}/{}{:04}", directory, kRingPrefix, number);
}

}  // namespace

// The leases of one thread, given back when it ends. The last one used is kept apart in variables
// without a destructor, which can be read on the hot path without asking whether they are set up.
class ThreadRings {
 public:
  ~ThreadRings() {
    recent_pool = nullptr;
    ended = true;
    for (const Lease& lease : leases_) {
      // A forked child has a copy of this list, but the rings are its parent's.
      if (lease.pool->owner_ == ::getpid()) lease.pool->give_back(lease.slot);
    }
  }

  static ThreadRings& of_this_thread() {
    thread_local ThreadRings rings;
    return rings;
  }

  RingSlot* held(const RingPool& pool) const {
    const auto found =
        std::ranges::find(leases_, &pool, [](const Lease& l) { return l.pool.get(); });
    return found == leases_.end() ? nullptr : found->slot;
  }

  RingSlot* lease(RingPool& pool) {
    recent_pool = nullptr;
    // Pools that only this list keeps alive belong to recorders that are gone.
    std::erase_if(leases_, [](const Lease& lease) { return lease.pool.use_count() == 1; });
    auto found = std::ranges::find(leases_, &pool, [](const Lease& l) { return l.pool.get(); });
    if (found == leases_.end()) {
      RingSlot* slot = pool.lease();
      if (slot == nullptr) return nullptr;
      found = leases_.insert(leases_.end(), Lease{pool.shared_from_this(), slot});
    }
    recent_slot = found->slot;
    recent_pool = &pool;
    return recent_slot;
  }

  // A pool that is here is alive, because leases_ owns it; so no other can have its address.
  static inline constinit thread_local const RingPool* recent_pool = nullptr;
  static inline constinit thread_local RingSlot* recent_slot = nullptr;
  static inline constinit thread_local bool ended = false;

 private:
  struct Lease {
    std::shared_ptr<RingPool> pool;
    RingSlot* slot;
  };
  std::vector<Lease> leases_;
};
RingSlot* RingPool::held_by_this_thread() const {
  if (ThreadRings::recent_pool == this) return ThreadRings::recent_slot;
  return ThreadRings::ended ? nullptr : ThreadRings::of_this_thread().held(*this);
}

RingSlot* RingPool::of_this_thread() {
  if (ThreadRings::recent_pool == this) return ThreadRings::recent_slot;
  return ThreadRings::ended ? nullptr : ThreadRings::of_this_thread().lease(*this);
}

RingPool::RingPool(std::string directory, std::size_t ring_bytes)
    : directory_(std::move(directory)), ring_bytes_(ring_bytes), owner_(::getpid()) {}

Result<RingPool::Opened> RingPool::open(const std::string& directory, std::size_t ring_bytes) {
  const std::string rings = directory + "/rings";
  if (auto made = make_directories(rings); !made) return std::unexpected(made.error());
  std::shared_ptr<RingPool> pool(new RingPool(rings, ring_bytes));
  auto damaged = pool->adopt_left_rings();
  if (!damaged) return std::unexpected(damaged.error());
  auto shared = pool->add_ring();
  if (!shared) return std::unexpected(shared.error());
  pool->shared_ = *shared;
  return Opened{std::move(pool), std::move(*damaged)};
}

Result<std::vector<std::string>> RingPool::adopt_left_rings() {
  const auto numbers = list_rings(directory_);
  if (!numbers) return std::unexpected(numbers.error());
  std::vector<std::string> damaged;
  for (const std::uint32_t number : *numbers) {
    last_number_ = number;
    auto adopted = adopt(number);
    if (!adopted) return std::unexpected(adopted.error());
    if (!*adopted) damaged.push_back(ring_path(number));
  }
  return damaged;
}

// False when the file is no ring.
Result<bool> RingPool::adopt(std::uint32_t number) {
  const std::string path = ring_path(number);
  auto ring = Ring::open(path);
  if (ring) {
    slots_.push_back(std::make_unique<RingSlot>(std::move(*ring), RingSlot::Holder::kWriter));
    slots_.back()->adopted = true;
    return true;
  }
  if (is_unfinished(path)) {
    ::unlink(path.c_str());
    return true;
  }
  log_warning("audit", "{}; kept as {}.damaged", ring.error().what, path);
  if (::rename(path.c_str(), (path + ".damaged").c_str()) != 0) {
    return std::unexpected(errno_error("rename", path));
  }
  return false;
}

std::string RingPool::ring_path(std::uint32_t number) const {
  return path_of_ring(directory_, number);
}

std::size_t RingPool::count_waiting(const std::string& directory) {
  const std::string rings = directory + "/rings";
  const auto numbers = list_rings(rings);
  if (!numbers) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(*numbers, [&](std::uint32_t number) {
    const auto ring = Ring::open(path_of_ring(rings, number));
    return ring && !ring->empty();
  }));
}

Result<RingSlot*> RingPool::add_ring() {
  const std::uint32_t number = last_number_ + 1;
  auto ring = Ring::create(ring_path(number), number, ring_bytes_);
  if (!ring) return std::unexpected(ring.error());
  last_number_ = number;
  slots_.push_back(std::make_unique<RingSlot>(std::move(*ring), RingSlot::Holder::kThread));
  return slots_.back().get();
}

RingSlot* RingPool::lease() {
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot->holder == RingSlot::Holder::kNobody) {
      slot->holder = RingSlot::Holder::kThread;
      return slot.get();
    }
  }
  if (slots_.size() >= kMaxRings) return nullptr;
  auto added = add_ring();
  if (!added) {
    log_warning("audit", "no ring for this thread, it shares one: {}", added.error().what);
    return nullptr;
  }
  return *added;
}

void RingPool::give_back(RingSlot* slot) {
  const std::lock_guard lock(mutex_);
  slot->holder = RingSlot::Holder::kWriter;
}

void RingPool::list(std::vector<RingSlot*>& out) {
  const std::lock_guard lock(mutex_);
  out.clear();
  for (const auto& slot : slots_) out.push_back(slot.get());
}

void RingPool::recycle() {
  const std::lock_guard lock(mutex_);
  std::erase_if(slots_, [](const auto& slot) {
    if (slot->holder != RingSlot::Holder::kWriter || !is_done(*slot)) return false;
    slot->holder = RingSlot::Holder::kNobody;
    if (slot->adopted) ::unlink(slot->ring.path().c_str());
    return slot->adopted;
  });
}

bool RingPool::has_records() {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(slots_, [](const auto& slot) { return !slot->ring.empty(); });
}

std::uint64_t RingPool::accepted() {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot->accepted.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t RingPool::dropped() {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot->dropped.load(std::memory_order_relaxed);
  return sum;
}

void RingPool::close() {
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (is_done(*slot)) ::unlink(slot->ring.path().c_str());
  }
}

}  // namespace agentsh::audit
