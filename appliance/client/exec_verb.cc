#include "appliance/client/exec_verb.h"

#include "appliance/client/command_run.h"
#include "base/encoding.h"
#include "base/file_io.h"
#include "base/json_writer.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace agentsh::client {
namespace {

// Everything after "--" is the command, untouched by option parsing.
std::pair<Arguments, Arguments> split_command(Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") return {arguments.first(i), arguments.subspan(i + 1)};
  }
  return {arguments, {}};
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  auto absolute = std::filesystem::weakly_canonical(path.empty() ? "." : path, error);
  return error ? path : absolute.string();
}

Result<std::string> create_session(const GlobalOptions& options, const std::string& workspace,
                                   const std::string& policy) {
  JsonWriter json;
  json.begin_object()
      .field("workspace", std::string_view(workspace))
      .optional_field("policy", policy);
  json.optional_field("home", environment_variable("HOME")).end_object();
  auto body = call(options, "POST", "/api/v1/sessions", json.take());
  if (!body) return std::unexpected(body.error());
  auto document = JsonDocument::parse(*body);
  if (!document) return std::unexpected(document.error());
  return std::string(document->root().text("id"));
}

struct ExecOptions {
  GlobalOptions global;
  CommandRequest request;
  std::string json;
  std::string output = "shell";
  std::string root;
  std::string session_file;
  bool stream = false;
  bool real_paths = false;
  bool no_detect_root = false;
};

// --json '{"command": ..., "args": [...]}' instead of a command line.
Result<> apply_json(ExecOptions& options) {
  auto document = JsonDocument::parse(options.json);
  if (!document) return std::unexpected(with_context(document.error(), "--json"));
  const JsonValue root = document->root();
  for (const auto& [key, value] : root.members()) {
    if (key != "command" && key != "args" && key != "argv0" && key != "timeout" &&
        key != "working_dir" && key != "env" && key != "include_events") {
      return fail(fmt::format(
          "--json: unknown key \"{}\" (known: command args argv0 timeout working_dir env "
          "include_events)",
          key));
    }
  }
  if (root.text("command").empty()) return fail("--json: \"command\" is missing");
  options.request.command = {std::string(root.text("command"))};
  for (std::string& argument : root.texts("args"))
    options.request.command.push_back(std::move(argument));
  options.request.argv0 = root.text("argv0", options.request.argv0);
  options.request.timeout = root.text("timeout", options.request.timeout);
  options.request.working_directory = root.text("working_dir", options.request.working_directory);
  options.request.include_events = root.text("include_events", options.request.include_events);
  for (const auto& [name, node] : root.member("env").members()) {
    options.request.extra_environment.emplace_back(name, JsonValue(&node).as_text());
  }
  return {};
}

// A session for a command that names none: the one of --session-file, or a new one that ends with
// the command.
Result<bool> find_session(ExecOptions& options) {
  CommandRequest& request = options.request;
  if (request.session.empty()) request.session = environment_variable("AGENTSH_SESSION_ID");
  if (!request.session.empty()) return false;
  if (!options.session_file.empty()) {
    if (auto kept = read_file(options.session_file, 256)) {
      while (kept->ends_with('\n')) kept->pop_back();
      if (call(options.global, "GET", "/api/v1/sessions/" + percent_encoded(*kept))) {
        request.session = *kept;
        return false;
      }
    }
  }
  auto id = create_session(options.global, request.workspace, request.policy);
  if (!id) return std::unexpected(id.error());
  request.session = *id;
  if (options.session_file.empty()) return true;
  if (auto written = write_file_atomic(options.session_file, *id + "\n"); !written) {
    return std::unexpected(written.error());
  }
  return false;
}

