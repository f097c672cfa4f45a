// The settings that TLS connections of one event loop share: one ServerContext towards sandboxed
// programs, one ClientContext towards their servers.
//
// Both: TLS 1.2 and 1.3, no renegotiation, no compression, no early data, buffers only while bytes
// are in them. Threads: each context belongs to one loop; TicketKeys and the trust store are shared
// by all of them.
#pragma once

#include "base/result.h"
#include "certs/trust_store.h"
#include "proxy/net/tls_session_cache.h"

#include <array>
#include <cstdint>
#include <memory>

struct ssl_ctx_st;

namespace agentsh::net {

struct SslContextFree {
  void operator()(ssl_ctx_st* context) const;
};
using SslContextPtr = std::unique_ptr<ssl_ctx_st, SslContextFree>;

// What session tickets are sealed with, the same in every worker so that a client that comes back
// is recognised by whichever it meets. In memory only, new with each process.
struct TicketKeys {
  std::array<std::uint8_t, 80> bytes;
  static TicketKeys random();
};

class ServerContext {
 public:
  static Result<std::shared_ptr<const ServerContext>> create(const TicketKeys& tickets);
  ssl_ctx_st* handle() const { return context_.get(); }

 private:
  explicit ServerContext(SslContextPtr context) : context_(std::move(context)) {}
  SslContextPtr context_;
};

class ClientContext {
 public:
  static Result<std::shared_ptr<ClientContext>> create(
      std::shared_ptr<const certs::TrustStore> trust);
  ssl_ctx_st* handle() const { return context_.get(); }
  TlsSessionCache& sessions() { return sessions_; }

 private:
  explicit ClientContext(SslContextPtr context) : context_(std::move(context)) {}
  SslContextPtr context_;
  TlsSessionCache sessions_;
};

}  // namespace agentsh::net
