// Bytes of a server that logs us in. The first byte says in which pieces they come: the outcome
// must not depend on it. No server gets in without having shown that it knows the password, unless
// it asks for none.
#include "sqlguard/login/upstream_login.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace agentsh;
using namespace agentsh::sql;

struct Outcome {
  bool failed = false, done = false;
  std::string method;
  std::vector<std::uint8_t> sent;
  bool operator==(const Outcome&) const = default;
};

Outcome run(Bytes stream, std::size_t piece) {
  static const auto password =
      std::make_shared<const SecretText>(SecretText::copy_of("pencil").value());
  UpstreamLogin login({.minor = 2, .parameters = {{"user", "app"}}}, {.password = password,
                                                                      .tls = true,
                                                                      .end_point = {1, 2, 3},
                                                                      .allow_cleartext = true,
                                                                      .maximum_iterations = 100,
                                                                      .nonce = "client"});
  Outcome outcome;
  std::vector<std::uint8_t> buffer;
  while (!stream.empty() && !outcome.failed && !outcome.done) {
    const Bytes next = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(next.size());
    buffer.insert(buffer.end(), next.begin(), next.end());
    const auto step = login.receive(buffer);
    if (!step) {
      outcome.failed = true;
      break;
    }
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(step->taken));
    outcome.sent.insert(outcome.sent.end(), step->send.begin(), step->send.end());
    outcome.done = step->done;
  }
  // What was sent before a failure in the same piece is not sent at all.
  if (outcome.failed) outcome.sent.clear();
  outcome.method = login.method();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes stream(data + 1, size - 1);
  const Outcome whole = run(stream, stream.size() + 1);
  if (whole != run(stream, 1 + data[0] % 16u)) std::abort();
  // The nonce and the salt are known to the fuzzer, the password is not in its dictionary.
  if (whole.done && whole.method.starts_with("scram")) std::abort();
  return 0;
}
