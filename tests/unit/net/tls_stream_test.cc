#include "proxy/net/tls_stream.h"

#include "proxy/net/relay.h"
#include "tests/unit/net/tls_testing.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using test::run_loop;
using ::testing::HasSubstr;

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 253);
  return text;
}

TEST(TlsStream, MovesBytesBothWays) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client) << tls.client.error().what;
  ASSERT_TRUE(tls.server) << tls.server.error().what;
  EXPECT_EQ((*tls.client)->info().version, "TLSv1.3");
  EXPECT_EQ((*tls.client)->info().alpn, "http/1.1");
  EXPECT_EQ((*tls.server)->info().alpn, "http/1.1");
  EXPECT_EQ((*tls.client)->info().peer_subject, "CN = www.example.com");
  EXPECT_EQ((*tls.client)->info().peer_issuer, "O = agentsh, CN = " + tls.authority->name());
  EXPECT_EQ((*tls.server)->info().peer_subject, "");
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.client, as_bytes("request"))));
  EXPECT_EQ(tls.read_up_to(**tls.server, 7).value(), "request");
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.server, as_bytes("response"))));
  EXPECT_EQ(tls.read_up_to(**tls.client, 8).value(), "response");
}

TEST(TlsStream, CloseNotifyEndsOneDirectionOnly) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.client, as_bytes("all I have"))));
  ASSERT_TRUE(run_loop(tls.loop, (*tls.client)->shutdown_write()));
  EXPECT_EQ(tls.read_up_to(**tls.server, 100).value(), "all I have");
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.server, as_bytes("and still an answer"))));
  ASSERT_TRUE(run_loop(tls.loop, (*tls.server)->shutdown_write()));
  EXPECT_EQ(tls.read_up_to(**tls.client, 100).value(), "and still an answer");
}

TEST(TlsStream, AnEndWithoutCloseNotifyIsTruncation) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  // The ticket is read, so that closing is an end and not a reset.
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.server, as_bytes("x"))));
  ASSERT_TRUE(tls.read_up_to(**tls.client, 1));
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.client, as_bytes("half a mess"))));
  (*tls.client)->close();
  EXPECT_EQ(tls.read_up_to(**tls.server, 11).value(), "half a mess");
  auto end = tls.read_up_to(**tls.server, 1);
  ASSERT_FALSE(end);
  EXPECT_TRUE(truncated(end.error().code)) << end.error().what;
}

asio::awaitable<Result<>> accept_and_write(TlsPair& tls, std::unique_ptr<ByteStream> transport,
                                           std::string data) {
  auto stream = co_await accept_tls(tls.servers, std::move(transport), tls.server_options);
  if (!stream) co_return std::unexpected(stream.error());
  Result<> sent = co_await write(**stream, as_bytes(data));
  if (!sent) co_return sent;
  co_return co_await (*stream)->shutdown_write();
}

asio::awaitable<Result<std::string>> connect_and_read(TlsPair& tls,
                                                      std::unique_ptr<ByteStream> transport) {
  auto stream = co_await connect_tls(tls.clients, std::move(transport), tls.client_options);
  if (!stream) co_return std::unexpected(stream.error());
  std::string all;
  std::array<std::uint8_t, 4096> buffer;
  for (;;) {
    auto got = co_await read(**stream, buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return all;
    all += as_text(Bytes(buffer).first(*got));
  }
}

TEST(TlsStream, EverythingWorksOneByteAtATime) {
  using asio::experimental::awaitable_operators::operator&&;
  TlsPair tls;
  auto [one, other] = tls.transports();
  const std::string sent = pattern(50000);
  auto [got, done] = run_loop(
      tls.loop,
      connect_and_read(tls, std::make_unique<LimitedStream>(std::move(one), 1)) &&
          accept_and_write(tls, std::make_unique<LimitedStream>(std::move(other), 1), sent));
  ASSERT_TRUE(done) << done.error().what;
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_TRUE(*got == sent);
}

TEST(TlsStream, LargeTransfersWithBackPressure) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  const std::string sent = pattern(8 << 20);
  asio::co_spawn(tls.loop, write(**tls.server, as_bytes(sent)),
                 [](std::exception_ptr, Result<> done) { EXPECT_TRUE(done); });
  EXPECT_TRUE(tls.read_up_to(**tls.client, sent.size()).value() == sent);
}

