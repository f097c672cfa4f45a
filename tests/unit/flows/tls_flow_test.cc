// TLS connections: the name's decision, both legs in order, refusals inside TLS, passthrough.
#include "tests/unit/flows/fakes.h"

#include <gmock/gmock.h>

namespace agentsh::flows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class TlsFlowTest : public ::testing::Test {
 protected:
  TlsFlowTest() {
    flow.policy->allow("a.example");
    flow.leases->add("a.example", "192.0.2.1");
  }
  void start() { flow.start({.destination = "192.0.2.1:443"}); }
  std::string line(net::ByteStream& stream) {
    std::string text;
    while (!text.ends_with('\n')) {
      const std::string byte = flow.read(stream, 1);
      if (byte.empty()) return text;
      text += byte;
    }
    return text;
  }
  // Both handshakes of an allowed connection.
  FarEnd open(std::string_view name = "a.example") {
    flow.client_sends(client_hello(name));
    FarEnd server = flow.server();
    EXPECT_THAT(line(*server.stream), StartsWith("CONNECT "));
    flow.send(*server.stream, "OK\n");
    EXPECT_THAT(line(flow.client()), StartsWith("HELLO "));
    return server;
  }
  std::string answer() { return flow.read_all(flow.client()); }
  FlowHarness flow;
};

TEST_F(TlsFlowTest, OpensBothLegsAndServesHttp) {
  start();
  flow.client_sends(client_hello("a.example"));
  FarEnd server = flow.server();
  EXPECT_EQ(line(*server.stream), "CONNECT a.example\n");
  // The client hears nothing before the server's certificate is checked.
  flow.settle();
  std::array<std::uint8_t, 1> byte{};
  EXPECT_EQ(flow.client().try_read(byte).status, net::IoStatus::kWouldBlock);
  flow.send(*server.stream, "OK\n");
  EXPECT_EQ(line(flow.client()), "HELLO a.example\n");
  flow.client_sends(kGet);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  flow.client_closes();
  flow.finish();
  EXPECT_THAT(flow.policy->types(),
              ElementsAre("net_connect", "tls_intercept", "net_http_request", "net_close"));
  const audit::Event& intercept = *flow.policy->event("tls_intercept");
  EXPECT_EQ(FakePolicy::field(intercept, "sni"), "a.example");
  EXPECT_EQ(FakePolicy::field(intercept, "certificate_subject"), "CN=a.example");
  EXPECT_EQ(FakePolicy::field(intercept, "certificate_issuer"), "CN=Test CA");
  EXPECT_EQ(FakePolicy::field(intercept, "tls_version"), "TLSv1.3");
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("net_connect"), "protocol"), "tls");
}

TEST_F(TlsFlowTest, HelloInPieces) {
  start();
  const std::string hello = client_hello("a.example");
  for (char c : hello) {
    flow.client_sends(std::string_view(&c, 1));
    flow.settle();
  }
  EXPECT_EQ(line(*flow.server().stream), "CONNECT a.example\n");
}

TEST_F(TlsFlowTest, DenialIsAnsweredInsideTls) {
  start();
  flow.client_sends(client_hello("b.example"));
  EXPECT_EQ(line(flow.client()), "HELLO b.example\n");
  flow.client_sends("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  const std::string text = answer();
  EXPECT_EQ(error_code_of(text), "403 network_denied");
  EXPECT_THAT(text, HasSubstr("SNI b.example was not resolved to 192.0.2.1 in this session"));
  flow.client_closes();
  flow.finish();
  EXPECT_FALSE(flow.has_server());
  EXPECT_EQ(flow.policy->event("net_connect")->policy->rule, "name-mismatch");
}

TEST_F(TlsFlowTest, NameOfAnotherAddressNeedsARuleForTheAddress) {
  flow.policy->allow_address("192.0.2.0/24");
  start();
  flow.client_sends(client_hello("unknown.example"));
  EXPECT_EQ(line(*flow.server().stream), "CONNECT unknown.example\n");
}

TEST_F(TlsFlowTest, DeniedNameIsDeniedEvenWhereTheAddressIsAllowed) {
  flow.policy->deny("bad.example");
  flow.policy->allow_address("192.0.2.0/24");
  start();
  flow.client_sends(client_hello("bad.example"));
  EXPECT_EQ(line(flow.client()), "HELLO bad.example\n");
  flow.client_sends("GET / HTTP/1.1\r\nHost: bad.example\r\n\r\n");
  EXPECT_THAT(answer(), HasSubstr("deny-bad.example"));
}

TEST_F(TlsFlowTest, WithoutANameALeasedOneIsUsed) {
  start();
  flow.client_sends(client_hello(""));
  FarEnd server = flow.server();
  EXPECT_EQ(line(*server.stream), "CONNECT a.example\n");
  flow.send(*server.stream, "OK\n");
  EXPECT_EQ(line(flow.client()), "HELLO a.example\n");
}

TEST_F(TlsFlowTest, WithoutANameAnAddressMustBeAllowed) {
  flow.policy->allow_address("198.51.100.0/24");
  flow.start({.destination = "198.51.100.7:443"});
  flow.client_sends(client_hello(""));
  EXPECT_EQ(line(*flow.server().stream), "CONNECT 198.51.100.7\n");
}

TEST_F(TlsFlowTest, HostMustBeTheNameOfTheConnection) {
  flow.policy->allow("b.example");
  flow.leases->add("b.example", "192.0.2.1");
  start();
  FarEnd server = open();
  flow.client_sends("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "421 misdirected_request");
}

TEST_F(TlsFlowTest, CertificateThatIsNotValidIsTold) {
  start();
  flow.client_sends(client_hello("a.example"));
  FarEnd server = flow.server();
  line(*server.stream);
  flow.send(*server.stream, "certificate has expired\n");
  EXPECT_EQ(line(flow.client()), "HELLO a.example\n");
  flow.client_sends(kGet);
  const std::string text = answer();
  EXPECT_EQ(error_code_of(text), "502 upstream_tls_failed");
  EXPECT_THAT(text, HasSubstr("certificate has expired"));
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("tls_intercept"), "failed_leg"), "server");
}

