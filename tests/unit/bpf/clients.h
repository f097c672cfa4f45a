// What programs do to reach a network, each as a function that runs inside a session and says in
// one line how it ended: "ok <peer>" or "errno <name>".
#pragma once

#include "base/ip.h"

#include <string>

namespace agentsh::bpf::testing {

struct TcpClient {
  Endpoint to;
  bool mapped = false;             // An IPv6 socket and ::ffff:a.b.c.d.
  bool non_blocking = false;       // connect() in progress, poll, SO_ERROR.
  bool fast_open = false;          // sendto(MSG_FASTOPEN)
  bool fast_open_connect = false;  // TCP_FASTOPEN_CONNECT
  bool bind_first = false;         // To an ephemeral port of the wildcard address.
  bool reuse_port = false;
  bool connect_twice = false;  // AF_UNSPEC between two connects.
  int protocol = 0;            // IPPROTO_MPTCP
  std::string payload = "x";   // Sent after connecting.
};
// Connects, compares, sends the payload and closes. Says the address that getpeername() tells.
std::string run_tcp_client(const TcpClient& client);

// socket(2), closed at once.
std::string try_socket(int family, int type, int protocol);

struct Datagram {
  Endpoint to;
  bool mapped = false;
  bool connected = false;  // connect() and send() instead of sendto().
  bool many = false;       // sendmmsg() of two.
  bool broadcast = false;  // SO_BROADCAST
  std::string payload = "x";
  bool want_answer = false;  // Says "ok <source of the answer> <answer>".
  bool want_peer = false;    // Says "ok <getpeername>".
};
std::string send_datagram(const Datagram& datagram);

// "errno EPERM"
std::string errno_text(int value);

}  // namespace agentsh::bpf::testing
