// Requests: the answer does not depend on how the bytes arrive, what is forwarded is read the same
// again, and Beast's own parser agrees about the first message.
#include "tests/fuzz/http/cuts.h"
#include "tests/unit/http/request_pipe.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstdlib>

namespace agentsh::http {
namespace {

namespace bhttp = boost::beast::http;

void require(bool condition) {
  if (!condition) std::abort();
}

void compare_with_beast(const SeenMessage& message, std::string_view forwarded) {
  bhttp::request_parser<bhttp::string_body> parser;
  parser.eager(true);
  parser.header_limit(1 << 20);
  boost::beast::error_code error;
  parser.put(boost::asio::const_buffer(forwarded.data(), forwarded.size()), error);
  require(!error && parser.is_done());
  require(message.content == std::string_view(parser.get().body()));
}

void run(std::string_view text, std::uint32_t seed) {
  RequestPipe whole;
  whole.feed(text);
  RequestPipe pieces;
  for (std::string_view piece : cut(text, seed)) pieces.feed(piece);
  require(whole.refusal() == pieces.refusal());
  require(whole.messages() == pieces.messages());
  require(whole.output() == pieces.output());
  if (whole.messages().empty() || whole.output().empty()) return;

  RequestPipe again;
  again.feed(whole.output());
  require(again.refusal() == Refusal::kNone);
  require(again.output() == whole.output());
  const bool tunnel = whole.messages().front().start.starts_with("CONNECT ");
  if (!tunnel && whole.messages().front().complete) {
    compare_with_beast(whole.messages().front(), whole.output());
  }
}

}  // namespace
}  // namespace agentsh::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  agentsh::http::run(text, data[0]);
  return 0;
}