TEST_F(TlsFlowTest, ServerThatCannotBeReachedIsTold) {
  flow.connector->failures["192.0.2.1:443"] = "connection refused";
  start();
  flow.client_sends(client_hello("a.example"));
  EXPECT_EQ(line(flow.client()), "HELLO a.example\n");
  flow.client_sends(kGet);
  EXPECT_EQ(error_code_of(answer()), "502 upstream_unreachable");
}

TEST_F(TlsFlowTest, ServerThatDoesNotFinishItsHandshake) {
  flow.options.connect = 100ms;
  start();
  flow.client_sends(client_hello("a.example"));
  FarEnd server = flow.server();
  EXPECT_EQ(line(flow.client()), "HELLO a.example\n");
  flow.client_sends(kGet);
  EXPECT_EQ(error_code_of(answer()), "504 upstream_timeout");
}

TEST_F(TlsFlowTest, ClientThatRefusesOurCertificateIsRecorded) {
  flow.tls->accept_error = "unknown certificate authority";
  start();
  flow.client_sends(client_hello("a.example"));
  FarEnd server = flow.server();
  line(*server.stream);
  flow.send(*server.stream, "OK\n");
  flow.finish();
  const audit::Event& failure = *flow.policy->event("tls_intercept", 1);
  EXPECT_EQ(FakePolicy::field(failure, "failed_leg"), "client");
  EXPECT_EQ(FakePolicy::field(failure, "error"), "unknown certificate authority");
}

TEST_F(TlsFlowTest, SecondConnectionTakesThePooledServer) {
  start();
  FarEnd server = open();
  flow.client_sends(kGet);
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_closes();
  flow.finish();
  start();
  flow.client_sends(client_hello("a.example"));
  EXPECT_EQ(line(flow.client()), "HELLO a.example\n");
  flow.client_sends(kGet);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
}

TEST_F(TlsFlowTest, PassthroughRelaysUnopened) {
  flow.policy->rule([](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
    if (facts.name != "pinned.example") return {};
    return policy::Verdict::allow("pinned").with_tls_passthrough(true);
  });
  flow.leases->add("pinned.example", "192.0.2.1");
  start();
  const std::string hello = client_hello("pinned.example");
  flow.client_sends(hello);
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read(*server.stream, hello.size()), hello);
  flow.send(*server.stream, "server hello");
  EXPECT_EQ(flow.client_reads(12), "server hello");
  server.stream->close();
  flow.client_closes();
  flow.finish();
  EXPECT_THAT(flow.policy->types(), ElementsAre("net_connect", "net_close"));
}

TEST_F(TlsFlowTest, OtherProtocolsInsideTlsAreRelayed) {
  start();
  FarEnd server = open();
  const std::string connect("\x10\x00\x04MQTT", 7);
  flow.client_sends(connect);
  EXPECT_EQ(flow.read(*server.stream, connect.size()), connect);
  flow.send(*server.stream, "ack");
  EXPECT_EQ(flow.client_reads(3), "ack");
}

TEST_F(TlsFlowTest, MalformedHelloIsRefusedWithAnAlert) {
  start();
  std::string hello = client_hello("a.example");
  hello[9] = 0x01;  // The version of the message.
  flow.client_sends(hello.substr(0, 5) + std::string(hello.size() - 5, '\xff'));
  const std::string text = answer();
  EXPECT_EQ(text, std::string("\x15\x03\x01\x00\x02\x02\x32", 7));
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(flow.policy->event("net_connect")->policy->rule, "malformed-client-hello");
}

TEST_F(TlsFlowTest, HelloThatNeverEnds) {
  flow.options.hello = 100ms;
  start();
  flow.client_sends(client_hello("a.example").substr(0, 20));
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

TEST_F(TlsFlowTest, RewrittenSniIsWhatTheServerIsCheckedFor) {
  flow.policy->rule([](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
    if (facts.name != "api.example") return {};
    auto redirect = std::make_shared<policy::Redirect>();
    redirect->target = "203.0.113.5:8443";
    redirect->rewrite_sni = "mirror.example";
    return policy::Verdict::from_rule(policy::Decision::kRedirect, "mirror", {})
        .with_redirect(std::move(redirect));
  });
  flow.leases->add("api.example", "192.0.2.1");
  start();
  flow.client_sends(client_hello("api.example"));
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.endpoint.to_string(), "203.0.113.5:8443");
  EXPECT_EQ(line(*server.stream), "CONNECT mirror.example\n");
  flow.send(*server.stream, "OK\n");
  EXPECT_EQ(line(flow.client()), "HELLO api.example\n");
}

}  // namespace
}  // namespace agentsh::flows
