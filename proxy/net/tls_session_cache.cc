#include "proxy/net/tls_session_cache.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>

namespace agentsh::net {
namespace {

constexpr std::size_t kSessionsPerServer = 4;

bool usable(SSL_SESSION* session) {
  if (SSL_SESSION_is_resumable(session) != 1) return false;
  if (SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session) <= std::time(nullptr)) {
    return false;
  }
  // A resumed session is not verified again: it must not outlive what was verified.
  const X509* peer = SSL_SESSION_get0_peer(session);
  return peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

}  // namespace

void SslSessionFree::operator()(ssl_session_st* session) const {
  SSL_SESSION_free(session);
}

void TlsSessionCache::put(const std::string& server, SslSessionPtr session) {
  auto found = by_server_.find(server);
  if (found == by_server_.end()) {
    order_.push_front({server, {}});
    found = by_server_.emplace(order_.front().server, order_.begin()).first;
  } else {
    order_.splice(order_.begin(), order_, found->second);
  }
  auto& sessions = found->second->sessions;
  sessions.push_back(std::move(session));
  if (sessions.size() > kSessionsPerServer) sessions.pop_front();
  if (order_.size() > capacity_) {
    by_server_.erase(order_.back().server);
    order_.pop_back();
  }
}

SslSessionPtr TlsSessionCache::take(std::string_view server) {
  const auto found = by_server_.find(server);
  if (found == by_server_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  auto& sessions = found->second->sessions;
  while (!sessions.empty()) {
    SSL_SESSION* newest = sessions.back().get();
    if (usable(newest) && SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
      SSL_SESSION_up_ref(newest);
      return SslSessionPtr(newest);
    }
    SslSessionPtr session = std::move(sessions.back());
    sessions.pop_back();
    if (usable(session.get())) return session;
  }
  return nullptr;
}

}  // namespace agentsh::net
