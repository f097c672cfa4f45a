// Runs one command in a session over a connection to the server (POST .../exec) and gives its exit
// code.
//
// Attached (run_attached): the command has this process's own stdin, stdout and stderr wherever
// those are files or pipes, and a terminal of its own where they are terminals, whose other end is
// relayed here. The server is not in the data path. Captured (run_captured): the server collects
// the output and answers with one JSON document; stdin goes along.
#pragma once

#include "appliance/client/options.h"

#include <string>
#include <utility>
#include <vector>

namespace agentsh::client {

struct CommandRequest {
  std::string session;
  std::vector<std::string> command;
  std::string argv0;
  std::string working_directory;  // Empty: this process's, where it exists in the session, else the
                                  // workspace.
  std::string timeout;
  std::string include_events;   // all summary blocked none
  bool force_terminal = false;  // --pty
  // Where an unknown session is made: { workspace, policy }.
  std::string workspace;
  std::string policy;
  std::vector<std::pair<std::string, std::string>> extra_environment;

  std::string to_json(unsigned terminal_fds) const;
};

int run_attached(const GlobalOptions& options, const CommandRequest& request);
int run_captured(const GlobalOptions& options, const CommandRequest& request);

}  // namespace agentsh::client
