// What peers and networks do to a handshake and a stream.
#include "tests/unit/net/tls_peer.h"
#include "tests/unit/net/tls_testing.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;
using ::testing::HasSubstr;

using Failure = LimitedStream::Failure;

// Breaks the transport of one side at every step of the handshake and of an exchange after it: both
// sides must come to an end, with an error on the broken side.
void break_everywhere(bool break_client, Failure how) {
  std::size_t steps = 0;
  for (std::size_t step = 0; step <= steps; ++step) {
    TlsPair tls;
    auto [one, other] = tls.transports();
    auto client_side = std::make_unique<LimitedStream>(std::move(one), 512);
    auto server_side = std::make_unique<LimitedStream>(std::move(other), 512);
    LimitedStream* broken = break_client ? client_side.get() : server_side.get();
    broken->fail_at(step, how);
    tls.client_options.timeout = tls.server_options.timeout = std::chrono::seconds(20);
    // The unbroken side would wait for the other for ever: the end of the broken one ends it.
    std::optional<Result<TlsPair::StreamPtr>> client;
    std::optional<Result<TlsPair::StreamPtr>> server;
    asio::co_spawn(tls.loop, connect_tls(tls.clients, std::move(client_side), tls.client_options),
                   [&](std::exception_ptr, auto made) { client.emplace(std::move(made)); });
    asio::co_spawn(tls.loop, accept_tls(tls.servers, std::move(server_side), tls.server_options),
                   [&](std::exception_ptr, auto made) { server.emplace(std::move(made)); });
    while (!client || !server) tls.loop.run_one();
    auto& mine = break_client ? *client : *server;
    if (step == 0) {
      ASSERT_FALSE(mine);
      // How many steps a whole handshake has: counted in an unbroken one.
      TlsPair whole;
      auto [a, b] = whole.transports();
      auto counted_client = std::make_unique<LimitedStream>(std::move(a), 512);
      auto counted_server = std::make_unique<LimitedStream>(std::move(b), 512);
      auto* counted = break_client ? counted_client.get() : counted_server.get();
      whole.shake(std::move(counted_client), std::move(counted_server));
      ASSERT_TRUE(whole.client && whole.server);
      steps = counted->operations();
      ASSERT_GT(steps, 4u);
    }
    if (mine) {
      // The handshake was over before the fault: then the stream fails.
      std::array<std::uint8_t, 16> buffer;
      IoResult got = (*mine)->try_read(buffer);
      EXPECT_EQ(got.status, IoStatus::kError) << step;
    } else {
      EXPECT_FALSE(mine.error().what.empty());
    }
  }
}

TEST(TlsFaults, ResetAtEveryStepOfTheClient) {
  break_everywhere(true, Failure::kReset);
}
TEST(TlsFaults, ResetAtEveryStepOfTheServer) {
  break_everywhere(false, Failure::kReset);
}
TEST(TlsFaults, EndAtEveryStepOfTheClient) {
  break_everywhere(true, Failure::kEnd);
}
TEST(TlsFaults, EndAtEveryStepOfTheServer) {
  break_everywhere(false, Failure::kEnd);
}

struct Connected {
  TlsPair tls;
  Result<TlsPair::StreamPtr> to(const Endpoint& endpoint) {
    auto tcp = run_loop(tls.loop, connect(tls.loop.get_executor(), endpoint, milliseconds(5000)));
    if (!tcp) return std::unexpected(tcp.error());
    return run_loop(tls.loop, connect_tls(tls.clients, std::move(*tcp), tls.client_options));
  }
};

TEST(TlsFaults, AServerThatStallsRunsIntoTheDeadline) {
  Connected client;
  client.tls.client_options.timeout = milliseconds(100);
  const PlainPeer silent([](int socket) {
    char byte;
    while (::recv(socket, &byte, 1, 0) > 0) {
    }
  });
  auto stream = client.to(silent.endpoint());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, TlsErrc::kTimeout);
  EXPECT_THAT(stream.error().what, HasSubstr("no TLS handshake within 100ms"));
}

