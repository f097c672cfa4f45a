// Real HTTP servers that say what they read: node, python's http.server, and nginx as a proxy in
// front of the node one. Each listens on a Unix socket in a directory of its own.
//
// Lifetime: the processes end with the object. A server that is not installed is left out.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::http {

struct Peer {
  std::string name;
  std::string socket;
};

// What came back on one connection.
struct PeerAnswer {
  std::vector<std::string> seen;  // The X-Seen values in order.
  bool closed = false;            // The peer ended the connection; false: nothing came for 5 s.
};

class Peers {
 public:
  Peers();
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  const std::vector<Peer>& running() const { return peers_; }

  // Sends `bytes` on a new connection and reads until the peer closes it.
  static PeerAnswer exchange(const Peer& peer, std::string_view bytes);

 private:
  bool start_script(const char* interpreter, const char* script, const char* name);
  void start_nginx();

  std::string directory_;
  std::vector<Peer> peers_;
  std::vector<pid_t> processes_;
};

}  // namespace agentsh::http
