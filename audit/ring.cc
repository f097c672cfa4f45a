#include "audit/ring.h"

#include "audit/boot_id.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <new>

namespace agentsh::audit {

// The first page of the file. Producer and consumer write different cache lines.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct RingHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t number;
  std::uint64_t capacity;
  std::uint64_t created;
  BootId boot_id;
  alignas(64) std::atomic<std::uint64_t> tail;
  std::atomic<std::uint64_t> last_stamp;
  std::atomic<std::uint64_t> drops;
  alignas(64) std::atomic<std::uint64_t> head;
  std::atomic<std::uint64_t> drops_reported;
};
static_assert(sizeof(RingHeader) <= Ring::kHeaderBytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

namespace {

constexpr std::array<char, 8> kMagic = {'a', 'g', 's', 'h', 'r', 'i', 'n', 'g'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kEvent = 0x746e7665;    // "evnt"
constexpr std::uint32_t kPadding = 0x64646170;  // "padd"

struct RecordHeader {
  std::uint32_t kind;
  std::uint32_t size;  // Of the payload.
  std::uint64_t position;
  std::uint64_t stamp;
  std::array<std::uint32_t, 4> lengths;  // session, command, type, decision; JSON is the rest.
  std::uint64_t checksum;                // Of the header before it and the payload.
};
static_assert(sizeof(RecordHeader) == 48);

constexpr std::uint64_t aligned(std::uint64_t size) {
  return (size + 7) & ~std::uint64_t{7};
}

// Finds torn and stale pages; it need not withstand anybody's intention. Four independent lanes,
// because one would wait for its own multiplication.
class Checksum {
 public:
  void add(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    for (; size >= 32; bytes += 32, size -= 32) {
      for (std::size_t lane = 0; lane < 4; ++lane) mix(lane, load(bytes + 8 * lane, 8));
    }
    for (; size >= 8; bytes += 8, size -= 8) mix(0, load(bytes, 8));
    if (size > 0) mix(1, load(bytes, size) ^ std::uint64_t{size} << 56);
  }
  std::uint64_t value() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t lane : lanes_) sum = (sum ^ lane) * kFactor ^ sum >> 29;
    return sum;
  }

 private:
  static constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  static std::uint64_t load(const std::uint8_t* bytes, std::size_t count) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, count);
    return word;
  }
  void mix(std::size_t lane, std::uint64_t word) {
    lanes_[lane] = (lanes_[lane] ^ word) * kFactor;
    lanes_[lane] ^= lanes_[lane] >> 32;
  }
  std::array<std::uint64_t, 4> lanes_ = {1, 2, 3, 4};
};

std::uint64_t checksum_of(const RecordHeader& header, const std::uint8_t* payload) {
  Checksum sum;
  sum.add(&header, offsetof(RecordHeader, checksum));
  sum.add(payload, header.size);
  return sum.value();
}

// Cuts the payload into the texts of a record. False when the lengths do not fit together or the
// JSON could not be one line of the log.
bool split_payload(const RecordHeader& header, const std::uint8_t* payload, RingRecord& out) {
  std::string_view rest(reinterpret_cast<const char*>(payload), header.size);
  for (std::size_t i = 0;
       auto* part : {&out.session_id, &out.command_id, &out.type, &out.decision}) {
    const std::uint32_t length = header.lengths[i++];
    if (length > rest.size()) return false;
    *part = rest.substr(0, length);
    rest.remove_prefix(length);
  }
  out.json = rest;
  return rest.size() > 2 && rest.front() == '{' && rest.back() == '}' &&
         rest.find('\n') == std::string_view::npos;
}

