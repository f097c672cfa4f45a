// A DNS service on a thread of its own, with one session and an upstream, for tests that speak to
// it over sockets.
#pragma once

#include "proxy/dns/service.h"
#include "tests/unit/dns/fakes.h"
#include "tests/unit/dns/scripted_upstream.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace agentsh::dns {

class ServedSession {
 public:
  struct Options {
    EngineOptions engine;
    UpstreamOptions upstream;
    TcpLimits tcp;
    SessionOptions session;
    std::string address = "127.0.0.1";
  };

  explicit ServedSession(Options options);
  ~ServedSession();

  // Set up the policy before; then serve. With `sockets`, those are served instead of new ones.
  void start();
  void start(SessionSockets sockets);

  Message ask(const Message& query);
  // Runs `work` on the service's thread and gives its result.
  template <class Work>
  auto on_thread(Work work) {
    std::promise<decltype(work())> promise;
    auto result = promise.get_future();
    boost::asio::post(context_, [&] {
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return result.get();
  }

  FakePolicy& policy() { return *test_.policy; }
  FakeObserver& observer() { return *test_.observer; }
  Session& session() { return *test_.session; }
  std::shared_ptr<Session> shared_session() { return test_.session; }
  Service& service() { return *service_; }
  boost::asio::io_context& context() { return context_; }
  Engine& engine() { return *engine_; }
  Endpoint udp() const { return udp_; }
  Endpoint tcp() const { return tcp_; }

 private:
  Options options_;
  TestSession test_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Service> service_;
  Endpoint udp_;
  Endpoint tcp_;
  std::thread thread_;
};

// Options whose one upstream is `server`, with short time-outs.
ServedSession::Options upstream_options(std::vector<Endpoint> servers);

}  // namespace agentsh::dns
