// A resolver on loopback that answers as its test says: UDP and TCP on one port, served by a thread
// of its own.
#pragma once

#include "base/ip.h"
#include "base/unique_fd.h"
#include "proxy/dns/message.h"

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace agentsh::dns {

class ScriptedUpstream {
 public:
  struct Exchange {
    Message query;
    Bytes bytes;  // Of the query.
    bool tcp = false;
    int number = 0;   // Of all queries so far, from 1.
    Endpoint client;  // Over UDP.
  };
  // The datagrams to send back, in order (over TCP: messages, which are framed here).
  using Script = std::function<std::vector<std::vector<std::uint8_t>>(const Exchange&)>;

  // On a port of the kernel's choice, or on `endpoint`.
  explicit ScriptedUpstream(Script script, Endpoint endpoint = {IpAddress::v4(0x7f000001), 0});
  ~ScriptedUpstream();

  Endpoint endpoint() const { return endpoint_; }
  int queries() const { return queries_; }
  int tcp_queries() const { return tcp_queries_; }

 private:
  void serve();
  void serve_udp();
  void serve_tcp();

  Script script_;
  UniqueFd udp_;
  UniqueFd tcp_;
  UniqueFd wake_;
  Endpoint endpoint_;
  std::atomic<int> queries_{0};
  std::atomic<int> tcp_queries_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The usual script: answers from a table of records by owner, NXDOMAIN with an SOA for the rest.
ScriptedUpstream::Script table_script(std::vector<Record> records);

// Sockets for the service under test, or a peer, bound to `address` and a port of the kernel's
// choice.
UniqueFd bound_socket(int type, std::string_view address, std::uint16_t port = 0);
Endpoint endpoint_of(int socket);

// A client's exchange over UDP: sends, and waits for one reply at most `timeout_ms`. Empty on
// time-out.
std::vector<std::uint8_t> ask_udp(const Endpoint& server, Bytes query, int timeout_ms = 5000);
// The same over TCP, all queries on one connection; as many replies as come until the server closes
// or `expected` are there.
std::vector<std::vector<std::uint8_t>> ask_tcp(
    const Endpoint& server, const std::vector<std::vector<std::uint8_t>>& queries,
    std::size_t expected, int timeout_ms = 5000);

}  // namespace agentsh::dns