// The record at `position`, of which `room` bytes can be read. Returns its whole size, 0 when there
// is no intact record. `out.json` is empty for padding.
std::uint64_t read_record(const std::uint8_t* place, std::uint64_t room, std::uint64_t position,
                          RingRecord& out) {
  if (room < sizeof(RecordHeader)) return 0;
  RecordHeader header;
  std::memcpy(&header, place, sizeof header);
  const std::uint64_t total = sizeof header + aligned(header.size);
  if (header.position != position || total > room) return 0;
  const std::uint8_t* payload = place + sizeof header;
  if (header.kind == kPadding) {
    // Its payload is whatever was there before.
    out.json = {};
    const std::uint32_t size = std::exchange(header.size, 0);
    const bool intact = checksum_of(header, payload) == header.checksum && total == room;
    return intact ? sizeof header + size : 0;
  }
  if (header.kind != kEvent || checksum_of(header, payload) != header.checksum) return 0;
  out.stamp = header.stamp;
  return split_payload(header, payload, out) ? total : 0;
}

}  // namespace

std::uint64_t scan_records(Bytes data, std::uint64_t head, std::uint64_t tail,
                           std::vector<RingRecord>& out) {
  const std::uint64_t mask = data.size() - 1;
  std::uint64_t skipped = 0;
  std::uint64_t position = head;
  while (position < tail) {
    const std::uint64_t contiguous = data.size() - (position & mask);
    if (contiguous < sizeof(RecordHeader)) {
      position += contiguous;
      continue;
    }
    RingRecord record;
    const std::uint64_t room = std::min(contiguous, tail - position);
    const std::uint64_t size = read_record(data.data() + (position & mask), room, position, record);
    if (size == 0) {
      position += 8;
      skipped += 8;
      continue;
    }
    position += size;
    record.end = position;
    if (!record.json.empty()) out.push_back(record);
  }
  return skipped;
}

Result<> check_ring_image(Bytes image) {
  if (image.size() < Ring::kHeaderBytes + kMinRingBytes) return fail("too short for a ring");
  const auto& header = *reinterpret_cast<const RingHeader*>(image.data());
  if (header.magic != kMagic || header.version != kVersion) return fail("not a ring of version 1");
  const std::uint64_t capacity = image.size() - Ring::kHeaderBytes;
  if (header.capacity != capacity || !std::has_single_bit(capacity)) {
    return fail("its header states another size");
  }
  const std::uint64_t head = header.head.load(std::memory_order_acquire);
  const std::uint64_t tail = header.tail.load(std::memory_order_acquire);
  if (head > tail || tail - head > capacity || head % 8 != 0 || tail % 8 != 0 ||
      tail > UINT64_MAX / 2) {
    return fail("its positions contradict each other");
  }
  return {};
}

Ring::Ring(SharedMapping mapping, std::string path)
    : mapping_(std::move(mapping)), path_(std::move(path)), pushed_(tail()), seen_head_(head()) {}

RingHeader& Ring::header() const {
  return *reinterpret_cast<RingHeader*>(mapping_.data());
}

Result<Ring> Ring::create(const std::string& path, std::uint32_t number, std::size_t capacity) {
  capacity = std::bit_ceil(std::clamp(capacity, kMinRingBytes, kMaxRingBytes));
  auto mapping = SharedMapping::create(path, kHeaderBytes + capacity);
  if (!mapping) return std::unexpected(mapping.error());
  auto* header = new (mapping->data()) RingHeader{};
  header->version = kVersion;
  header->number = number;
  header->capacity = capacity;
  header->created = static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  header->boot_id = current_boot_id();
  // A file with the magic number has everything else, wherever the process is killed.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  header->magic = kMagic;
  return Ring(std::move(*mapping), path);
}

Result<Ring> Ring::open(const std::string& path) {
  auto mapping = SharedMapping::open(path, kHeaderBytes + kMaxRingBytes);
  if (!mapping) return std::unexpected(mapping.error());
  if (auto checked = check_ring_image(mapping->bytes()); !checked) {
    return std::unexpected(with_context(checked.error(), path));
  }
  return Ring(std::move(*mapping), path);
}

