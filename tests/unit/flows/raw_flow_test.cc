// Bytes of other protocols, approvals, redirects: what is the same whatever is spoken.
#include "tests/unit/flows/fakes.h"

#include <gmock/gmock.h>

#include <thread>

namespace agentsh::flows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class RawFlowTest : public ::testing::Test {
 protected:
  RawFlowTest() {
    flow.policy->allow("a.example");
    flow.leases->add("a.example", "192.0.2.1");
  }
  void start(std::string destination = "192.0.2.1:2222") {
    flow.start({.destination = std::move(destination)});
  }
  std::string answer() { return flow.read_all(flow.client()); }
  void redirect(std::string target, policy::RedirectFailure failure, bool unix_socket = false) {
    flow.policy->forget_rules();
    flow.policy->rule([=](const policy::ConnectFacts&) -> std::optional<policy::Verdict> {
      auto redirect = std::make_shared<policy::Redirect>();
      redirect->target = target;
      redirect->unix_socket = unix_socket;
      redirect->on_failure = failure;
      return policy::Verdict::from_rule(policy::Decision::kRedirect, "mirror", {})
          .with_redirect(std::move(redirect));
    });
  }
  void need_approval() {
    flow.policy->forget_rules();
    flow.policy->rule([](const policy::ConnectFacts&) -> std::optional<policy::Verdict> {
      return policy::Verdict::from_rule(policy::Decision::kApprove, "ask", "a person decides");
    });
  }
  FlowHarness flow;
};

TEST_F(RawFlowTest, BytesAreRelayedBothWays) {
  start();
  flow.client_sends("SSH-2.0-client\r\n");
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.endpoint.to_string(), "192.0.2.1:2222");
  EXPECT_EQ(flow.read(*server.stream, 16), "SSH-2.0-client\r\n");
  flow.send(*server.stream, "SSH-2.0-server\r\n");
  EXPECT_EQ(flow.client_reads(16), "SSH-2.0-server\r\n");
  server.stream->close();
  EXPECT_EQ(answer(), "");
  flow.client_closes();
  flow.finish();
  EXPECT_THAT(flow.policy->types(), ElementsAre("net_connect", "net_close"));
  EXPECT_EQ(flow.policy->event("net_connect")->domain, "a.example");
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("net_close"), "bytes_sent"), "16");
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("net_close"), "bytes_received"), "16");
}

TEST_F(RawFlowTest, ServerMaySpeakFirst) {
  start();
  FarEnd server = flow.server();
  flow.send(*server.stream, "220 ready\r\n");
  EXPECT_EQ(flow.client_reads(11), "220 ready\r\n");
  flow.client_sends("EHLO x\r\n");
  EXPECT_EQ(flow.read(*server.stream, 8), "EHLO x\r\n");
}

