// Event streams of AWS: messages do not depend on how the bytes arrive, and writing one again gives
// its bytes. The input's messages are given right checksums first, or nothing would pass them.
#include "proxy/codec/event_stream/decoder.h"
#include "proxy/codec/event_stream/encoder.h"
#include "tests/fuzz/http/cuts.h"

#include <cstdlib>

namespace agentsh::event_stream {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void put_checksum(std::string& bytes, std::size_t from, std::size_t at) {
  const std::uint32_t sum = crc32(std::string_view(bytes).substr(from, at - from));
  for (int i = 0; i < 4; ++i)
    bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(sum >> (24 - 8 * i));
}

std::string with_checksums(std::string_view input) {
  std::string bytes(input);
  for (std::size_t at = 0; bytes.size() - at >= kOverheadBytes;) {
    const auto total = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[at + 2]) << 8 |
                                                static_cast<std::uint8_t>(bytes[at + 3]));
    put_checksum(bytes, at, at + 8);
    if (total < kOverheadBytes || total > bytes.size() - at) break;
    put_checksum(bytes, at, at + total - 4);
    at += total;
  }
  return bytes;
}

struct Run {
  std::string raw;
  std::size_t messages = 0;
  Step last = Step::kNeedMore;
};

Run decode(const std::vector<std::string_view>& pieces) {
  Run run;
  Decoder decoder;
  Message message;
  for (std::string_view piece : pieces) {
    decoder.feed(piece);
    while ((run.last = decoder.next(message)) == Step::kMessage) {
      ++run.messages;
      run.raw += message.raw;
      std::string headers;
      write_headers(message.headers, headers);
      std::string again;
      require(write_message(headers, message.payload, again));
      require(again == message.raw);
    }
  }
  return run;
}

}  // namespace
}  // namespace agentsh::event_stream

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh::event_stream;
  if (size == 0) return 0;
  const std::string bytes = with_checksums({reinterpret_cast<const char*>(data) + 1, size - 1});
  const Run whole = decode({bytes});
  const Run pieces = decode(agentsh::http::cut(bytes, data[0]));
  require(whole.raw == pieces.raw && whole.messages == pieces.messages);
  require(whole.last == pieces.last);
  require(bytes.starts_with(whole.raw));
  return 0;
}
