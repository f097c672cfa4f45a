// TLS sessions of upstream servers, so that the next connection to the same one skips the
// certificate exchange and its verification. Bounded, least recently used servers dropped.
//
// A TLS 1.3 ticket is used once (RFC 8446 §C.4), so a few are kept per server. Threads: that of the
// ClientContext it belongs to.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct ssl_session_st;

namespace agentsh::net {

struct SslSessionFree {
  void operator()(ssl_session_st* session) const;
};
using SslSessionPtr = std::unique_ptr<ssl_session_st, SslSessionFree>;

class TlsSessionCache {
 public:
  explicit TlsSessionCache(std::size_t servers = 256) : capacity_(servers) {}

  void put(const std::string& server, SslSessionPtr session);
  // A session that can be resumed now, or nothing. Its certificate has not expired meanwhile.
  SslSessionPtr take(std::string_view server);
  std::size_t size() const { return by_server_.size(); }

 private:
  struct Entry {
    std::string server;
    std::deque<SslSessionPtr> sessions;  // Newest last.
  };
  using Order = std::list<Entry>;  // Most recently used first.

  std::size_t capacity_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_server_;
};

}  // namespace agentsh::net
