// What every verb of the command line shares: the global flags and environment variables, how
// errors are shown, and the way to the server.
#pragma once

#include "appliance/client/http_client.h"
#include "base/json_reader.h"
#include "base/result.h"

#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace agentsh::client {

// Exit codes that are the command line's own; others are the command's.
inline constexpr int kExitFailure = 1;  // Usage, or no way to the server.
inline constexpr int kExitTimeout = 124;
inline constexpr int kExitDenied = 126;
inline constexpr int kExitNotStarted = 127;

struct GlobalOptions {
  std::string server;   // --server, AGENTSH_SERVER; empty: the default socket.
  std::string api_key;  // --api-key, AGENTSH_API_KEY
  // --client-timeout, AGENTSH_CLIENT_TIMEOUT: how long an answer may take. Running commands and
  // followed events have their own time.
  std::chrono::milliseconds timeout{30'000};
  std::string config;  // --config, AGENTSH_CONFIG: given to a server that is started on demand.
};

using Arguments = std::span<const std::string>;

// Adds the global flags to a verb's parser.
void add_global_options(CLI::App& app, GlobalOptions& options);

// "30s", "1m30s", "500ms": more than nothing, at most a year.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// Parses; on --help or a mistake prints and returns the exit code to end with, else a negative
// number.
int parse_arguments(CLI::App& app, Arguments arguments);

// Prints "agentsh: <message>" on stderr and returns kExitFailure.
int report(const Error& error);
int report(std::string_view message);

// A connection to the server; starts one when there is none and the address was not given
// (AGENTSH_NO_AUTO=1 forbids it).
Result<HttpConnection> connect_to_server(const GlobalOptions& options);

// One request on a connection of its own. A status of 400 and above is an Error with the server's
// sentence.
Result<std::string> call(const GlobalOptions& options, std::string_view method, std::string path,
                         std::string body = {});

// Prints a body that is JSON, indented for people; returns the exit code.
int print_json(const Result<std::string>& body);

// Verbs with verbs of their own: `agentsh session create`.
struct Subcommand {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments);
};
int dispatch_subcommand(std::string_view verb, std::span<const Subcommand> subcommands,
                        Arguments arguments);

// The sentence of an error response: {"error": "..."} or the body itself.
std::string error_sentence(const HttpResponse& response);

// The directory of this executable, where agentshd is.
std::string executable_directory();

std::string environment_variable(const char* name);

}  // namespace agentsh::client
