// Servers to connect to: OpenSSL used the plain blocking way in a thread of its own, with every
// setting that we would not choose.
#pragma once

#include "base/ip.h"
#include "base/unique_fd.h"
#include "tests/unit/net/test_pki.h"

#include <openssl/ssl.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace agentsh::net {

struct PeerSpec {
  const TestCert* certificate = nullptr;
  std::vector<const TestCert*> chain;  // Sent after it.
  int min_version = TLS1_VERSION;
  int max_version = TLS1_3_VERSION;
  const char* ciphers = "ALL:@SECLEVEL=0";
  std::string alpn;  // What the server chooses if the client offers it; "" for no ALPN.
  bool wants_client_certificate = false;
  int connections = 1;
  // What is done after the handshake; by default everything is echoed until the client's end.
  std::function<void(SSL*)> serve;
};

// Accepts `connections` connections, one after the other.
class TlsPeer {
 public:
  explicit TlsPeer(PeerSpec spec);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  void run();

  PeerSpec spec_;
  UniqueFd listener_;
  Endpoint endpoint_;
  std::thread thread_;
};

// The same without TLS: `serve` gets the connected socket.
class PlainPeer {
 public:
  explicit PlainPeer(std::function<void(int socket)> serve);
  ~PlainPeer();
  PlainPeer(const PlainPeer&) = delete;
  PlainPeer& operator=(const PlainPeer&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  UniqueFd listener_;
  Endpoint endpoint_;
  std::thread thread_;
};

}  // namespace agentsh::net
