// TLS of the proxy as what flows ask: leaves from the cache, contexts of each event loop.
//
//   auto shared = std::make_shared<TlsShared>(leaves, trust);      // Once per daemon.
//   context.tls = std::make_shared<SessionTls>(shared, session_id);
//
// Threads: any; what belongs to a loop is made on first use and kept apart.
#pragma once

#include "base/lock_guarded.h"
#include "certs/leaf_cache.h"
#include "certs/trust_store.h"
#include "proxy/flows/services.h"
#include "proxy/net/tls_context.h"

#include <memory>
#include <string>
#include <unordered_map>

namespace boost::asio {
class execution_context;
}

namespace agentsh::flows {

class TlsShared {
 public:
  TlsShared(std::shared_ptr<certs::LeafCache> leaves,
            std::shared_ptr<const certs::TrustStore> trust)
      : leaves_(std::move(leaves)), trust_(std::move(trust)), tickets_(net::TicketKeys::random()) {}

  struct Contexts {
    std::shared_ptr<const net::ServerContext> server;
    std::shared_ptr<net::ClientContext> client;
  };
  // Of the loop behind the executor.
  Result<Contexts> contexts(const boost::asio::any_io_executor& executor);
  certs::LeafCache& leaves() { return *leaves_; }

 private:
  const std::shared_ptr<certs::LeafCache> leaves_;
  const std::shared_ptr<const certs::TrustStore> trust_;
  const net::TicketKeys tickets_;
  LockGuarded<std::unordered_map<const boost::asio::execution_context*, Contexts>> by_loop_;
};

class SessionTls final : public TlsServices {
 public:
  SessionTls(std::shared_ptr<TlsShared> shared, std::string session_id)
      : shared_(std::move(shared)), session_id_(std::move(session_id)) {}

  boost::asio::awaitable<Result<TlsLeg>> accept(std::unique_ptr<net::ByteStream> client,
                                                TlsAcceptRequest request) override;
  boost::asio::awaitable<Result<TlsLeg>> connect(std::unique_ptr<net::ByteStream> server,
                                                 TlsConnectRequest request) override;

 private:
  const std::shared_ptr<TlsShared> shared_;
  const std::string session_id_;
};

}  // namespace agentsh::flows
