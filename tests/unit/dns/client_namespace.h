// A network and mount namespace as a session has it: no way out, DNS sockets on addresses of our
// own, a resolv.conf that names them. The sockets are handed to the test, which serves them from
// outside; programs run inside by nsenter(1).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/dns/service.h"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace agentsh::dns {

class ClientNamespace {
 public:
  // Needs root. `resolver_lines` follow the nameserver line of resolv.conf.
  static Result<ClientNamespace> create(std::string_view resolver_lines = "");
  ClientNamespace(ClientNamespace&&) = default;
  ~ClientNamespace();

  SessionSockets take_sockets() { return std::move(sockets_); }

  struct Output {
    int status = -1;
    std::string text;  // Standard output and error.
  };
  // Runs a shell command inside.
  Output run(const std::string& command) const;

 private:
  ClientNamespace(pid_t holder, UniqueFd control, SessionSockets sockets, std::string directory)
      : holder_(holder),
        control_(std::move(control)),
        sockets_(std::move(sockets)),
        directory_(std::move(directory)) {}

  pid_t holder_;
  UniqueFd control_;  // The holder ends when this closes.
  SessionSockets sockets_;
  std::string directory_;
};

}  // namespace agentsh::dns
