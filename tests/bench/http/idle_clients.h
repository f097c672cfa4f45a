// Many clients that send one request each and then stay, in a process of their own, so that what
// they cost is not counted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

namespace agentsh::bench {

class IdleClients {
 public:
  // Blocks until all have their responses. Precondition: this process has one thread, or `child`
  // code may run after fork (it uses no locks of ours).
  IdleClients(std::uint16_t port, unsigned count, bool tls);
  ~IdleClients();  // Ends them.
  // How many got a response.
  unsigned ready() const { return ready_; }

 private:
  pid_t child_ = -1;
  int control_ = -1;
  unsigned ready_ = 0;
};

// Resident memory of this process that is its own.
std::size_t resident_bytes();

}  // namespace agentsh::bench
