// Clients that use us as their proxy: absolute form and CONNECT.
#include "tests/unit/flows/fakes.h"

#include <gmock/gmock.h>

namespace agentsh::flows {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

class ProxyFlowTest : public ::testing::Test {
 protected:
  ProxyFlowTest() {
    flow.policy->allow("a.example");
    flow.resolver->knows("a.example", {"192.0.2.1"});
  }
  void start() { flow.start({.destination = "127.83.71.1:3128", .explicit_proxy = true}); }
  std::string answer() { return flow.read_all(flow.client()); }
  FarEnd connect(std::string_view to) {
    flow.client_sends("CONNECT " + std::string(to) + " HTTP/1.1\r\n\r\n");
    FarEnd server = flow.server();
    EXPECT_EQ(flow.client_reads(kOpen.size()), kOpen);
    return server;
  }
  FlowHarness flow;
};

TEST_F(ProxyFlowTest, AbsoluteFormIsResolvedAndForwardedInOriginForm) {
  start();
  flow.client_sends(
      "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nProxy-Connection: keep-alive\r\n\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.endpoint.to_string(), "192.0.2.1:80");
  EXPECT_EQ(flow.read_head(*server.stream), "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  EXPECT_EQ(flow.policy->event("net_connect")->remote, "192.0.2.1:80");
}

TEST_F(ProxyFlowTest, EachHostOfAConnectionIsDecided) {
  flow.policy->allow("b.example");
  flow.resolver->knows("b.example", {"192.0.2.2"});
  start();
  flow.client_sends("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n");
  FarEnd first = flow.server();
  flow.read_head(*first.stream);
  flow.send(*first.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends("GET http://b.example:8080/ HTTP/1.1\r\nHost: b.example:8080\r\n\r\n");
  FarEnd second = flow.server();
  EXPECT_EQ(second.target.endpoint.to_string(), "192.0.2.2:8080");
  flow.read_head(*second.stream);
  flow.send(*second.stream, kOk);
  flow.client_reads(kOk.size());
  // And back: the first connection is taken from the pool.
  flow.client_sends("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_THAT(flow.read_head(*first.stream), StartsWith("GET / "));
  flow.send(*first.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends("GET http://c.example/ HTTP/1.1\r\nHost: c.example\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "502 name_not_resolved");
}

TEST_F(ProxyFlowTest, NameThatPolicyRefuses) {
  Resolution refused;
  refused.status = Resolution::Status::kDenied;
  refused.verdict = policy::Verdict::deny("no-pastebins", "they leak");
  flow.resolver->answers.insert_or_assign("paste.example", refused);
  start();
  flow.client_sends("GET http://paste.example/ HTTP/1.1\r\nHost: paste.example\r\n\r\n");
  const std::string text = answer();
  EXPECT_EQ(error_code_of(text), "403 network_denied");
  EXPECT_THAT(text, HasSubstr("no-pastebins"));
  flow.finish();
  EXPECT_EQ(flow.policy->event("net_connect")->remote, "paste.example:80");
}

TEST_F(ProxyFlowTest, HttpsUrlOpensTlsToTheServer) {
  start();
  flow.client_sends("GET https://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.endpoint.port, 443);
  EXPECT_EQ(flow.read(*server.stream, 18), "CONNECT a.example\n");
  flow.send(*server.stream, "OK\n");
  EXPECT_EQ(flow.read_head(*server.stream), "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
}

TEST_F(ProxyFlowTest, OriginFormIsNotForTheProxy) {
  start();
  flow.client_sends("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "400 not_a_proxy_request");
}

TEST_F(ProxyFlowTest, ConnectTunnelIsOpenedAsTls) {
  start();
  FarEnd server = connect("a.example:443");
  EXPECT_EQ(server.target.endpoint.to_string(), "192.0.2.1:443");
  flow.client_sends(client_hello("a.example"));
  // The connection that CONNECT made is the one that is used.
  EXPECT_EQ(flow.read(*server.stream, 18), "CONNECT a.example\n");
  flow.send(*server.stream, "OK\n");
  EXPECT_EQ(flow.client_reads(16), "HELLO a.example\n");
  flow.client_sends("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_THAT(flow.read_head(*server.stream), StartsWith("GET /x"));
  EXPECT_FALSE(flow.has_server());
}

TEST_F(ProxyFlowTest, TunnelToOneHostIsNoWayToAnother) {
  flow.policy->allow("b.example");
  flow.resolver->knows("b.example", {"192.0.2.2"});
  start();
  connect("a.example:443");
  flow.client_sends(client_hello("b.example"));
  EXPECT_EQ(flow.client_reads(16), "HELLO b.example\n");
  flow.client_sends("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  EXPECT_THAT(answer(), HasSubstr("name-mismatch"));
}

TEST_F(ProxyFlowTest, PlainHttpInsideATunnelIsJudgedToo) {
  start();
  FarEnd server = connect("a.example:80");
  flow.client_sends("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_THAT(flow.read_head(*server.stream), StartsWith("GET /x"));
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends("GET /x HTTP/1.1\r\nHost: c.example\r\n\r\n");
  EXPECT_THAT(answer(), HasSubstr("name-mismatch"));
}

TEST_F(ProxyFlowTest, BytesSentWithConnectBelongToTheTunnel) {
  start();
  flow.client_sends("CONNECT a.example:443 HTTP/1.1\r\n\r\n" + client_hello("a.example"));
  FarEnd server = flow.server();
  EXPECT_EQ(flow.client_reads(kOpen.size()), kOpen);
  EXPECT_EQ(flow.read(*server.stream, 18), "CONNECT a.example\n");
}

TEST_F(ProxyFlowTest, SilentTunnelsLetTheServerSpeakFirst) {
  start();
  FarEnd server = connect("a.example:22");
  flow.send(*server.stream, "SSH-2.0-server\r\n");
  EXPECT_EQ(flow.client_reads(16), "SSH-2.0-server\r\n");
  flow.client_sends("SSH-2.0-client\r\n");
  EXPECT_EQ(flow.read(*server.stream, 16), "SSH-2.0-client\r\n");
}

TEST_F(ProxyFlowTest, ConnectInsideATunnelIsRefused) {
  start();
  connect("a.example:80");
  flow.client_sends("CONNECT a.example:443 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "400 nested_tunnel");
}

TEST_F(ProxyFlowTest, DeniedConnectIsAnswered) {
  flow.resolver->knows("c.example", {"192.0.2.3"});
  start();
  flow.client_sends("CONNECT c.example:443 HTTP/1.1\r\nHost: c.example:443\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "403 network_denied");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(ProxyFlowTest, ConnectToAServerThatIsNotThere) {
  flow.connector->failures["192.0.2.1:443"] = "connection refused";
  start();
  flow.client_sends("CONNECT a.example:443 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "502 upstream_unreachable");
}

TEST_F(ProxyFlowTest, NextAddressIsTriedWhenOneFails) {
  flow.resolver->knows("a.example", {"2001:db8::1", "192.0.2.7"});
  flow.connector->failures["[2001:db8::1]:443"] = "network unreachable";
  start();
  FarEnd server = connect("a.example:443");
  EXPECT_EQ(server.target.endpoint.to_string(), "192.0.2.7:443");
  flow.client_sends(client_hello("a.example"));
  EXPECT_EQ(flow.read(*server.stream, 18), "CONNECT a.example\n");
}

TEST_F(ProxyFlowTest, AddressesThatAreNotAllowedAreLeftOut) {
  flow.policy->forget_rules();
  flow.policy->allow_address("192.0.2.0/24");
  flow.resolver->knows("a.example", {"198.51.100.1", "192.0.2.9"});
  start();
  EXPECT_EQ(connect("a.example:443").target.endpoint.to_string(), "192.0.2.9:443");
}

TEST_F(ProxyFlowTest, LoopbackWouldBeTheProxysOwn) {
  flow.policy->allow_address("127.0.0.0/8");
  start();
  flow.client_sends("CONNECT 127.0.0.1:5432 HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer(), HasSubstr("loopback-target"));
}

TEST_F(ProxyFlowTest, NameThatLeadsToLoopbackIsRefusedToo) {
  flow.policy->allow("localhost");
  flow.resolver->knows("localhost", {"::1", "127.0.0.1"});
  start();
  flow.client_sends("GET http://localhost:6379/ HTTP/1.1\r\nHost: localhost:6379\r\n\r\n");
  EXPECT_THAT(answer(), HasSubstr("loopback-target"));
}

TEST_F(ProxyFlowTest, HostPortsOfLoopbackMayBeNamed) {
  flow.policy->allow_address("127.0.0.0/8");
  flow.options.host_ports = {5432};
  start();
  EXPECT_EQ(connect("127.0.0.1:5432").target.endpoint.to_string(), "127.0.0.1:5432");
}

TEST_F(ProxyFlowTest, TransparentClientsMayUseTheAbsoluteFormForTheirServer) {
  flow.leases->add("a.example", "192.0.2.1");
  flow.start({.destination = "192.0.2.1:80"});
  flow.client_sends("GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read_head(*server.stream), "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  // Another host in the URL is another destination, decided for itself; then back.
  flow.policy->allow("b.example");
  flow.resolver->knows("b.example", {"192.0.2.2"});
  flow.client_sends("GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n");
  FarEnd other = flow.server();
  EXPECT_EQ(other.target.endpoint.to_string(), "192.0.2.2:80");
  flow.read_head(*other.stream);
  flow.send(*other.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends("GET /y HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_THAT(flow.read_head(*server.stream), StartsWith("GET /y"));
}

TEST_F(ProxyFlowTest, CorporateProxyGetsTheAbsoluteForm) {
  flow.connector->forward_proxy = true;
  flow.leases->add("a.example", "192.0.2.1");
  flow.start({.destination = "192.0.2.1:80"});
  flow.client_sends("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(server.use, ServerUse::kPlainHttp);
  EXPECT_EQ(flow.read_head(*server.stream),
            "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n"
            "Proxy-Authorization: Basic eA==\r\n\r\n");
}

}  // namespace
}  // namespace agentsh::flows