TEST(TlsStream, SmallPartsShareARecord) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  const std::array<Bytes, 4> parts{as_bytes("head\r\n"), Bytes{}, as_bytes("\r\n"),
                                   as_bytes("body")};
  const IoResult sent = (*tls.client)->try_write(parts);
  ASSERT_EQ(sent.status, IoStatus::kOk);
  EXPECT_EQ(sent.bytes, 12u);
  ASSERT_TRUE(run_loop(tls.loop, (*tls.server)->wait(Want::kRead)));
  std::array<std::uint8_t, 64> buffer;
  const IoResult got = (*tls.server)->try_read(buffer);
  ASSERT_EQ(got.status, IoStatus::kOk);
  EXPECT_EQ(as_text(Bytes(buffer).first(got.bytes)), "head\r\n\r\nbody");
  EXPECT_EQ((*tls.server)->try_write({}).status, IoStatus::kOk);
}

TEST(TlsStream, WaitingWhileDecryptedBytesAreLeftReturnsAtOnce) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.client, as_bytes("abcdef"))));
  EXPECT_EQ(tls.read_up_to(**tls.server, 3).value(), "abc");
  ASSERT_TRUE(run_loop(tls.loop, (*tls.server)->wait(Want::kRead)));
  EXPECT_EQ(tls.read_up_to(**tls.server, 3).value(), "def");
}

TEST(TlsStream, CloseEndsWaits) {
  TlsPair tls;
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  std::array<std::uint8_t, 8> buffer;
  while ((*tls.client)->try_read(buffer).status == IoStatus::kOk) {
  }
  asio::post(tls.loop, [&] { (*tls.client)->close(); });
  Result<> waited = run_loop(tls.loop, (*tls.client)->wait(Want::kRead));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, std::errc::operation_canceled);
  EXPECT_EQ((*tls.client)->try_read(buffer).error, std::errc::operation_canceled);
  const Bytes data = as_bytes("x");
  EXPECT_EQ((*tls.client)->try_write({&data, 1}).status, IoStatus::kError);
  EXPECT_FALSE(run_loop(tls.loop, (*tls.client)->shutdown_write()));
}

TEST(TlsStream, PutBackHelloIsReadAgain) {
  TlsPair tls;
  auto [client_side, server_side] = tls.transports();
  asio::co_spawn(
      tls.loop, connect_tls(tls.clients, std::move(client_side), tls.client_options),
      [&](std::exception_ptr, Result<TlsPair::StreamPtr> made) { tls.client = std::move(made); });
  std::array<std::uint8_t, 4096> hello;
  auto got = run_loop(tls.loop, read(*server_side, hello));
  ASSERT_TRUE(got);
  server_side->unread(Bytes(hello).first(*got));
  tls.server =
      run_loop(tls.loop, accept_tls(tls.servers, std::move(server_side), tls.server_options));
  ASSERT_TRUE(tls.server) << tls.server.error().what;
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.server, as_bytes("hi"))));
  while (*tls.client == nullptr) tls.loop.run_one();
  EXPECT_EQ(tls.read_up_to(**tls.client, 2).value(), "hi");
}

TEST(TlsStream, InsideTls) {
  TlsPair outer;
  outer.shake();
  ASSERT_TRUE(outer.client && outer.server);
  TlsPair inner;
  // The inner pair's handshake runs on the outer pair's loop.
  using asio::experimental::awaitable_operators::operator&&;
  auto both = run_loop(
      outer.loop, connect_tls(inner.clients, std::move(*outer.client), inner.client_options) &&
                      accept_tls(inner.servers, std::move(*outer.server), inner.server_options));
  auto& [client, server] = both;
  ASSERT_TRUE(client) << client.error().what;
  ASSERT_TRUE(server) << server.error().what;
  const std::string sent = pattern(300000);
  asio::co_spawn(outer.loop, write(**client, as_bytes(sent)), asio::detached);
  EXPECT_TRUE(outer.read_up_to(**server, sent.size()).value() == sent);
}

