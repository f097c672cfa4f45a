#include "proxy/net/client_hello_reader.h"

#include "base/time_format.h"
#include "proxy/net/deadlines.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

using State = tls::ClientHelloParser::State;

// Feeds the parser until it has made up its mind. What was read goes to `taken`.
asio::awaitable<Result<>> feed(SocketStream& stream, tls::ClientHelloParser& parser,
                               std::vector<std::uint8_t>& taken) {
  std::array<std::uint8_t, 2048> buffer;
  while (parser.state() == State::kNeedMore) {
    Result<std::size_t> got = co_await read(stream, buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) {
      co_return fail(fmt::format("the client ended after {} bytes of its hello", taken.size()),
                     std::errc::connection_aborted);
    }
    const Bytes fresh = Bytes(buffer).first(*got);
    taken.insert(taken.end(), fresh.begin(), fresh.end());
    parser.feed(fresh);
  }
  co_return Result<>();
}

}  // namespace

asio::awaitable<Result<tls::ClientHello>> read_client_hello(SocketStream& stream,
                                                            std::chrono::milliseconds timeout) {
  tls::ClientHelloParser parser;
  std::vector<std::uint8_t> taken;
  StreamDeadline deadline(stream);
  deadline.expires_after(timeout);
  Result<> fed = co_await feed(stream, parser, taken);
  if (deadline.expired()) {
    co_return fail("no ClientHello within " + format_duration(timeout), std::errc::timed_out);
  }
  stream.unread(taken);
  if (!fed) co_return std::unexpected(fed.error());
  if (parser.state() == State::kRefused) co_return std::unexpected(parser.refusal());
  co_return parser.hello();
}

}  // namespace agentsh::net
