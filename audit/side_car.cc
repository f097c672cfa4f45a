#include "audit/side_car.h"

#include "audit/boot_id.h"
#include "base/file_io.h"
#include "base/json_reader.h"
#include "base/json_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace agentsh::audit {
namespace {

constexpr std::size_t kMaxSideCarBytes = 4096;
constexpr std::size_t kLivePageBytes = 4096;

std::string live_path(const std::string& directory) {
  return directory + "/audit-head.live";
}

std::string side_car_mac(const ChainKey& key, std::uint64_t sequence, std::string_view hash,
                         std::string_view updated_at) {
  return std::string(
      as_view(key.sign({"side-car|2|", std::to_string(sequence), "|", hash, "|", updated_at})));
}

bool to_hash(std::string_view text, HexHash& out) {
  if (text.size() != out.size()) return false;
  std::ranges::copy(text, out.begin());
  return true;
}

// One of the two places of the live page; they are written in turn, so one is always whole.
struct LiveSlot {
  BootId boot_id;
  std::uint64_t sequence;
  HexHash hash;
  HexHash mac;  // Of everything before it. A torn slot fails it too.
};
static_assert(2 * sizeof(LiveSlot) <= kLivePageBytes);

HexHash slot_mac(const ChainKey& key, const LiveSlot& slot) {
  return key.sign({"live|2|", std::string_view(slot.boot_id.data(), slot.boot_id.size()), "|",
                   std::to_string(slot.sequence), "|", as_view(slot.hash)});
}

LiveSlot read_slot(const std::string& page, unsigned index) {
  LiveSlot slot;
  std::memcpy(&slot, page.data() + index * sizeof slot, sizeof slot);
  return slot;
}

}  // namespace

std::string side_car_path(const std::string& directory) {
  return directory + "/audit-head.json";
}

Result<SideCar> parse_side_car(std::string_view text) {
  auto document = JsonDocument::parse(text, {.max_bytes = kMaxSideCarBytes, .max_depth = 4});
  if (!document) return fail("not JSON", std::errc::bad_message);
  const JsonValue root = document->root();
  const auto updated_at = parse_rfc3339(root.text("updated_at"));
  SideCar side_car;
  const std::int64_t sequence = root.integer("sequence", -1);
  if (root.integer("format_version") != kIntegrityFormat || sequence < 0 || !updated_at ||
      !to_hash(root.text("prev_hash"), side_car.head.hash)) {
    return fail("not a side-car of format 2", std::errc::bad_message);
  }
  side_car.head.sequence = static_cast<std::uint64_t>(sequence);
  side_car.key_fingerprint = root.text("key_fingerprint");
  side_car.updated_at = *updated_at;
  side_car.mac = root.text("mac");
  return side_car;
}

Result<SideCar> read_side_car(const std::string& directory) {
  const std::string path = side_car_path(directory);
  auto text = read_file(path, kMaxSideCarBytes);
  if (!text) return std::unexpected(text.error());
  auto side_car = parse_side_car(*text);
  if (!side_car) return std::unexpected(with_context(side_car.error(), path));
  return side_car;
}

bool is_authentic(const ChainKey& key, const SideCar& side_car) {
  return same_hash(side_car_mac(key, side_car.head.sequence, as_view(side_car.head.hash),
                                format_rfc3339(side_car.updated_at)),
                   side_car.mac);
}

Result<> write_side_car(const std::string& directory, const ChainKey& key, const ChainHead& head) {
  const std::string updated_at = format_rfc3339(std::chrono::system_clock::now());
  const std::string_view hash = as_view(head.hash);
  JsonWriter json;
  json.begin_object()
      .field("format_version", kIntegrityFormat)
      .field("sequence", head.sequence)
      .field("prev_hash", hash)
      .field("key_fingerprint", std::string_view(key.fingerprint()))
      .field("updated_at", std::string_view(updated_at))
      .field("mac", std::string_view(side_car_mac(key, head.sequence, hash, updated_at)))
      .end_object();
  return write_file_atomic(side_car_path(directory), json.take() + "\n", 0600);
}

Result<LiveHead> LiveHead::open_for_writing(const std::string& directory) {
  auto mapping = SharedMapping::open(live_path(directory), kLivePageBytes);
  if (mapping && mapping->size() == kLivePageBytes) return LiveHead(std::move(*mapping));
  ::unlink(live_path(directory).c_str());
  mapping = SharedMapping::create(live_path(directory), kLivePageBytes);
  if (!mapping) return std::unexpected(mapping.error());
  return LiveHead(std::move(*mapping));
}

std::optional<ChainHead> LiveHead::read(const std::string& directory, const ChainKey& key) {
  // Not mapped: reading takes no write access, and sees what was stored through the mapping.
  const auto page = read_file(live_path(directory), kLivePageBytes);
  if (!page || page->size() != kLivePageBytes) return {};
  std::optional<ChainHead> newest;
  for (unsigned index : {0u, 1u}) {
    const LiveSlot slot = read_slot(*page, index);
    if (!is_current_boot(slot.boot_id)) continue;
    if (!same_hash(as_view(slot_mac(key, slot)), as_view(slot.mac))) continue;
    if (!newest || slot.sequence > newest->sequence) newest = ChainHead{slot.sequence, slot.hash};
  }
  return newest;
}

void LiveHead::remove(const std::string& directory) {
  ::unlink(live_path(directory).c_str());
}

void LiveHead::write(const ChainKey& key, const ChainHead& head) {
  LiveSlot slot{.boot_id = current_boot_id(), .sequence = head.sequence, .hash = head.hash};
  slot.mac = slot_mac(key, slot);
  std::memcpy(mapping_.data() + next_slot_ * sizeof slot, &slot, sizeof slot);
  next_slot_ ^= 1;
}

}  // namespace agentsh::audit
