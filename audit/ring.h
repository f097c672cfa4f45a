// A ring of rendered events in a shared file mapping, with one producer and one consumer.
//
// A record is written whole, then the ring's tail is moved past it: that store is the commit mark.
// The process may be killed between any two instructions; what lies before the tail is complete.
// After a power cut the kernel may have kept some pages and not others, so each record also carries
// its absolute position and a checksum, and reading goes on with the next intact record.
//
// File: one page of header, then `capacity` bytes (a power of two). Positions count bytes since the
// ring was made and never wrap; position % capacity is the place. Records are contiguous and 8-byte
// aligned; what does not fit before the end is skipped with a padding record.
//
// Threads: push() and count_drop() by the producer, the rest by the consumer. Handing a ring to
// another producer needs synchronisation outside (RingPool).
#pragma once

#include "audit/shared_mapping.h"
#include "base/bytes.h"
#include "base/result.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::audit {

inline constexpr std::size_t kMinRingBytes = 64 << 10;
inline constexpr std::size_t kMaxRingBytes = 1u << 30;

// One event as it lies in a ring. The texts in front of the JSON repeat members of it, for
// subscribers.
struct RingRecord {
  std::uint64_t stamp = 0;  // Nanoseconds since 1970, strictly rising within a ring.
  std::string_view session_id;
  std::string_view command_id;
  std::string_view type;
  std::string_view decision;
  std::string_view json;
  std::uint64_t end = 0;  // Position after the record; set by collect().
};

struct RingHeader;

// Appends the records in [head, tail) of `data` (the ring without its header) to `out`; they are
// views into `data`. Returns how many bytes had to be skipped because they are no intact record.
// Precondition: data.size() is a power of two of at least kMinRingBytes.
std::uint64_t scan_records(Bytes data, std::uint64_t head, std::uint64_t tail,
                           std::vector<RingRecord>& out);

// The header's numbers make sense for an image of this size. `image` may be anything.
Result<> check_ring_image(Bytes image);

class Ring {
 public:
  // Makes the file. `capacity` is rounded up to a power of two within the bounds above.
  static Result<Ring> create(const std::string& path, std::uint32_t number, std::size_t capacity);
  // Opens what another run left. Fails when the header is damaged.
  static Result<Ring> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::uint32_t number() const;
  std::size_t capacity() const { return mapping_.size() - kHeaderBytes; }
  // The largest JSON that the owner should push: a quarter of the ring, at most 256 KiB.
  std::size_t max_json() const;
  // True when the ring was written since the machine started, so that its header and data are
  // exactly what the processes wrote.
  bool same_boot() const;

  // Copies the record in and commits it. False, and nothing changed, when there is no room.
  bool push(const RingRecord& record);
  // Counts one event that was dropped.
  void count_drop();
  // The stamp of the last record pushed.
  std::uint64_t last_stamp() const;
  // More than half of the ring is waiting for the consumer.
  bool half_full();
  std::uint64_t pushed() const { return pushed_; }
  // When the ring was made, in nanoseconds since 1970: with its number, a name that no other has.
  std::uint64_t created() const;

  // Appends what is committed and not yet released; views into the mapping, valid until release().
  // Adds unreadable bytes to `damaged`. Returns the position up to which it looked.
  std::uint64_t collect(std::vector<RingRecord>& out, std::uint64_t& damaged) const;
  // Frees everything before `position` for the producer. Kept by the file: a later open() starts
  // there.
  void release(std::uint64_t position);
  std::uint64_t tail() const;
  std::uint64_t head() const;
  bool empty() const { return head() == tail(); }
  // Drops since the file was made, and how many of them were reported. Both survive a crash.
  std::uint64_t drops() const;
  std::uint64_t drops_reported() const;
  void set_drops_reported(std::uint64_t count);

  static constexpr std::size_t kHeaderBytes = 4096;

 private:
  Ring(SharedMapping mapping, std::string path);
  RingHeader& header() const;
  std::uint8_t* data() const { return mapping_.data() + kHeaderBytes; }

  SharedMapping mapping_;
  std::string path_;
  std::uint64_t pushed_ = 0;     // The producer's copy of the tail.
  std::uint64_t seen_head_ = 0;  // The head as the producer last saw it.
};

}  // namespace agentsh::audit
