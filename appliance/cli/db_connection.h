// `agentsh policy db connection`: may a client connect, and with these startup parameters?
#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::cli {

struct ConnectionQuestion {
  std::string policy, service;
  std::string kind = "connect";
  std::string user, database, application_name, client_identity;
  std::vector<std::string> parameters;  // name=value of the startup message.
  bool json = false;
};

// The verb, whose options are read into `question`.
CLI::App* add_connection_verb(CLI::App& app, ConnectionQuestion& question);

// Exit code: 0 permitted or to be approved, 1 denied.
int explain_connection(const ConnectionQuestion& question,
                       const std::vector<std::string>& directories);

}  // namespace agentsh::cli
