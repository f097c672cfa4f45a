// What a flow needs of others, as small interfaces: the session's policy, its name leases, a
// resolver, TLS on both legs, the way to servers. The composition root implements them over the
// gate, the DNS service and the TLS contexts; tests script them.
//
// Threads: policy, leases and resolver are shared by all workers; the others are called on the
// flow's own thread. None may block.
#pragma once

#include "audit/event.h"
#include "base/ip.h"
#include "policies/approval_queue.h"
#include "policies/facts.h"
#include "policies/verdict.h"
#include "proxy/net/byte_stream.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::certs {
class Leaf;
}

namespace agentsh::flows {

// The session's door to decisions and records (policies/gate.h).
class FlowPolicy {
 public:
  using Callback = std::function<void(policy::Verdict)>;
  virtual ~FlowPolicy() = default;

  virtual const std::string& session_id() const = 0;
  // Another one when the policy is replaced: what was judged before is judged again.
  virtual std::shared_ptr<const void> version() const = 0;
  // Records nothing.
  virtual policy::Verdict judge(const policy::ConnectFacts& facts) const = 0;
  // Waits for an approval if the verdict needs one, records the event, calls back once. Returns the
  // id of what is being waited for, or "" when the callback has run.
  virtual std::string settle(policy::Verdict verdict, policy::ApprovalRequest request,
                             audit::Event event, Callback done) = 0;
  virtual void abandon(const std::string& approval_id) = 0;
  virtual void record(audit::Event event) = 0;
  virtual void record(audit::Event event, const policy::Verdict& verdict) = 0;
};

// Which addresses this session was given for which names (DNS answers, /etc/hosts).
class NameLeases {
 public:
  virtual ~NameLeases() = default;
  virtual std::vector<std::string> names_of(const IpAddress& address) const = 0;
  virtual bool is_leased(std::string_view name, const IpAddress& address) const = 0;
  // Keeps the lease while the returned object lives. Null when there is none.
  virtual std::shared_ptr<void> hold(std::string_view name, const IpAddress& address) const = 0;
};

struct Resolution {
  enum class Status : std::uint8_t { kFound, kDenied, kNoSuchName, kFailed };
  Status status = Status::kFailed;
  std::vector<IpAddress> addresses;
  policy::Verdict verdict = policy::Verdict::deny("dns-undecided", "the question was not decided");
  std::string reason;  // A sentence; empty when found.
};

class NameResolver {
 public:
  virtual ~NameResolver() = default;
  // For a name that a client gave (CONNECT, absolute form): decided and recorded like a question of
  // its own; the addresses become leases of the session.
  virtual boost::asio::awaitable<Resolution> resolve(std::string host, policy::Actor actor) = 0;
  // For a name that the operator gave (the target of a redirect): not decided, no lease.
  virtual boost::asio::awaitable<Result<std::vector<IpAddress>>> look_up(std::string host) = 0;
};

// A TLS leg that is up.
struct TlsLeg {
  std::unique_ptr<net::ByteStream> stream;
  std::string version;  // "TLSv1.3"
  std::string alpn;
  // Of the server's certificate; empty on the client's leg.
  std::string subject;
  std::string issuer;
  std::vector<std::uint8_t> end_point;  // What a login inside can be bound to (RFC 5929).
};

struct TlsAcceptRequest {
  std::string leaf_name;    // The host name or address that the certificate is for.
  std::string server_name;  // Of the ClientHello that was read; "" for none.
  std::chrono::milliseconds timeout{};
  std::vector<std::string> alpn = {"http/1.1"};  // What we speak.
  bool any_server_name = false;                  // No ClientHello was read.
};

struct TlsConnectRequest {
  std::string host;  // A host name or an address in text: what the certificate must be for.
  std::uint16_t port = 0;
  std::chrono::milliseconds timeout{};
  std::vector<std::string> alpn = {"http/1.1"};
  std::shared_ptr<const certs::Leaf> certificate = {};  // Ours, if the server asks; null: none.
};

class TlsServices {
 public:
  virtual ~TlsServices() = default;
  // Answers a client with a minted leaf certificate.
  virtual boost::asio::awaitable<Result<TlsLeg>> accept(std::unique_ptr<net::ByteStream> client,
                                                        TlsAcceptRequest request) = 0;
  // Connects to a server; succeeds only when its certificate is valid. Fails with timed_out when
  // the time is over.
  virtual boost::asio::awaitable<Result<TlsLeg>> connect(std::unique_ptr<net::ByteStream> server,
                                                         TlsConnectRequest request) = 0;
};

// What a path under /svc/ leads to: a service that the policy declares (http_services).
struct ServiceTarget {
  std::string service;
  std::string host;  // Canonical, or an address in text.
  std::uint16_t port = 443;
  std::string path;  // For the host, with query.
};

class ServiceDirectory {
 public:
  virtual ~ServiceDirectory() = default;
  // `path` as on the wire. Nothing: there is no such service.
  virtual std::optional<ServiceTarget> find(std::string_view path) const = 0;
  // For people who asked for one that is not there.
  virtual std::vector<std::string> names() const = 0;
};

// Where a connection to a server goes.
struct UpstreamTarget {
  Endpoint endpoint;      // Checked; nothing is resolved again.
  std::string unix_path;  // Instead of the endpoint, when a redirect says so.
  std::string name;       // The host name behind it; empty when there is none.
};

enum class ServerUse : std::uint8_t { kBytes, kPlainHttp };

struct ServerConnection {
  std::unique_ptr<net::ByteStream> stream;
  // At its other end is a proxy that wants HTTP requests in absolute form, with these credentials
  // (the value of Proxy-Authorization). Only for kPlainHttp.
  bool forward_proxy = false;
  std::string proxy_authorization;
};

class UpstreamConnector {
 public:
  virtual ~UpstreamConnector() = default;
  // Connects to exactly this target, or has a proxy do it.
  virtual boost::asio::awaitable<Result<ServerConnection>> connect(
      boost::asio::any_io_executor executor, UpstreamTarget target, ServerUse use) = 0;
};

struct Connection;

// The policy's database services (db_services): connections to them are the guard's.
class DatabaseGuard {
 public:
  virtual ~DatabaseGuard() = default;
  // The service that is at this address, by itself or under one of the names that the session knows
  // it by.
  virtual std::optional<std::string> service_at(const Endpoint& destination,
                                                const NameLeases& leases) const = 0;
  // From the client's first byte to the end.
  virtual boost::asio::awaitable<void> serve(Connection& connection, std::string service) = 0;
  // A client that speaks the database's protocol to a server which is no service: true when the
  // policy lets it go where network_rules allow it. Records what it finds.
  virtual bool permits_undeclared(const Connection& connection) = 0;
};

}  // namespace agentsh::flows
