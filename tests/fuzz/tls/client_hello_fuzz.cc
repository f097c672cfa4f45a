// Any bytes: no crash, the same result however they are cut, and a name that is canonical.
#include "base/domain.h"
#include "proxy/codec/tls/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using agentsh::Bytes;
using agentsh::tls::ClientHelloParser;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_hello(const agentsh::tls::ClientHello& hello) {
  require(hello.server_name.empty() ||
          agentsh::canonical_host(hello.server_name) == hello.server_name);
  for (const std::string& protocol : hello.alpn) require(!protocol.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes all(data, size);
  ClientHelloParser whole;
  const std::size_t used = whole.feed(all);
  require(used <= size);

  // Cut into pieces whose sizes follow from the input.
  ClientHelloParser pieces;
  std::size_t at = 0;
  for (std::size_t round = 0; at < size && pieces.state() == ClientHelloParser::State::kNeedMore;
       ++round) {
    const std::size_t piece = std::min<std::size_t>(size - at, 1 + data[round % size] % 7);
    at += pieces.feed(all.subspan(at, piece));
  }
  require(pieces.state() == whole.state());
  if (whole.state() == ClientHelloParser::State::kRefused) {
    require(!whole.refusal().what.empty());
    require(whole.refusal().what == pieces.refusal().what);
    return 0;
  }
  require(at == used);
  if (whole.state() != ClientHelloParser::State::kDone) return 0;
  check_hello(whole.hello());
  require(whole.hello().server_name == pieces.hello().server_name);
  require(whole.hello().alpn == pieces.hello().alpn);
  require(whole.hello().versions == pieces.hello().versions);
  return 0;
}
