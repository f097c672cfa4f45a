// Bytes of a client that logs in at the guard, in pieces that the first byte gives. Nobody gets in
// who does not know the placeholder.
#include "sqlguard/login/client_login.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace agentsh;
using namespace agentsh::sql;

// 0 for more, 1 for a failure, 2 for a login.
int run(Bytes stream, std::size_t piece, bool scram) {
  static const auto verifier = ScramVerifier::of("a placeholder nobody guesses", "salt", 2);
  ClientLogin login({.method = scram ? ClientLoginOptions::Method::kScram
                                     : ClientLoginOptions::Method::kCleartext,
                     .user = "agent",
                     .verifier = verifier,
                     .tls = true,
                     .end_point = {1, 2, 3},
                     .service = "db",
                     .nonce = "server"});
  if (!login.begin()) return 1;
  std::vector<std::uint8_t> buffer;
  while (!stream.empty()) {
    const Bytes next = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(next.size());
    buffer.insert(buffer.end(), next.begin(), next.end());
    const auto step = login.receive(buffer);
    if (!step) return 1;
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(step->taken));
    if (step->done) return 2;
  }
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes stream(data + 1, size - 1);
  const bool scram = data[0] < 0x80;
  const int whole = run(stream, stream.size() + 1, scram);
  if (whole == 2 || whole != run(stream, 1 + data[0] % 16u, scram)) std::abort();
  return 0;
}
