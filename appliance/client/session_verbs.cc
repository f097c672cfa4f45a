#include "appliance/client/session_verbs.h"

#include "appliance/client/command_run.h"
#include "base/encoding.h"
#include "base/file_io.h"
#include "base/json_writer.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

namespace agentsh::client {
namespace {

std::string session_path(std::string_view id) {
  return "/api/v1/sessions/" + percent_encoded(id);
}

int create(Arguments arguments) {
  GlobalOptions global;
  std::string workspace = ".", policy, id, profile;
  std::vector<int> host_ports;
  bool json_output = false, real_paths = false, virtual_paths = false;
  CLI::App app("Creates a session; prints its id", "agentsh session create");
  add_global_options(app, global);
  app.add_option("--workspace", workspace, "Directory that commands may write to")
      ->capture_default_str();
  app.add_option("--policy", policy,
                 "Policy by name (default: policies.default of the configuration)");
  app.add_option("--id", id, "Id of the session (default: made up)");
  app.add_option("--host-port", host_ports,
                 "A port of this machine's localhost that the session may reach (repeat)");
  app.add_flag("--json", json_output, "Print the session as JSON");
  app.add_flag("--real-paths", real_paths, "The workspace at its real path (default)");
  app.add_flag("--virtual-paths", virtual_paths, "The workspace at /workspace as well");
  app.footer("Example:\n  SID=$(agentsh session create --workspace . --json | jq -r .id)");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  std::error_code error;
  const auto canonical = std::filesystem::canonical(workspace, error);
  if (error) return report(fmt::format("workspace {}: {}", workspace, error.message()));
  JsonWriter json;
  json.begin_object().field("workspace", std::string_view(canonical.native()));
  json.optional_field("policy", policy)
      .optional_field("id", id)
      .optional_field("home", environment_variable("HOME"));
  json.field("real_paths", !virtual_paths).key("host_ports").begin_array();
  for (int port : host_ports) json.value(port);
  json.end_array().end_object();
  auto body = call(global, "POST", "/api/v1/sessions", json.take());
  if (!body) return report(body.error());
  auto document = JsonDocument::parse(*body);
  if (!document) return report(document.error());
  // The document has them too.
  for (const JsonNode& warning : document->root().member("warnings").elements()) {
    if (json_output) break;
    fmt::print(stderr, "agentsh: warning: {}\n", JsonValue(&warning).as_text());
  }
  fmt::print("{}\n",
             json_output ? document->root().dump(2) : std::string(document->root().text("id")));
  return 0;
}

// list, info and destroy differ in method and path only.
int simple(std::string_view name, std::string_view description, std::string_view method,
           bool needs_id, Arguments arguments) {
  GlobalOptions global;
  std::string id;
  CLI::App app(std::string(description), fmt::format("agentsh session {}", name));
  add_global_options(app, global);
  bool json = false;
  app.add_flag("--json", json, "Accepted: the output is JSON");
  if (needs_id) app.add_option("session", id, "Session id")->required();
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  auto body = call(global, method, needs_id ? session_path(id) : "/api/v1/sessions");
  if (!body || !body->empty()) return print_json(body);
  return 0;
}

int update(Arguments arguments) {
  GlobalOptions global;
  std::string id, cwd;
  std::vector<std::string> set, unset;
  CLI::App app("Changes the directory and environment that later commands start with",
               "agentsh session update");
  add_global_options(app, global);
  app.add_option("session", id, "Session id")->required();
  app.add_option("--cwd", cwd, "Working directory");
  app.add_option("--set-env", set, "NAME=value (repeat)");
  app.add_option("--unset-env", unset, "NAME (repeat)");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  JsonWriter json;
  json.begin_object().optional_field("cwd", cwd).key("env").begin_object();
  for (const std::string& entry : set) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0)
      return report("--set-env wants NAME=value, not " + entry);
    json.field(entry.substr(0, equals), std::string_view(entry).substr(equals + 1));
  }
  json.end_object().key("unset").begin_array();
  for (const std::string& name : unset) json.value(std::string_view(name));
  json.end_array().end_object();
  return print_json(call(global, "PATCH", session_path(id), json.take()));
}

int attach(Arguments arguments) {
  GlobalOptions global;
  CommandRequest request;
  CLI::App app("An interactive shell in the session", "agentsh session attach");
  add_global_options(app, global);
  std::string shell = "bash";
  app.add_option("session", request.session, "Session id")->required();
  app.add_option("--shell", shell, "Shell to run")->capture_default_str();
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  request.command = {shell};
  return run_attached(global, request);
}

