// The daemon: everything that lives as long as the server, made in order, taken down in the
// opposite one.
//
//   auto daemon = Daemon::create(loaded_config);
//   int code = (*daemon)->run(ready_fd);       // until SIGTERM or SIGINT
//
// Threads: run() is the API's loop; proxy workers, the launcher and the audit writer have their
// own.
#pragma once

#include "appliance/config/loaded_config.h"
#include "base/result.h"

#include <memory>
#include <string>

namespace agentsh {

class Daemon {
 public:
  // Fails with a sentence that says what the host refuses and what would help.
  static Result<std::unique_ptr<Daemon>> create(config::LoadedConfig config);
  ~Daemon();

  // Serves until told to end; returns the exit code. `ready_fd` (or -1) gets a line once the
  // sockets listen.
  int run(int ready_fd);

 private:
  struct State;
  explicit Daemon(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh
