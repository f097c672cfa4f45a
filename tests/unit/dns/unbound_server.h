// unbound(8) with a configuration of its own, on a free port of loopback.
#pragma once

#include "base/ip.h"
#include "base/result.h"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace agentsh::dns {

class UnboundServer {
 public:
  // `server_lines` go into the server section (zones, settings). Returns once it answers.
  static Result<UnboundServer> start(std::string_view server_lines, int threads = 1);
  UnboundServer(UnboundServer&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        endpoint_(other.endpoint_),
        directory_(std::move(other.directory_)) {}
  ~UnboundServer();

  Endpoint endpoint() const { return endpoint_; }
  // That the process has used so far.
  double cpu_seconds() const;

 private:
  UnboundServer(pid_t pid, Endpoint endpoint, std::string directory)
      : pid_(pid), endpoint_(endpoint), directory_(std::move(directory)) {}

  pid_t pid_;
  Endpoint endpoint_;
  std::string directory_;
};

}  // namespace agentsh::dns