int logs(Arguments arguments) {
  GlobalOptions global;
  std::string id, type;
  CLI::App app("The events of a session, one JSON object per line", "agentsh session logs");
  add_global_options(app, global);
  app.add_option("session", id, "Session id")->required();
  app.add_option("--type", type, "Only fs, net or exec events; llm: the records of LLM requests")
      ->check(CLI::IsMember({"fs", "net", "exec", "llm"}));
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  if (type == "llm") {
    auto lines = call(global, "GET", session_path(id) + "/llm-requests");
    if (!lines) return report(lines.error());
    fmt::print("{}", *lines);
    return 0;
  }
  std::string path = session_path(id) + "/history?order=asc&limit=100000";
  if (!type.empty()) path += "&kind=" + type;
  auto body = call(global, "GET", path);
  if (!body) return report(body.error());
  auto document = JsonDocument::parse(*body, {.max_bytes = 256 << 20});
  if (!document) return report(document.error());
  for (const JsonNode& event : document->root().member("events").elements()) {
    fmt::print("{}\n", JsonValue(&event).dump());
  }
  return 0;
}

int publish(Arguments arguments) {
  GlobalOptions global;
  std::string id;
  int port = 0, host_port = 0;
  CLI::App app("Makes a TCP port inside the session reachable on this machine's 127.0.0.1",
               "agentsh session publish");
  add_global_options(app, global);
  app.add_option("session", id, "Session id")->required();
  app.add_option("port", port, "Port inside the session")->required()->check(CLI::Range(1, 65535));
  app.add_option("--as", host_port, "Port on 127.0.0.1 (default: any free one)")
      ->check(CLI::Range(1, 65535));
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  JsonWriter json;
  json.begin_object().field("port", port).field("host_port", host_port).end_object();
  auto body = call(global, "POST", session_path(id) + "/publish", json.take());
  if (!body) return report(body.error());
  auto document = JsonDocument::parse(*body);
  if (!document) return report(document.error());
  fmt::print("127.0.0.1:{}\n", document->root().integer("host_port"));
  return 0;
}

int list(Arguments arguments) {
  return simple("list", "Lists the sessions", "GET", false, arguments);
}
int info(Arguments arguments) {
  return simple("info", "Shows a session", "GET", true, arguments);
}
int destroy(Arguments arguments) {
  return simple("destroy", "Ends a session and everything in it", "DELETE", true, arguments);
}

constexpr Subcommand kSubcommands[] = {
    {"create", "make a session and print its id", create},
    {"list", "all sessions", list},
    {"info", "one session", info},
    {"update", "directory and environment for later commands", update},
    {"attach", "an interactive shell in the session", attach},
    {"logs", "its events", logs},
    {"publish", "bring a port of the session out to 127.0.0.1", publish},
    {"destroy", "end it and everything in it", destroy},
};

}  // namespace

int run_session(Arguments arguments) {
  return dispatch_subcommand("session", kSubcommands, arguments);
}

int run_kill(Arguments arguments) {
  GlobalOptions global;
  std::string session, command;
  CLI::App app("Ends a running command and its process group", "agentsh kill");
  add_global_options(app, global);
  app.add_option("session", session, "Session id")->required();
  app.add_option("command", command, "Command id (from `agentsh session info`)")->required();
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  return print_json(
      call(global, "POST", session_path(session) + "/kill/" + percent_encoded(command)));
}

int run_output(Arguments arguments) {
  GlobalOptions global;
  std::string session, command, stream = "stdout";
  std::uint64_t offset = 0, limit = 65536;
  CLI::App app("Pages through the stored output of a command that ran with --output json",
               "agentsh output");
  add_global_options(app, global);
  app.add_option("session", session, "Session id")->required();
  app.add_option("command", command, "Command id")->required();
  app.add_option("--stream", stream, "stdout or stderr")
      ->check(CLI::IsMember({"stdout", "stderr"}))
      ->capture_default_str();
  app.add_option("--offset", offset, "First byte")->capture_default_str();
  app.add_option("--limit", limit, "Bytes at most")->capture_default_str();
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  return print_json(
      call(global, "GET",
           fmt::format("{}/output/{}?stream={}&offset={}&limit={}", session_path(session),
                       percent_encoded(command), stream, offset, limit)));
}

}  // namespace agentsh::client