TEST(TlsFaults, AClientThatStallsRunsIntoTheDeadline) {
  TlsPair tls;
  auto [client_side, server_side] = tls.transports();
  tls.server_options.timeout = milliseconds(100);
  ASSERT_TRUE(run_loop(tls.loop, write(*client_side, as_bytes("\x16\x03\x01\x01"))));
  auto stream =
      run_loop(tls.loop, accept_tls(tls.servers, std::move(server_side), tls.server_options));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, TlsErrc::kTimeout);
}

TEST(TlsFaults, AServerThatSpeaksSomethingElseIsNamed) {
  for (const char* banner : {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                             "220 mail.example ESMTP\r\n"}) {
    Connected client;
    const PlainPeer plain([banner](int socket) {
      char buffer[2048];
      ::recv(socket, buffer, sizeof(buffer), 0);
      ::send(socket, banner, std::strlen(banner), MSG_NOSIGNAL);
    });
    auto stream = client.to(plain.endpoint());
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().code, TlsErrc::kNotTls) << stream.error().what;
    EXPECT_THAT(stream.error().what, HasSubstr("does not speak TLS"));
  }
}

TEST(TlsFaults, AServerThatClosesOrResetsIsNamed) {
  for (const bool reset : {false, true}) {
    Connected client;
    const PlainPeer closing([reset](int socket) {
      char buffer[4096];
      ::recv(socket, buffer, sizeof(buffer), 0);
      const linger now{1, 0};
      if (reset) ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    });
    auto stream = client.to(closing.endpoint());
    ASSERT_FALSE(stream);
    if (reset) {
      EXPECT_EQ(stream.error().code, std::errc::connection_reset) << stream.error().what;
    } else {
      EXPECT_EQ(stream.error().code, TlsErrc::kClosed) << stream.error().what;
    }
    EXPECT_THAT(stream.error().what, HasSubstr("www.example.com"));
  }
}

TEST(TlsFaults, GarbageFromClientsIsRefused) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(600, '\0'), std::string(600, '\xff'),
        std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10),
        std::string("\x15\x03\x01\x00\x02\x02\x28", 7)}) {
    TlsPair tls;
    auto [client_side, server_side] = tls.transports();
    ASSERT_TRUE(run_loop(tls.loop, write(*client_side, as_bytes(bytes))));
    auto stream =
        run_loop(tls.loop, accept_tls(tls.servers, std::move(server_side), tls.server_options));
    EXPECT_FALSE(stream);
  }
}

TEST(TlsFaults, OldVersionsAreRefusedOnBothSides) {
  const TestCert root = issue(ca_spec("root"));
  const TestCert leaf = issue(host_spec("www.example.com"), &root);
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    Connected client;
    const TlsPeer old({.certificate = &leaf, .max_version = version});
    auto stream = client.to(old.endpoint());
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().code, TlsErrc::kVersion) << stream.error().what;
    EXPECT_THAT(stream.error().what, HasSubstr("no common TLS version"));
  }
}

TEST(TlsFaults, NoCommonCipherIsNamed) {
  const TestCert root = issue(ca_spec("root"));
  const TestCert leaf = issue(host_spec("www.example.com"), &root);
  Connected client;
  const TlsPeer null_cipher(
      {.certificate = &leaf, .max_version = TLS1_2_VERSION, .ciphers = "eNULL:@SECLEVEL=0"});
  auto stream = client.to(null_cipher.endpoint());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, TlsErrc::kHandshake) << stream.error().what;
}

TEST(TlsFaults, AServerThatWantsOurCertificateIsSeenAtTheFirstRead) {
  const TestCert root = issue(ca_spec("root"));
  const TestCert leaf = issue(host_spec("www.example.com"), &root);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connected client;
    client.tls.clients =
        ClientContext::create(certs::TrustStore::from_pem(root.pem()).value()).value();
    const TlsPeer mutual(
        {.certificate = &leaf, .max_version = version, .wants_client_certificate = true});
    auto stream = client.to(mutual.endpoint());
    if (stream) {
      auto got = client.tls.read_up_to(**stream, 1);
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().code, TlsErrc::kAlert) << got.error().what;
    } else {
      EXPECT_THAT(stream.error().what, HasSubstr("alert")) << version;
    }
  }
}

}  // namespace
}  // namespace agentsh::net