TEST(TlsStream, ARelayPassesBytesAndTruncationOn) {
  TlsPair near;
  near.shake();
  TlsPair far;
  auto [far_client, far_server] = std::move(stream_pair(near.loop.get_executor()).value());
  using asio::experimental::awaitable_operators::operator&&;
  auto both =
      run_loop(near.loop, connect_tls(far.clients, std::move(far_client), far.client_options) &&
                              accept_tls(far.servers, std::move(far_server), far.server_options));
  auto& [upstream, site] = both;
  ASSERT_TRUE(near.client && near.server && upstream && site);
  RelayCounters counters;
  std::optional<RelayEnd> end;
  asio::co_spawn(near.loop, relay(**near.server, **upstream, {}, counters),
                 [&](std::exception_ptr, RelayEnd how) { end = how; });
  const std::string sent = pattern(1 << 20);
  asio::co_spawn(near.loop, write(**near.client, as_bytes(sent)), asio::detached);
  EXPECT_TRUE(near.read_up_to(**site, sent.size()).value() == sent);
  EXPECT_EQ(counters.a_to_b, sent.size());
  // The site is cut off: the client must not take it for an orderly end.
  ASSERT_TRUE(run_loop(near.loop, write(**site, as_bytes("part"))));
  EXPECT_EQ(near.read_up_to(**near.client, 4).value(), "part");
  (*site)->close();
  auto rest = near.read_up_to(**near.client, 1);
  ASSERT_FALSE(rest);
  while (!end) near.loop.run_one();
  EXPECT_EQ(end->reason, RelayEnd::Reason::kFailed);
  EXPECT_TRUE(truncated(end->error->code)) << end->error->what;
}

TEST(TlsHandshakeRules, OnlyAnUnknownProtocolIsAnAlert) {
  TlsPair tls;
  tls.client_options.alpn = {"h2"};
  tls.shake();
  ASSERT_FALSE(tls.server);
  ASSERT_FALSE(tls.client);
  EXPECT_EQ(tls.server.error().code, TlsErrc::kNoApplicationProtocol) << tls.server.error().what;
  EXPECT_EQ(tls.client.error().code, TlsErrc::kNoApplicationProtocol) << tls.client.error().what;
}

TEST(TlsHandshakeRules, ServersPreferenceDecidesAmongProtocols) {
  TlsPair tls;
  tls.client_options.alpn = {"h2", "http/1.1"};
  tls.server_options.alpn = {"http/1.1", "h2"};
  tls.shake();
  ASSERT_TRUE(tls.client && tls.server);
  EXPECT_EQ((*tls.client)->info().alpn, "http/1.1");
}

TEST(TlsHandshakeRules, ANameOtherThanTheFirstHellosIsRefused) {
  TlsPair tls;
  tls.server_options.server_name = "allowed.example";
  tls.shake();
  ASSERT_FALSE(tls.server);
  EXPECT_EQ(tls.server.error().code, TlsErrc::kServerNameChanged) << tls.server.error().what;
  TlsPair none;
  none.server_options.server_name = "";
  none.shake();
  ASSERT_FALSE(none.server);
  EXPECT_EQ(none.server.error().code, TlsErrc::kServerNameChanged);
}

TEST(TlsHandshakeRules, AddressesAreVerifiedWithoutSni) {
  TlsPair tls;
  tls.server_options.leaf = tls.leaves->mint("192.0.2.1").value();
  tls.server_options.server_name = "";
  tls.client_options.host = "192.0.2.1";
  tls.shake();
  EXPECT_TRUE(tls.client) << tls.client.error().what;
  EXPECT_TRUE(tls.server) << tls.server.error().what;
}

