// WebSocket messages do not depend on how the bytes arrive, and what is written again is read as
// the same messages.
#include "proxy/codec/websocket/message_writer.h"
#include "tests/fuzz/http/cuts.h"

#include <cstdlib>
#include <tuple>

namespace agentsh::websocket {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

using Seen = std::tuple<Opcode, std::string, std::uint16_t>;

struct Run {
  std::vector<Seen> messages;
  std::string written;
  Failure failure = Failure::kNone;
};

Run read(const std::vector<std::string_view>& pieces, Sender sender,
         const std::optional<DeflateParameters>& deflate) {
  MessageReader reader(sender, deflate, 64 << 10);
  MessageWriter writer(sender, deflate);
  Run run;
  Message message;
  for (std::string_view piece : pieces) {
    reader.feed(piece);
    while (reader.next(message) == Step::kMessage) {
      run.messages.emplace_back(message.opcode, message.payload, message.code);
      writer.write(message, {1, 2, 3, 4}, run.written);
    }
  }
  run.failure = reader.failure();
  return run;
}

}  // namespace
}  // namespace agentsh::websocket

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh::websocket;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Sender sender = (data[0] & 1) != 0 ? Sender::kClient : Sender::kServer;
  std::optional<DeflateParameters> deflate;
  if ((data[0] & 2) != 0) {
    const auto bits = static_cast<std::uint8_t>(8 + (data[0] >> 3) % 8);
    const bool fresh = (data[0] & 4) != 0;
    deflate = {fresh, fresh, bits, bits};
  }
  const Run whole = read({bytes}, sender, deflate);
  const Run pieces = read(agentsh::http::cut(bytes, data[0]), sender, deflate);
  require(whole.messages == pieces.messages && whole.failure == pieces.failure);
  const Run again = read({whole.written}, sender, deflate);
  require(again.messages == whole.messages && again.failure == Failure::kNone);
  return 0;
}