TEST_F(RawFlowTest, SilentClientThatThenSpeaksTlsIsStillOpened) {
  start();
  FarEnd server = flow.server();  // Connected because nothing was said.
  flow.client_sends(client_hello("b.example"));
  // The name is judged, though the address was allowed.
  EXPECT_EQ(flow.client_reads(16), "HELLO b.example\n");
  flow.client_sends("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  EXPECT_THAT(answer(), HasSubstr("name-mismatch"));
}

TEST_F(RawFlowTest, SilentClientThatThenSpeaksHttpIsJudged) {
  start();
  FarEnd server = flow.server();
  flow.client_sends("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_THAT(flow.read_head(*server.stream), StartsWith("GET / "));  // On the same connection.
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
}

TEST_F(RawFlowTest, OnPort443TheClientSpeaksFirst) {
  flow.options.request_head = 300ms;
  start("192.0.2.1:443");
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

TEST_F(RawFlowTest, DeniedConnectionsAreReset) {
  start("203.0.113.1:2222");
  flow.client_sends("SSH-2.0-client\r\n");
  flow.finish();
  EXPECT_FALSE(flow.has_server());
  EXPECT_EQ(flow.policy->event("net_connect")->policy->rule, "default-deny-network");
}

TEST_F(RawFlowTest, SloppyRequestsAreNotRaw) {
  start();
  flow.client_sends("get / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "400 bad_method");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(RawFlowTest, HalfARequestLineIsNotRawEither) {
  flow.options.request_head = 150ms;
  start();
  flow.client_sends("ge");
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

TEST_F(RawFlowTest, UnreachableServerEndsTheConnection) {
  flow.connector->failures["192.0.2.1:2222"] = "connection refused";
  start();
  flow.client_sends("SSH-2.0-client\r\n");
  flow.finish();
  EXPECT_THAT(flow.policy->types(), ElementsAre("net_connect", "net_error", "net_close"));
}

TEST_F(RawFlowTest, ApprovedConnectionGoesOn) {
  need_approval();
  policy::ApprovalRequest asked;
  std::function<void()> approve;
  flow.policy->on_approval = [&](policy::ApprovalRequest request, policy::Verdict verdict,
                                 FlowPolicy::Callback done) {
    asked = std::move(request);
    approve = [verdict = std::move(verdict), done = std::move(done)]() mutable {
      done(std::move(verdict).settled(true, "approval-1", "fine"));
    };
  };
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  flow.until([&] { return approve != nullptr; });
  flow.settle();
  EXPECT_FALSE(flow.has_server());
  EXPECT_EQ(asked.kind, "network");
  EXPECT_EQ(asked.target, "a.example:80");
  EXPECT_EQ(asked.rule, "ask");
  EXPECT_EQ(asked.session_id, "session-test");
  // The answer comes from another thread.
  std::thread([&] { approve(); }).join();
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
}

TEST_F(RawFlowTest, RefusedApprovalIsAnswered) {
  need_approval();
  flow.policy->on_approval = [](policy::ApprovalRequest, policy::Verdict verdict,
                                FlowPolicy::Callback done) {
    done(std::move(verdict).settled(false, "approval-1", "no"));
  };
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  EXPECT_EQ(error_code_of(answer()), "403 approval_denied");
}

TEST_F(RawFlowTest, ClientThatLeavesWithdrawsItsApproval) {
  need_approval();
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  flow.settle();
  flow.client_closes();
  flow.finish();
  EXPECT_THAT(flow.policy->abandoned, ElementsAre("approval-1"));
}

TEST_F(RawFlowTest, RedirectGoesToItsTarget) {
  redirect("203.0.113.9:8080", policy::RedirectFailure::kFailClosed);
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  EXPECT_EQ(server.target.endpoint.to_string(), "203.0.113.9:8080");
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  const audit::Event& connect = *flow.policy->event("net_connect");
  EXPECT_EQ(connect.remote, "192.0.2.1:80");
  EXPECT_EQ(FakePolicy::field(connect, "redirect_to"), "203.0.113.9:8080");
}

TEST_F(RawFlowTest, RedirectToANameIsLookedUp) {
  redirect("mirror.internal:8080", policy::RedirectFailure::kFailClosed);
  flow.resolver->knows("mirror.internal", {"10.0.0.9"});
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  EXPECT_EQ(flow.server().target.endpoint.to_string(), "10.0.0.9:8080");
}

TEST_F(RawFlowTest, RedirectToAUnixSocket) {
  redirect("/run/mirror.sock", policy::RedirectFailure::kFailClosed, true);
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  EXPECT_EQ(flow.server().target.unix_path, "/run/mirror.sock");
}

TEST_F(RawFlowTest, RedirectThatLeadsNowhereIsADenial) {
  redirect("unknown.internal:8080", policy::RedirectFailure::kFailClosed);
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  EXPECT_THAT(answer(), HasSubstr("redirect-target-unknown"));
  EXPECT_FALSE(flow.has_server());
}

TEST_F(RawFlowTest, RedirectThatMayFallBack) {
  redirect("203.0.113.9:8080", policy::RedirectFailure::kRetryOriginal);
  flow.connector->failures["203.0.113.9:8080"] = "connection refused";
  start("192.0.2.1:80");
  flow.client_sends(kGet);
  EXPECT_EQ(flow.server().target.endpoint.to_string(), "192.0.2.1:80");
}

}  // namespace
}  // namespace agentsh::flows
