// Plain HTTP, transparent: forwarding, keep-alive, decisions by Host.
#include "tests/unit/flows/fakes.h"

#include <gmock/gmock.h>

namespace agentsh::flows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /x?secret=1 HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class HttpFlowTest : public ::testing::Test {
 protected:
  HttpFlowTest() {
    flow.policy->allow("a.example");
    flow.leases->add("a.example", "192.0.2.1");
  }
  std::string answer() { return flow.read_all(flow.client()); }
  FlowHarness flow;
};

TEST_F(HttpFlowTest, ForwardsARequestAndItsResponse) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.endpoint.to_string(), "192.0.2.1:80");
  EXPECT_EQ(server.target.name, "a.example");
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  flow.client_closes();
  flow.finish();
  EXPECT_THAT(flow.policy->types(), ElementsAre("net_connect", "net_http_request", "net_close"));
}

TEST_F(HttpFlowTest, EventsSayWhoWhereAndHowMuch) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_closes();
  flow.finish();
  const audit::Event& connect = *flow.policy->event("net_connect");
  EXPECT_EQ(connect.domain, "a.example");
  EXPECT_EQ(connect.remote, "192.0.2.1:80");
  EXPECT_EQ(connect.pid, 42);
  EXPECT_EQ(connect.command_id, "cmd-1");
  EXPECT_EQ(connect.policy->rule, "allow-a.example");
  EXPECT_EQ(FakePolicy::field(connect, "protocol"), "http");
  const audit::Event& request = *flow.policy->event("net_http_request");
  EXPECT_EQ(request.operation, "GET");
  EXPECT_EQ(FakePolicy::field(request, "path"), "/x");  // Without the query.
  EXPECT_EQ(FakePolicy::field(request, "status"), "200");
  EXPECT_EQ(FakePolicy::field(request, "bytes_received"), "5");
  const audit::Event& close = *flow.policy->event("net_close");
  EXPECT_EQ(FakePolicy::field(close, "bytes_sent"), std::to_string(kGet.size()));
  EXPECT_EQ(FakePolicy::field(close, "bytes_received"), std::to_string(kOk.size()));
  EXPECT_EQ(flow.leases->held, 0);
}

TEST_F(HttpFlowTest, KeepsBothConnectionsAlive) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(flow.read_head(*server.stream), kGet);
    flow.send(*server.stream, kOk);
    EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
    if (i < 4) flow.client_sends(kGet);
  }
  EXPECT_FALSE(flow.has_server());
  flow.client_closes();
  flow.finish();
}

TEST_F(HttpFlowTest, ServesPipelinedRequestsInOrder) {
  flow.start();
  const std::string post = "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc";
  flow.client_sends(std::string(kGet) + post + std::string(kGet));
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  flow.settle();
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.read(*server.stream, post.size()), post);
  flow.send(*server.stream, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  flow.send(*server.stream, kOk);
  const std::string all = std::string(kOk) + "HTTP/1.1 204 No Content\r\n\r\n" + std::string(kOk);
  EXPECT_EQ(flow.client_reads(all.size()), all);
}

TEST_F(HttpFlowTest, IdleServerConnectionsArePooledAndUsedAgain) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_closes();
  flow.finish();

  flow.start();
  flow.client_sends(kGet);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  EXPECT_FALSE(flow.has_server());
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
}

TEST_F(HttpFlowTest, DeniedHostGetsAReadableAnswer) {
  flow.policy->deny("b.example", "pastebins leak");
  flow.leases->add("b.example", "192.0.2.1");
  flow.start();
  flow.client_sends("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  const std::string text = answer();
  EXPECT_THAT(text, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_EQ(error_code_of(text), "403 network_denied");
  EXPECT_THAT(text, HasSubstr("deny-b.example"));
  EXPECT_THAT(text, HasSubstr("pastebins leak"));
  flow.finish();
  EXPECT_FALSE(flow.has_server());
  EXPECT_EQ(flow.policy->event("net_connect")->policy->decision, "deny");
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("net_http_request"), "status"), "403");
}

