// The rings of one recorder: each thread that records leases one, and gives it back when it ends.
// The writer empties a ring that was given back, then another thread may have it. Threads that come
// when no ring can be made (a full disk, too many threads) share one under a lock.
//
// Files: <directory>/rings/ring-0001 and so on. Rings that a killed process left are found by
// open() and emptied by the writer like any other; close() removes empty ones.
//
// Threads: as said per function. Lifetime: shared between the recorder and the threads that hold a
// lease, so that neither has to outlive the other.
#pragma once

#include "audit/ring.h"
#include "base/result.h"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace agentsh::audit {

// One ring and who has it.
struct RingSlot {
  enum class Holder { kNobody, kThread, kWriter };

  RingSlot(Ring owned, Holder first_holder) : ring(std::move(owned)), holder(first_holder) {}

  Ring ring;
  Holder holder;                            // Guarded by the pool's mutex.
  bool adopted = false;                     // Left by another process: emptied, then removed.
  std::atomic<std::uint64_t> accepted = 0;  // By this process; written by the producer only.
  std::atomic<std::uint64_t> dropped = 0;   // The same for drops.
};

class RingPool : public std::enable_shared_from_this<RingPool> {
 public:
  struct Opened {
    std::shared_ptr<RingPool> pool;
    std::vector<std::string> damaged;  // Files that are no rings; they were renamed to *.damaged.
  };
  // Finds what is there and makes the shared ring.
  static Result<Opened> open(const std::string& directory, std::size_t ring_bytes);

  // How many rings in `directory` hold records that are not yet in the log. Changes nothing.
  static std::size_t count_waiting(const std::string& directory);

  // The calling thread's ring; leases one at the first call. nullptr when there is none to have:
  // then shared() is to be used under shared_mutex().
  RingSlot* of_this_thread();
  RingSlot& shared() { return *shared_; }
  std::mutex& shared_mutex() { return shared_mutex_; }

  // The ring that this thread has by now, or nullptr. Never leases.
  RingSlot* held_by_this_thread() const;

  // All rings, in order of their numbers. By the writer.
  void list(std::vector<RingSlot*>& out);
  // Makes rings that were given back and are empty available again, and removes empty adopted ones:
  // what list() gave must not be used after it. By the writer.
  void recycle();

  // Some ring holds records now.
  bool has_records();
  // Counts over the life of this process.
  std::uint64_t accepted();
  std::uint64_t dropped();

  // Removes the files of empty rings. No thread may record any more.
  void close();

 private:
  friend class ThreadRings;
  RingPool(std::string directory, std::size_t ring_bytes);
  RingSlot* lease();
  void give_back(RingSlot* slot);
  Result<RingSlot*> add_ring();
  Result<std::vector<std::string>> adopt_left_rings();
  Result<bool> adopt(std::uint32_t number);
  std::string ring_path(std::uint32_t number) const;

  static constexpr std::size_t kMaxRings = 512;

  const std::string directory_;
  const std::size_t ring_bytes_;
  const pid_t owner_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<RingSlot>> slots_;
  std::uint32_t last_number_ = 0;
  RingSlot* shared_ = nullptr;
  std::mutex shared_mutex_;
};

}  // namespace agentsh::audit