void add_exec_options(CLI::App& app, ExecOptions& options) {
  add_global_options(app, options.global);
  app.add_option(
         "session", options.request.session,
         "Session id; without one, $AGENTSH_SESSION_ID, the session of --session-file, or "
         "a new session that "
         "ends with the command. An unknown id of your own making is created in the current "
         "directory")
      ->check(CLI::Validator(
          [](std::string& id) {
            return id.empty() ? std::string("is empty; was the session created?") : std::string();
          },
          ""));
  app.add_option("--timeout", options.request.timeout,
                 "End the command after this time (30s, 5m); exit code 124");
  app.add_option("--json", options.json,
                 "The command as JSON: {\"command\":\"ls\",\"args\":[\"-l\"]}");
  app.add_option("--output", options.output,
                 "shell: as if run here; json: one document with output and events")
      ->envname("AGENTSH_OUTPUT")
      ->check(CLI::IsMember({"shell", "json"}));
  app.add_option(
         "--events", options.request.include_events,
         "Events in the document: all, summary, blocked or none (json: summary, shell: none)")
      ->envname("AGENTSH_EVENTS")
      ->check(CLI::IsMember({"all", "summary", "blocked", "none"}));
  app.add_option("--argv0", options.request.argv0, "argv[0] of the command");
  app.add_flag("--pty", options.request.force_terminal,
               "Give the command a terminal even where there is none here");
  app.add_flag("--stream", options.stream, "Accepted: output always comes as it is written");
  app.add_option("--root,--project-root", options.root,
                 "Workspace of a session that is created (default: here)");
  app.add_flag("--no-detect-root", options.no_detect_root,
               "Do not look for a project root above the workspace");
  app.add_option("--session-file", options.session_file, "Remember the session's id in this file")
      ->envname("AGENTSH_SESSION_FILE");
  app.add_flag("--real-paths", options.real_paths,
               "Accepted: the workspace is always at its real path");
  app.footer(
      "Example:\n  agentsh exec $SID -- make -j2\n  agentsh exec --output json --events all $SID "
      "-- ls");
}

}  // namespace

int run_exec(Arguments arguments) {
  ExecOptions options;
  CLI::App app(
      "Runs a command in a session. Exit codes: the command's own; 126 denied by policy, 127 not "
      "started, "
      "124 timed out, 2 bad directory or environment, 1 usage or no server",
      "agentsh exec");
  add_exec_options(app, options);
  const auto [before, command] = split_command(arguments);
  if (int code = parse_arguments(app, before); code >= 0) return code;
  if (!options.json.empty()) {
    if (!command.empty()) return report("--json and a command after -- exclude each other");
    if (auto applied = apply_json(options); !applied) return report(applied.error());
  } else {
    if (command.empty())
      return report("exec: no command; write it after --, as in: agentsh exec SID -- ls -l");
    options.request.command.assign(command.begin(), command.end());
  }
  options.request.workspace = absolute_path(options.root);
  auto temporary = find_session(options);
  if (!temporary) return report(temporary.error());
  const bool json = options.output == "json";
  if (json && options.request.include_events.empty()) options.request.include_events = "summary";
  const int code = json ? run_captured(options.global, options.request)
                        : run_attached(options.global, options.request);
  if (*temporary) {
    auto destroyed = call(options.global, "DELETE",
                          "/api/v1/sessions/" + percent_encoded(options.request.session));
    if (!destroyed) report(destroyed.error());
  }
  return code;
}

int run_wrap(Arguments arguments) {
  ExecOptions options;
  options.request.policy = "agent-default";
  bool with_report = true;
  CLI::App app("Runs an agent with everything it starts under policy, in a session of its own",
               "agentsh wrap");
  add_global_options(app, options.global);
  app.add_option("--session", options.request.session, "Use this session instead of a new one");
  app.add_option("--policy", options.request.policy, "Policy of the session")
      ->capture_default_str();
  app.add_option("--root", options.root, "Workspace (default: here)");
  app.add_flag("--report,!--no-report", with_report,
               "Print what was allowed and denied at the end");
  app.footer("Example:\n  agentsh wrap -- claude");
  const auto [before, command] = split_command(arguments);
  if (int code = parse_arguments(app, before); code >= 0) return code;
  if (command.empty())
    return report("wrap: no command; write it after --, as in: agentsh wrap -- claude");
  options.request.command.assign(command.begin(), command.end());
  options.request.workspace = absolute_path(options.root);
  bool temporary = false;
  if (options.request.session.empty()) {
    auto id = create_session(options.global, options.request.workspace, options.request.policy);
    // Never without it: an agent that was asked to be confined does not run otherwise.
    if (!id) return report(id.error());
    options.request.session = *id;
    temporary = true;
  }
  const int code = run_attached(options.global, options.request);
  const std::string path = "/api/v1/sessions/" + percent_encoded(options.request.session);
  if (with_report) {
    if (auto summary = call(options.global, "GET", path + "/summary"))
      fmt::print(stderr, "{}", *summary);
  }
  if (temporary) {
    if (auto destroyed = call(options.global, "DELETE", path); !destroyed)
      report(destroyed.error());
  }
  return code;
}

}  // namespace agentsh::client
