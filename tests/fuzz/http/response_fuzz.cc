// Responses: the answer does not depend on how the bytes arrive, and what is forwarded is read the
// same again. The first byte chooses the request that is answered.
#include "tests/fuzz/http/cuts.h"
#include "tests/unit/http/request_pipe.h"

#include <cstdlib>

namespace agentsh::http {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void run(std::string_view text, std::uint32_t seed) {
  const ResponseContext context{.head = (seed & 1) != 0, .websocket = (seed & 2) != 0};
  const bool close = (seed & 4) != 0;
  ResponsePipe whole(context);
  whole.feed(text);
  if (close) whole.close();
  ResponsePipe pieces(context);
  for (std::string_view piece : cut(text, seed)) pieces.feed(piece);
  if (close) pieces.close();
  require(whole.refusal() == pieces.refusal());
  require(whole.messages() == pieces.messages());
  require(whole.output() == pieces.output());
  require(whole.rest() == pieces.rest());
  if (!whole.done()) return;

  ResponsePipe again(context);
  again.feed(whole.output());
  again.close();
  require(again.refusal() == Refusal::kNone);
  require(again.messages() == whole.messages());
}

}  // namespace
}  // namespace agentsh::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  agentsh::http::run(text, data[0]);
  return 0;
}
