// The DNS service of one worker thread: sessions with their sockets, the upstream client they
// share, and the resolver for the proxy.
//
//   auto service = Service::create(executor, engine, upstream_options);
//   service->add(session, std::move(sockets));
//   ...
//   service->remove(session->id());
//   service->stop();
//
// Sockets come as descriptors and may live in any network namespace; upstream sockets are made in
// the thread's own. One service per thread; several share the engine, and with it the cache.
//
// Threads: of the executor, unless said otherwise. Lifetime: shared; stop() before the executor
// ends.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/dns/lookup_runner.h"
#include "proxy/dns/query_handler.h"
#include "proxy/dns/resolver.h"
#include "proxy/dns/tcp_server.h"
#include "proxy/dns/udp_server.h"
#include "proxy/dns/upstream_client.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace agentsh::dns {

// Bound UDP sockets and listening TCP sockets, of either family.
struct SessionSockets {
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;
};

class Service : public std::enable_shared_from_this<Service> {
 public:
  static std::shared_ptr<Service> create(boost::asio::any_io_executor executor,
                                         std::shared_ptr<Engine> engine, UpstreamOptions upstream,
                                         TcpLimits tcp_limits = {});

  // Serves the session. Fails, with nothing served, when a socket is of the wrong kind or the id is
  // taken.
  Result<> add(std::shared_ptr<Session> session, SessionSockets sockets);

  // Serves a connection that was accepted elsewhere (a redirected connection to port 53). Closed
  // when the session is unknown.
  void adopt(const std::string& session_id, UniqueFd connection);

  // Closes the session's sockets. Questions that still wait end unanswered.
  void remove(const std::string& session_id);

  // Ends everything; questions at upstreams fail.
  void stop();

  // Any thread (see resolver.h).
  const Resolver& resolver() const { return resolver_; }

 private:
  struct Served {
    std::shared_ptr<Session> session;
    std::vector<std::shared_ptr<UdpServer>> udp;
    std::shared_ptr<TcpServer> tcp;

    void stop();
  };

  Service(boost::asio::any_io_executor executor, std::shared_ptr<Engine> engine,
          UpstreamOptions upstream, TcpLimits tcp_limits);

  const boost::asio::any_io_executor executor_;
  const TcpLimits tcp_limits_;
  const std::shared_ptr<UpstreamClient> upstream_;
  const std::shared_ptr<LookupRunner> runner_;
  const std::shared_ptr<QueryHandler> handler_;
  const Resolver resolver_;
  std::unordered_map<std::string, Served> sessions_;
};

}  // namespace agentsh::dns
