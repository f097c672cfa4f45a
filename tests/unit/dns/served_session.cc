#include "tests/unit/dns/served_session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace agentsh::dns {

ServedSession::Options upstream_options(std::vector<Endpoint> servers) {
  ServedSession::Options options;
  options.engine.hosts_file = "";
  options.upstream.servers = std::move(servers);
  options.upstream.attempt_timeout = std::chrono::milliseconds(300);
  options.upstream.total_timeout = std::chrono::milliseconds(2000);
  return options;
}

ServedSession::ServedSession(Options options)
    : options_(std::move(options)), work_(boost::asio::make_work_guard(context_)) {
  test_.policy->allowed = {"example.com"};
}

void ServedSession::start() {
  SessionSockets sockets;
  sockets.udp.push_back(bound_socket(SOCK_DGRAM, options_.address));
  sockets.tcp.push_back(bound_socket(SOCK_STREAM, options_.address));
  start(std::move(sockets));
}

void ServedSession::start(SessionSockets sockets) {
  if (!sockets.udp.empty()) udp_ = endpoint_of(sockets.udp.front().get());
  if (!sockets.tcp.empty()) tcp_ = endpoint_of(sockets.tcp.front().get());
  test_.make(options_.session);
  engine_ = std::make_shared<Engine>(options_.engine, std::make_shared<Cache>());
  service_ = Service::create(context_.get_executor(), engine_, options_.upstream, options_.tcp);
  thread_ = std::thread([this] { context_.run(); });
  const auto added =
      on_thread([&] { return service_->add(test_.session, std::move(sockets)).has_value(); });
  EXPECT_TRUE(added);
}

ServedSession::~ServedSession() {
  if (!thread_.joinable()) return;
  on_thread([this] { service_->stop(); });
  work_.reset();
  thread_.join();
}

Message ServedSession::ask(const Message& query) {
  const auto reply = ask_udp(udp_, write_message(query));
  auto parsed = parse_message(reply);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().what);
  return std::move(parsed).value_or(Message());
}

}  // namespace agentsh::dns
