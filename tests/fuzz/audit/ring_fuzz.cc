// What a start reads from rings that a killed process or a power cut left: any bytes.
//
// The input is taken twice: as a raw image, and as a script that fills a real ring and then damages
// it, because no fuzzer guesses checksums.
#include "audit/ring.h"
#include "base/bytes.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace agentsh;
using namespace agentsh::audit;

void require(bool condition) {
  if (!condition) std::abort();
}

void scan(Bytes data, std::uint64_t head, std::uint64_t tail) {
  std::vector<RingRecord> records;
  const std::uint64_t skipped = scan_records(data, head, tail, records);
  require(skipped <= tail - head + 8);
  std::uint64_t last = head;
  for (const RingRecord& record : records) {
    require(record.end > last && record.end <= tail);
    last = record.end;
    require(record.json.size() > 2 && record.json.find('\n') == std::string_view::npos);
    for (const std::string_view part :
         {record.session_id, record.command_id, record.type, record.decision, record.json}) {
      const auto* start = reinterpret_cast<const std::uint8_t*>(part.data());
      require(start >= data.data() && start + part.size() <= data.data() + data.size());
    }
  }
}

void scan_raw(Bytes input) {
  ByteReader reader(input);
  const std::uint64_t head = std::uint64_t{reader.u32()} * 8;
  const std::uint64_t length = std::uint64_t{reader.u16()} * 8;
  std::vector<std::uint8_t> data(kMinRingBytes);
  const Bytes rest = reader.bytes(std::min(reader.remaining(), data.size()));
  std::ranges::copy(rest, data.begin());
  scan(data, head, head + std::min<std::uint64_t>(length, data.size()));
  static_cast<void>(check_ring_image(input));
}

// A real ring, and a descriptor to read its file by.
struct Target {
  Ring ring;
  UniqueFd file;
};

Target& target() {
  static Target made = [] {
    const std::string path = "/tmp/audit-ring-fuzz-" + std::to_string(::getpid());
    auto created = Ring::create(path, 1, kMinRingBytes);
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ::unlink(path.c_str());
    require(created.has_value() && file);
    return Target{std::move(*created), std::move(file)};
  }();
  return made;
}

void scan_damaged(Bytes input) {
  ByteReader reader(input);
  Ring& ring = target().ring;
  ring.release(ring.tail());
  const std::uint64_t head = ring.head();
  static std::uint64_t stamp = 0;
  for (int records = reader.u8() % 32; records > 0 && reader.ok(); --records) {
    std::string json = "{\"a\":" + std::string(as_text(reader.vector8())) + "}";
    std::ranges::replace(json, '\n', ' ');
    const std::string session(as_text(reader.vector8()));
    require(ring.push({.stamp = ++stamp, .session_id = session, .json = json}));
  }
  const std::uint64_t tail = ring.tail();
  std::vector<RingRecord> intact;
  std::uint64_t unreadable = 0;
  ring.collect(intact, unreadable);
  require(unreadable == 0);

  static std::vector<std::uint8_t> image(kMinRingBytes);
  require(::pread(target().file.get(), image.data(), image.size(), Ring::kHeaderBytes) ==
          static_cast<ssize_t>(image.size()));
  while (reader.remaining() >= 3) {
    const std::uint64_t at = (head + reader.u16()) % image.size();
    image[at] = reader.u8();
  }
  scan(image, head, tail);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  scan_raw({data, size});
  scan_damaged({data, size});
  return 0;
}
