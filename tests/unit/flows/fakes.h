// The services of a flow as scripts, and a harness that runs one flow between a test's client and
// a test's servers, on Unix socket pairs and one event loop.
//
//   FlowHarness flow;
//   flow.policy->allow("a.example");
//   flow.leases->add("a.example", "192.0.2.1");
//   flow.start({.destination = *Endpoint::parse("192.0.2.1:80")});
//   flow.client_sends("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
//   FarEnd server = flow.server();
//   EXPECT_EQ(flow.read_head(*server.stream), ...);
#pragma once

#include "proxy/flows/flow.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <set>

namespace agentsh::flows {

class FakePolicy final : public FlowPolicy {
 public:
  using Rule = std::function<std::optional<policy::Verdict>(const policy::ConnectFacts&)>;

  // Rules are asked in order; without a match the default denial.
  void rule(Rule rule) { rules_.push_back(std::move(rule)); }
  void allow(std::string name);
  void allow_address(std::string cidr);
  void deny(std::string name, std::string message = {});
  void replace() { version_ = std::make_shared<int>(); }
  void forget_rules() { rules_.clear(); }
  // What settle() makes of an approval: called with the callback.
  std::function<void(policy::ApprovalRequest, policy::Verdict, Callback)> on_approval;
  std::vector<std::string> abandoned;
  bool refuse_records = false;

  std::vector<audit::Event> events;
  std::vector<std::string> types() const;
  const audit::Event* event(std::string_view type, std::size_t index = 0) const;
  static std::string field(const audit::Event& event, std::string_view name);

  const std::string& session_id() const override { return session_; }
  std::shared_ptr<const void> version() const override { return version_; }
  policy::Verdict judge(const policy::ConnectFacts& facts) const override;
  std::string settle(policy::Verdict verdict, policy::ApprovalRequest request, audit::Event event,
                     Callback done) override;
  void abandon(const std::string& approval_id) override;
  void record(audit::Event event) override { events.push_back(std::move(event)); }
  void record(audit::Event event, const policy::Verdict& verdict) override;

 private:
  std::string session_ = "session-test";
  std::shared_ptr<const void> version_ = std::make_shared<int>();
  std::vector<Rule> rules_;
  std::map<std::string, Callback> waiting_;
};

class FakeLeases final : public NameLeases {
 public:
  void add(std::string name, std::string_view address);
  std::vector<std::string> names_of(const IpAddress& address) const override;
  bool is_leased(std::string_view name, const IpAddress& address) const override;
  std::shared_ptr<void> hold(std::string_view name, const IpAddress& address) const override;
  mutable int held = 0;  // Leases that are held now.

 private:
  std::vector<std::pair<std::string, IpAddress>> leases_;
};

class FakeResolver final : public NameResolver {
 public:
  explicit FakeResolver(FakeLeases& leases) : leases_(leases) {}
  std::map<std::string, Resolution> answers;
  void knows(const std::string& host, std::vector<std::string> addresses);
  boost::asio::awaitable<Resolution> resolve(std::string host, policy::Actor actor) override;
  boost::asio::awaitable<Result<std::vector<IpAddress>>> look_up(std::string host) override;

 private:
  FakeLeases& leases_;
};

// TLS without cryptography: accept() takes the ClientHello off the stream and answers
// "HELLO name\n"; connect() sends "CONNECT name\n" and waits for a line, "OK" or an error's text.
class FakeTls final : public TlsServices {
 public:
  std::string accept_error;  // The client refuses our certificate.
  boost::asio::awaitable<Result<TlsLeg>> accept(std::unique_ptr<net::ByteStream> client,
                                                TlsAcceptRequest request) override;
  boost::asio::awaitable<Result<TlsLeg>> connect(std::unique_ptr<net::ByteStream> server,
                                                 TlsConnectRequest request) override;
};

struct FarEnd {
  std::unique_ptr<net::SocketStream> stream;
  UpstreamTarget target;
  ServerUse use = ServerUse::kBytes;
};

class FakeConnector final : public UpstreamConnector {
 public:
  std::deque<FarEnd> far_ends;
  std::map<std::string, std::string> failures;  // By "address:port", the error's text.
  bool forward_proxy = false;
  boost::asio::awaitable<Result<ServerConnection>> connect(boost::asio::any_io_executor executor,
                                                           UpstreamTarget target,
                                                           ServerUse use) override;
};

class FlowHarness {
 public:
  FlowHarness();
  ~FlowHarness();

  boost::asio::io_context loop{1};
  std::shared_ptr<FakePolicy> policy = std::make_shared<FakePolicy>();
  std::shared_ptr<FakeLeases> leases = std::make_shared<FakeLeases>();
  std::shared_ptr<FakeResolver> resolver = std::make_shared<FakeResolver>(*leases);
  std::shared_ptr<FakeTls> tls = std::make_shared<FakeTls>();
  std::shared_ptr<FakeConnector> connector = std::make_shared<FakeConnector>();
  std::shared_ptr<HttpInspectorFactory> inspectors;
  std::shared_ptr<ServiceDirectory> services;
  FlowOptions options;

  struct Start {
    std::string destination = "192.0.2.1:80";
    bool explicit_proxy = false;
    bool service_listener = false;
  };
  void start() { start(Start{}); }
  void start(Start start);

  // The client's end.
  net::SocketStream& client() { return *client_; }
  void client_sends(std::string_view text) { send(*client_, text); }
  std::string client_reads(std::size_t size) { return read(*client_, size); }
  void client_closes() { client_->close(); }

  // The next connection to a server; fails the test when none comes.
  FarEnd server();
  bool has_server() const { return !connector->far_ends.empty(); }

  // What the stream takes, or gives, without waiting.
  static void send_some(net::ByteStream& stream, std::string_view& text);
  static void read_some(net::ByteStream& stream, std::string& text);
  void send(net::ByteStream& stream, std::string_view text);
  std::string read(net::ByteStream& stream, std::size_t size);  // Exactly so many.
  std::string read_head(net::ByteStream& stream);               // Up to the empty line.
  std::string read_all(net::ByteStream& stream);                // Up to the end; "!" if broken.
  // Lets the flow run until nothing more happens by itself.
  void settle();
  // Runs until the flow has ended.
  void finish();
  bool ended() const { return ended_; }
  // Runs until the condition holds.
  void until(const std::function<bool()>& condition);

 private:
  std::unique_ptr<net::SocketStream> client_;
  bool ended_ = false;
};

// A ClientHello with that server name, as bytes.
std::string client_hello(std::string_view name);

// The head's status code and the body's JSON member error.code, of a response of ours.
std::string error_code_of(std::string_view response);

}  // namespace agentsh::flows
