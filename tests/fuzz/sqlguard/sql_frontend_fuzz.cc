// Bytes of a client: a startup packet, then frames. What parses is written again as the same bytes.
#include "sqlguard/codec/frame.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/codec/startup.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace agentsh;
using namespace agentsh::sql;

void expect_same(Bytes original, const ByteWriter& again) {
  if (!std::ranges::equal(original, again.view())) std::abort();
}

std::size_t startup_packet(Bytes bytes) {
  const auto read = read_startup(bytes);
  if (!read || !*read) return 0;
  ByteWriter out;
  std::visit(
      [&](const auto& packet) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(packet)>, DirectTls>)
          write(packet, out);
      },
      (*read)->packet);
  expect_same(bytes.first((*read)->size), out);
  return (*read)->size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  bytes = bytes.subspan(startup_packet(bytes));
  while (true) {
    const auto frame = read_frame(bytes, Direction::kFrontend);
    if (!frame || !*frame) return 0;
    const auto message = parse_frontend(**frame);
    if (message) {
      ByteWriter out;
      write(*message, out);
      expect_same(bytes.first((*frame)->size), out);
      if (const auto* response = std::get_if<AuthenticationResponse>(&*message)) {
        (void)password(*response);
        (void)sasl_initial(*response);
      }
    }
    bytes = bytes.subspan((*frame)->size);
  }
}
