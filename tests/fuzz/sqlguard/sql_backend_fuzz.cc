// Bytes of a server. The first byte says where the stream is cut for the walker, which must see the
// frames that reading them whole does; what parses is written again as the same bytes.
#include "sqlguard/codec/frame.h"
#include "sqlguard/codec/messages.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace agentsh;
using namespace agentsh::sql;

std::string walked(Bytes stream, std::size_t piece) {
  FrameWalker walker(Direction::kBackend);
  std::string types;
  while (!stream.empty()) {
    const Bytes next = stream.first(std::min(piece, stream.size()));
    const auto done = walker.walk(next, [&](FrameHeader header, std::ptrdiff_t) {
      types += header.type;
      return true;
    });
    if (!done) return types + "!";
    stream = stream.subspan(next.size());
  }
  return types;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes bytes(data + 1, size - 1);
  if (walked(bytes, 1 + data[0]) != walked(bytes, bytes.size() + 1)) std::abort();
  while (true) {
    const auto frame = read_frame(bytes, Direction::kBackend);
    if (!frame || !*frame) return 0;
    if (const auto message = parse_backend(**frame)) {
      ByteWriter out;
      write(*message, out);
      if (!std::ranges::equal(bytes.first((*frame)->size), out.view())) std::abort();
    }
    bytes = bytes.subspan((*frame)->size);
  }
}
