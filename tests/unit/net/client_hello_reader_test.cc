#include "proxy/net/client_hello_reader.h"

#include "proxy/codec/tls/alert.h"
#include "tests/unit/net/tls_testing.h"

#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;
using ::testing::HasSubstr;

TEST(ClientHelloReader, TheWholeWayOfAnInterceptedConnection) {
  TlsPair tls;
  auto [client_side, server_side] = tls.transports();
  asio::co_spawn(
      tls.loop, connect_tls(tls.clients, std::move(client_side), tls.client_options),
      [&](std::exception_ptr, Result<TlsPair::StreamPtr> made) { tls.client = std::move(made); });
  auto hello = run_loop(tls.loop, read_client_hello(*server_side, milliseconds(5000)));
  ASSERT_TRUE(hello) << hello.error().what;
  EXPECT_EQ(hello->server_name, "www.example.com");
  EXPECT_TRUE(hello->offers_protocol("http/1.1"));
  EXPECT_TRUE(server_side->has_unread());
  tls.server_options.server_name = hello->server_name;
  tls.server =
      run_loop(tls.loop, accept_tls(tls.servers, std::move(server_side), tls.server_options));
  ASSERT_TRUE(tls.server) << tls.server.error().what;
}

TEST(ClientHelloReader, PutsBackWhatIsNoHello) {
  TlsPair tls;
  auto [client, server] = tls.transports();
  ASSERT_TRUE(run_loop(tls.loop, write(*client, as_bytes("GET / HTTP/1.1\r\n"))));
  auto hello = run_loop(tls.loop, read_client_hello(*server, milliseconds(5000)));
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error().code, tls::HelloErrc::kNotTls);
  EXPECT_EQ(tls.read_up_to(*server, 16).value(), "GET / HTTP/1.1\r\n");
}

TEST(ClientHelloReader, EndAndTimeAreErrorsOfTheirOwn) {
  TlsPair tls;
  {
    auto [client, server] = tls.transports();
    ASSERT_TRUE(run_loop(tls.loop, write(*client, as_bytes("\x16\x03\x01"))));
    ASSERT_TRUE(run_loop(tls.loop, client->shutdown_write()));
    auto hello = run_loop(tls.loop, read_client_hello(*server, milliseconds(5000)));
    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().code, std::errc::connection_aborted);
    EXPECT_THAT(hello.error().what, HasSubstr("3 bytes"));
  }
  auto [client, server] = tls.transports();
  auto hello = run_loop(tls.loop, read_client_hello(*server, milliseconds(60)));
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error().code, std::errc::timed_out);
}

TEST(ClientHelloReader, AnAlertInsteadOfAHandshakeIsUnderstood) {
  TlsPair tls;
  auto [client_side, server_side] = tls.transports();
  asio::co_spawn(
      tls.loop, connect_tls(tls.clients, std::move(client_side), tls.client_options),
      [&](std::exception_ptr, Result<TlsPair::StreamPtr> made) { tls.client = std::move(made); });
  ASSERT_TRUE(run_loop(tls.loop, read_client_hello(*server_side, milliseconds(5000))));
  ASSERT_TRUE(run_loop(tls.loop, write(*server_side, tls::fatal_alert(tls::Alert::kAccessDenied))));
  while (tls.client) tls.loop.run_one();
  EXPECT_EQ(tls.client.error().code, TlsErrc::kAlert);
  EXPECT_THAT(tls.client.error().what, HasSubstr("access denied"));
}

}  // namespace
}  // namespace agentsh::net