std::uint32_t Ring::number() const {
  return header().number;
}

std::size_t Ring::max_json() const {
  return std::min<std::size_t>(capacity() / 4, 256 << 10);
}

bool Ring::same_boot() const {
  return is_current_boot(header().boot_id);
}

bool Ring::push(const RingRecord& record) {
  const std::string_view parts[] = {record.session_id, record.command_id, record.type,
                                    record.decision, record.json};
  std::size_t payload_size = 0;
  for (const std::string_view part : parts) payload_size += part.size();
  const std::uint64_t size = sizeof(RecordHeader) + aligned(payload_size);
  const std::uint64_t contiguous = capacity() - (pushed_ & (capacity() - 1));
  const std::uint64_t padding = contiguous < size ? contiguous : 0;
  if (size + padding > capacity() - (pushed_ - seen_head_)) {
    seen_head_ = header().head.load(std::memory_order_acquire);
    if (size + padding > capacity() - (pushed_ - seen_head_)) return false;
  }
  if (padding >= sizeof(RecordHeader)) {
    RecordHeader pad{.kind = kPadding, .size = 0, .position = pushed_};
    pad.checksum = checksum_of(pad, nullptr);
    pad.size = static_cast<std::uint32_t>(padding - sizeof pad);
    std::memcpy(data() + (pushed_ & (capacity() - 1)), &pad, sizeof pad);
  }
  const std::uint64_t position = pushed_ + padding;
  std::uint8_t* place = data() + (position & (capacity() - 1));
  RecordHeader made{.kind = kEvent,
                    .size = static_cast<std::uint32_t>(payload_size),
                    .position = position,
                    .stamp = record.stamp};
  std::uint8_t* payload = place + sizeof made;
  std::uint8_t* cursor = payload;
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    if (i < made.lengths.size()) made.lengths[i] = static_cast<std::uint32_t>(parts[i].size());
    cursor = std::copy(parts[i].begin(), parts[i].end(), cursor);
  }
  made.checksum = checksum_of(made, payload);
  std::memcpy(place, &made, sizeof made);
  header().last_stamp.store(record.stamp, std::memory_order_relaxed);
  pushed_ = position + size;
  // Sequentially consistent: the producer looks at the writer's sleep flag after this store, the
  // writer at the tail after its own.
  header().tail.store(pushed_, std::memory_order_seq_cst);
  return true;
}

bool Ring::half_full() {
  if (pushed_ - seen_head_ <= capacity() / 2) return false;
  seen_head_ = head();
  return pushed_ - seen_head_ > capacity() / 2;
}
std::uint64_t Ring::created() const {
  return header().created;
}
void Ring::count_drop() {
  header().drops.fetch_add(1, std::memory_order_seq_cst);
}
std::uint64_t Ring::last_stamp() const {
  return header().last_stamp.load(std::memory_order_relaxed);
}
std::uint64_t Ring::collect(std::vector<RingRecord>& out, std::uint64_t& damaged) const {
  const std::uint64_t end = tail();
  damaged += scan_records({data(), capacity()}, head(), end, out);
  return end;
}
void Ring::release(std::uint64_t position) {
  // Sequentially consistent: the writer looks for waiting producers after this store.
  header().head.store(position, std::memory_order_seq_cst);
}
std::uint64_t Ring::tail() const {
  return header().tail.load(std::memory_order_seq_cst);
}
std::uint64_t Ring::head() const {
  return header().head.load(std::memory_order_seq_cst);
}
std::uint64_t Ring::drops() const {
  return header().drops.load(std::memory_order_seq_cst);
}
std::uint64_t Ring::drops_reported() const {
  return header().drops_reported.load(std::memory_order_relaxed);
}
void Ring::set_drops_reported(std::uint64_t count) {
  header().drops_reported.store(count, std::memory_order_relaxed);
}

}  // namespace agentsh::audit