TEST_F(HttpFlowTest, HeadGetsNoBodyWithTheDenial) {
  flow.start();
  flow.client_sends("HEAD / HTTP/1.1\r\nHost: c.example\r\n\r\n");
  const std::string text = answer();
  EXPECT_THAT(text, StartsWith("HTTP/1.1 403"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST_F(HttpFlowTest, EachRequestsHostIsDecided) {
  flow.policy->allow("b.example");
  flow.leases->add("b.example", "192.0.2.1");
  flow.start();
  flow.client_sends(kGet);
  FarEnd first = flow.server();
  flow.read_head(*first.stream);
  flow.send(*first.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  FarEnd second = flow.server();  // Another name: another connection.
  flow.read_head(*second.stream);
  flow.send(*second.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends("GET / HTTP/1.1\r\nHost: c.example\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "403 network_denied");
}

TEST_F(HttpFlowTest, NameWithoutALeaseForTheAddressIsAMismatch) {
  flow.start({.destination = "198.51.100.9:80"});
  flow.client_sends(kGet);
  const std::string text = answer();
  EXPECT_EQ(error_code_of(text), "403 network_denied");
  EXPECT_THAT(text, HasSubstr("name-mismatch"));
  EXPECT_THAT(text, HasSubstr("Host a.example was not resolved to 198.51.100.9 in this session"));
}

TEST_F(HttpFlowTest, AddressLiteralsNeedARuleForTheAddress) {
  flow.policy->allow_address("198.51.100.0/24");
  flow.start({.destination = "198.51.100.9:80"});
  flow.client_sends("GET / HTTP/1.1\r\nHost: 198.51.100.9\r\n\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.name, "");
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
}

TEST_F(HttpFlowTest, PolicyThatChangesIsAskedAgain) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.policy->forget_rules();
  flow.policy->replace();
  flow.client_sends(kGet);
  EXPECT_EQ(error_code_of(answer()), "403 network_denied");
}

TEST_F(HttpFlowTest, WithoutARecordThereIsNoPermission) {
  flow.policy->refuse_records = true;
  flow.start();
  flow.client_sends(kGet);
  EXPECT_THAT(answer(), HasSubstr("audit-unavailable"));
  EXPECT_FALSE(flow.has_server());
}

TEST_F(HttpFlowTest, OtherPortInHostIsMisdirected) {
  flow.start();
  flow.client_sends("GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "421 misdirected_request");
}

TEST_F(HttpFlowTest, AmbiguousRequestsAreRefusedWithTheirReason) {
  flow.start();
  flow.client_sends(
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "400 length_and_encoding");
  flow.client_closes();
  flow.finish();
  EXPECT_FALSE(flow.has_server());
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("net_http_request"), "failure"),
            "length_and_encoding");
}

TEST_F(HttpFlowTest, ServerThatCannotBeReached) {
  flow.connector->failures["192.0.2.1:80"] = "connection refused";
  flow.start();
  flow.client_sends(kGet);
  const std::string text = answer();
  EXPECT_EQ(error_code_of(text), "502 upstream_unreachable");
  EXPECT_THAT(text, HasSubstr("connection refused"));
}

TEST_F(HttpFlowTest, ServerThatDoesNotAnswerTheConnectionInTime) {
  flow.connector->failures["192.0.2.1:80"] = "timeout";
  flow.start();
  flow.client_sends(kGet);
  EXPECT_EQ(error_code_of(answer()), "504 upstream_timeout");
}

TEST_F(HttpFlowTest, Http10ClientsAreAnsweredAsTheyExpect) {
  flow.start();
  flow.client_sends("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read_head(*server.stream),
            "GET / HTTP/1.0\r\nHost: a.example\r\nConnection: close\r\n\r\n");
  flow.send(*server.stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(answer(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
}

TEST_F(HttpFlowTest, Http10KeepAlive) {
  flow.start();
  flow.client_sends("GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  const std::string expected =
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello";
  EXPECT_EQ(flow.client_reads(expected.size()), expected);
  flow.client_sends("GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n");
  flow.server();
}

TEST_F(HttpFlowTest, SilentClientsEndAfterTheKeepAliveTime) {
  flow.options.keep_alive = 100ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(answer(), kOk);
  flow.finish();
}

TEST_F(HttpFlowTest, SlowHeadsEnd) {
  flow.options.request_head = 100ms;
  flow.start();
  flow.client_sends("GET /x HTTP/1.1\r\nHost:");
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

TEST_F(HttpFlowTest, ConnectionAuthenticationIsNotShared) {
  flow.start();
  flow.client_sends("GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: NTLM abc\r\n\r\n");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(flow.read_all(*server.stream), "");  // Closed, not pooled.
}

}  // namespace
}  // namespace agentsh::flows