TEST(TlsHandshakeRules, AClientThatDoesNotTrustUsIsNamedAsThat) {
  TlsPair tls;
  const auto other = certs::Authority::generate().value();
  tls.clients =
      ClientContext::create(certs::TrustStore::from_pem(other->certificate_pem()).value()).value();
  tls.shake();
  ASSERT_FALSE(tls.client);
  EXPECT_EQ(tls.client.error().code, TlsErrc::kUnknownAuthority) << tls.client.error().what;
  // In TLS 1.3 the client's alert comes after the server is content: it is seen at the first read.
  if (tls.server) {
    auto got = tls.read_up_to(**tls.server, 1);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, TlsErrc::kCertificateRefused) << got.error().what;
  } else {
    EXPECT_EQ(tls.server.error().code, TlsErrc::kCertificateRefused) << tls.server.error().what;
  }
}

// Lets the client read its tickets, which come after the handshake.
void exchange(TlsPair& tls) {
  ASSERT_TRUE(tls.client) << tls.client.error().what;
  ASSERT_TRUE(tls.server) << tls.server.error().what;
  ASSERT_TRUE(run_loop(tls.loop, write(**tls.server, as_bytes("x"))));
  EXPECT_EQ(tls.read_up_to(**tls.client, 1).value(), "x");
}

TEST(TlsResumption, TheSecondConnectionResumesAlsoAfterAnAbruptClose) {
  TlsPair tls;
  tls.shake();
  exchange(tls);
  EXPECT_FALSE((*tls.client)->info().resumed);
  (*tls.client)->close(true);
  tls.client = nullptr;
  tls.server = nullptr;
  tls.shake();
  exchange(tls);
  EXPECT_TRUE((*tls.client)->info().resumed);
  EXPECT_TRUE((*tls.server)->info().resumed);
}

TEST(TlsResumption, AnotherWorkerWithTheSameKeysRecognisesTheTicket) {
  TlsPair tls;
  const TicketKeys keys = TicketKeys::random();
  tls.servers = ServerContext::create(keys).value();
  tls.shake();
  exchange(tls);
  tls.servers = ServerContext::create(keys).value();
  tls.shake();
  exchange(tls);
  EXPECT_TRUE((*tls.server)->info().resumed);
}

TEST(TlsResumption, AnotherScopeHostOrKeyDoesNot) {
  for (const int what : {0, 1, 2}) {
    TlsPair tls;
    tls.server_options.scope = "session-1";
    tls.shake();
    exchange(tls);
    if (what == 0) tls.server_options.scope = "session-2";
    if (what == 1) tls.servers = ServerContext::create(TicketKeys::random()).value();
    if (what == 2) {
      // A client that offers a ticket of one host for another one.
      const std::string host = "other.example";
      tls.server_options.leaf = tls.leaves->mint(host).value();
      tls.server_options.server_name = host;
      auto session = tls.clients->sessions().take("www.example.com:443 http/1.1");
      ASSERT_TRUE(session);
      tls.clients->sessions().put(host + ":443 http/1.1", std::move(session));
      tls.client_options.host = host;
    }
    tls.shake();
    exchange(tls);
    EXPECT_FALSE((*tls.server)->info().resumed) << what;
  }
}

TEST(TlsSessionCache, IsBounded) {
  TlsSessionCache cache(2);
  TlsPair tls;
  for (int i = 0; i < 3; ++i) {
    tls.shake();
    exchange(tls);
    auto session = tls.clients->sessions().take("www.example.com:443 http/1.1");
    ASSERT_TRUE(session);
    cache.put("host-" + std::to_string(i), std::move(session));
  }
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_FALSE(cache.take("host-0"));
  EXPECT_TRUE(cache.take("host-2"));
  EXPECT_FALSE(cache.take("host-2")) << "a TLS 1.3 ticket is used once";
}

}  // namespace
}  // namespace agentsh::net
