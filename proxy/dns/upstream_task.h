// One question through the upstreams: UDP, TCP where an answer is truncated or doubtful, the next
// server where one fails or stays silent, twice round the list, until the whole time is up.
//
// Each attempt has a socket of its own, so the kernel draws a source port for each; the socket is
// connected, so only the server's own address and port are heard, and a closed port is noticed at
// once. Sockets are of the daemon's namespace: they are made on this thread, which never leaves it.
//
// Threads: of its executor. The owner keeps the task alive until run() has returned.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "proxy/dns/answer.h"
#include "proxy/dns/lookup.h"
#include "proxy/dns/upstream_exchange.h"
#include "proxy/dns/upstream_servers.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::dns {

struct UpstreamOptions {
  std::vector<Endpoint> servers;  // Empty: those of resolv_conf.
  std::string resolv_conf = "/etc/resolv.conf";
  std::chrono::milliseconds attempt_timeout{1000};  // Of one try over UDP, and of one over TCP.
  std::chrono::milliseconds total_timeout{4500};    // Below the five seconds that clients wait.
  int rounds = 2;
  std::size_t max_in_flight = 512;  // Questions at upstreams at one time.
  AnswerOptions answers;
};

class UpstreamTask {
 public:
  UpstreamTask(boost::asio::any_io_executor executor, UpstreamQuestion question,
               UpstreamServers& servers, const UpstreamOptions& options);

  // Never fails: without an answer the result says why (Answer::failure).
  boost::asio::awaitable<Answer> run();

  // Ends run() soon. For the shutdown.
  void stop();

 private:
  boost::asio::awaitable<bool> ask_server(Endpoint server);
  boost::asio::awaitable<ReplyKind> over_udp(Endpoint server);
  boost::asio::awaitable<ReplyKind> over_tcp(Endpoint server);
  bool take_answer(const Endpoint& server);
  std::chrono::milliseconds time_left() const;

  const boost::asio::any_io_executor executor_;
  const UpstreamQuestion question_;
  UpstreamServers& servers_;
  const UpstreamOptions& options_;
  TimePoint deadline_{};
  bool edns_ = true;
  bool stopped_ = false;
  std::function<void()> cancel_attempt_;  // Set while an attempt has a socket.
  std::unique_ptr<UpstreamExchange> exchange_;
  Answer answer_;
  std::string trouble_;  // What went wrong last.
  ErrorInfo trouble_info_ = ErrorInfo::kNoReachableAuthority;
};

}  // namespace agentsh::dns
