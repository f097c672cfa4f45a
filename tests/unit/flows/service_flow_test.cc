// Requests under /svc/NAME/, questions before a request, content of unchanged length, hosts with
// which nothing but HTTP is spoken.
#include "tests/unit/flows/fakes.h"

#include <gmock/gmock.h>

namespace agentsh::flows {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OneService final : public ServiceDirectory {
 public:
  std::optional<ServiceTarget> find(std::string_view path) const override {
    constexpr std::string_view kPrefix = "/svc/api/";
    if (!path.starts_with(kPrefix)) return {};
    return ServiceTarget{"api", "api.example", 8443,
                         "/base/" + std::string(path.substr(kPrefix.size()))};
  }
  std::vector<std::string> names() const override { return {"api"}; }
};

// Swaps two letters, which holds the last byte back.
class Swapper final : public HttpInspector {
 public:
  explicit Swapper(bool longer) : longer_(longer) {}
  HeadAction on_request_head(const http::RequestHead&) override {
    return {.body = BodyUse::kSubstitute};
  }
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override {
    return edit(content, last, out);
  }
  HeadAction on_response_head(const http::ResponseHead&) override {
    held_.clear();
    return {.body = BodyUse::kSubstitute};
  }
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override {
    return edit(content, last, out);
  }
  bool on_interim_head(const http::ResponseHead&) override { return false; }

 private:
  std::optional<InspectorRefusal> edit(Bytes content, bool last, std::string& out) {
    for (const char c : as_text(content)) {
      out += held_;
      held_ = c == 'a' ? 'b' : c == 'b' ? 'a' : c;
    }
    if (last) out += std::exchange(held_, "");
    if (longer_) out += "more";
    return {};
  }
  const bool longer_;
  std::string held_;
};

struct Asked {
  std::string via;
  std::string path;
  std::string host;
};

class Factory final : public HttpInspectorFactory {
 public:
  std::unique_ptr<HttpInspector> inspect(const policy::Actor&,
                                         const policy::HttpFacts& facts) override {
    asked.push_back(
        {std::string(facts.via_service), std::string(facts.path), std::string(facts.host)});
    if (question) return std::make_unique<Asker>(*question);
    return std::make_unique<Swapper>(longer);
  }
  bool http_only(std::string_view host) const override { return host == "a.example"; }

  class Asker final : public HttpInspector {
   public:
    explicit Asker(policy::Verdict verdict) : verdict_(std::move(verdict)) {}
    std::optional<InspectorQuestion> question() override {
      if (asked_) return {};
      asked_ = true;
      return InspectorQuestion{verdict_, {}, audit::Event("http_service_request")};
    }
    HeadAction on_request_head(const http::RequestHead&) override { return {}; }
    std::optional<InspectorRefusal> on_request_body(Bytes, bool, std::string&) override {
      return {};
    }
    HeadAction on_response_head(const http::ResponseHead&) override { return {}; }
    std::optional<InspectorRefusal> on_response_body(Bytes, bool, std::string&) override {
      return {};
    }

   private:
    policy::Verdict verdict_;
    bool asked_ = false;
  };

  std::vector<Asked> asked;
  std::optional<policy::Verdict> question;
  bool longer = false;
};

class ServiceFlowTest : public ::testing::Test {
 protected:
  ServiceFlowTest() {
    flow.services = std::make_shared<OneService>();
    flow.inspectors = factory;
    flow.resolver->knows("api.example", {"192.0.2.7"});
    flow.policy->allow("a.example");
    flow.leases->add("a.example", "192.0.2.1");
  }
  void start() { flow.start({.destination = "127.0.0.1:61954", .service_listener = true}); }
  FarEnd server_in_tls() {
    FarEnd server = flow.server();
    EXPECT_EQ(flow.read(*server.stream, 20), "CONNECT api.example\n");
    flow.send(*server.stream, "OK\n");
    return server;
  }
  std::shared_ptr<Factory> factory = std::make_shared<Factory>();
  FlowHarness flow;
};

TEST_F(ServiceFlowTest, ARequestGoesToTheServicesHostUnderItsOwnPath) {
  start();
  flow.client_sends(
      "POST /svc/api/v1?x=1 HTTP/1.1\r\nHost: 127.0.0.1:61954\r\n"
      "Content-Length: 3\r\n\r\nabc");
  FarEnd server = server_in_tls();
  EXPECT_EQ(server.target.endpoint.to_string(), "192.0.2.7:8443");
  EXPECT_EQ(flow.read_head(*server.stream),
            "POST /base/v1?x=1 HTTP/1.1\r\nHost: api.example:8443\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(flow.read(*server.stream, 3), "bac");
  const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  flow.send(*server.stream, reply + "ab");
  EXPECT_EQ(flow.client_reads(reply.size() + 2), reply + "ba");
  // The connection goes on with the same server, until the policy is another one.
  flow.client_sends("GET /svc/api/v2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(flow.read_head(*server.stream), HasSubstr("GET /base/v2 "));
  flow.send(*server.stream, reply + "ab");
  flow.client_reads(reply.size() + 2);
  EXPECT_EQ(factory->asked.back().via, "api");
  EXPECT_EQ(factory->asked.back().host, "api.example");
  EXPECT_EQ(factory->asked.back().path, "/base/v2");
}

TEST_F(ServiceFlowTest, UnknownServicesAndConnectAreRefused) {
  start();
  flow.client_sends("GET /svc/other/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "404 http_service_unknown");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(ServiceFlowTest, ConnectIsRefused) {
  start();
  flow.client_sends("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "404 http_service_unknown");
}

TEST_F(ServiceFlowTest, AHostWithoutAddress) {
  flow.resolver->answers.clear();
  flow.services = std::make_shared<OneService>();
  flow.resolver = std::make_shared<FakeResolver>(*flow.leases);
  start();
  flow.client_sends("GET /svc/api/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "502 name_not_resolved");
}

TEST_F(ServiceFlowTest, ADeniedQuestionEndsIt) {
  factory->question = policy::Verdict::deny("no-writes", "Read only.");
  start();
  flow.client_sends("DELETE /svc/api/x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "403 request_denied");
  EXPECT_FALSE(flow.has_server());
  ASSERT_NE(flow.policy->event("http_service_request"), nullptr);
  EXPECT_EQ(flow.policy->event("http_service_request")->pid, 42);
}

TEST_F(ServiceFlowTest, ChunkedContentStaysChunkedAndInterimHeadsCanBeLeftOut) {
  flow.start();
  flow.client_sends(
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nab\r\n");
  FarEnd server = flow.server();
  EXPECT_THAT(flow.read_head(*server.stream), HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_EQ(flow.read(*server.stream, 6), "1\r\nb\r\n");
  flow.client_sends("0\r\n\r\n");
  EXPECT_EQ(flow.read(*server.stream, 11), "1\r\na\r\n0\r\n\r\n");
  flow.send(*server.stream,
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
  const std::string reply =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n";
  EXPECT_EQ(flow.client_reads(reply.size()), reply);
}

TEST_F(ServiceFlowTest, AnotherLengthThanAnnouncedIsNeverSent) {
  factory->longer = true;
  flow.start();
  flow.client_sends("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "502 content_length_changed");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(ServiceFlowTest, NothingButHttpWithSuchHosts) {
  flow.start({.destination = "192.0.2.1:22"});
  flow.client_sends(std::string("\x00\x01\x02\x03garbage\n", 12));
  EXPECT_THAT(flow.read_all(flow.client()), Not(HasSubstr("garbage")));
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

}  // namespace
}  // namespace agentsh::flows
