#include "appliance/client/server_verbs.h"

#include "base/encoding.h"
#include "base/json_writer.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <iterator>

namespace agentsh::client {
namespace {

int print_lines(const Result<std::string>& body, std::string_view list) {
  if (!body) return report(body.error());
  auto document = JsonDocument::parse(*body, {.max_bytes = 256 << 20});
  if (!document) return report(document.error());
  for (const JsonNode& entry : document->root().member(list).elements()) {
    fmt::print("{}\n", JsonValue(&entry).dump());
  }
  return 0;
}

int query(Arguments arguments) {
  GlobalOptions global;
  // Query parameter, flag, help.
  struct Filter {
    const char* parameter;
    const char* flag;
    const char* help;
    std::string value;
  };
  Filter filters[] = {
      {"session", "--session", "Only this session", {}},
      {"type", "--type", "Event types, separated by commas", {}},
      {"decision", "--decision", "allow, deny, approve, redirect, audit", {}},
      {"since", "--since", "RFC 3339 time, or a duration back from now (10m)", {}},
      {"until", "--until", "RFC 3339 time, or a duration back from now", {}},
      {"path_like", "--path-like", "Part of the path (% is a wildcard)", {}},
      {"domain_like", "--domain-like", "Part of the domain", {}},
      {"text_like", "--text-like", "Part of the event's text", {}},
      {"limit", "--limit", "At most this many", "200"},
      {"offset", "--offset", "Skip this many", {}},
      {"order", "--order", "asc or desc by time", "asc"},
  };
  CLI::App app("Searches the audit trail; one JSON object per line", "agentsh events query");
  add_global_options(app, global);
  for (Filter& filter : filters) app.add_option(filter.flag, filter.value, filter.help);
  app.footer("Without a server: agentsh events query --direct-db [--db-path FILE] ...");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  std::string path = "/api/v1/events/search?";
  for (const Filter& filter : filters) {
    if (!filter.value.empty())
      path += fmt::format("{}={}&", filter.parameter, percent_encoded(filter.value));
  }
  path.pop_back();
  return print_lines(call(global, "GET", path), "events");
}

// Prints the data of server-sent events (WHATWG HTML, 9.2) as they come.
class EventStreamPrinter {
 public:
  bool operator()(std::string_view part) {
    pending_ += part;
    for (std::size_t end; (end = pending_.find('\n')) != std::string::npos;
         pending_.erase(0, end + 1)) {
      print(std::string_view(pending_).substr(0, end));
    }
    return true;
  }

 private:
  // Audit events have no name; what the server says of the stream itself has one.
  void print(std::string_view line) {
    if (line.empty()) name_.clear();
    if (line.starts_with("event: ")) name_ = line.substr(7);
    if (!line.starts_with("data: ") || name_ == "ready") return;
    fmt::print(name_.empty() ? stdout : stderr, "{}\n", line.substr(6));
    std::fflush(stdout);
  }

  std::string name_;
  std::string pending_;
};

int tail(Arguments arguments) {
  GlobalOptions global;
  std::string session;
  CLI::App app("Follows the events of a session, or of all, until interrupted",
               "agentsh events tail");
  add_global_options(app, global);
  app.add_option("session", session, "Session id (default: all)");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  auto connection = connect_to_server(global);
  if (!connection) return report(connection.error());
  const std::string path = session.empty()
                               ? "/api/v1/events"
                               : "/api/v1/sessions/" + percent_encoded(session) + "/events";
  EventStreamPrinter printer;
  auto response = connection->stream({.method = "GET", .path = path, .api_key = global.api_key},
                                     std::ref(printer));
  if (!response) return report(response.error());
  return response->status < 400 ? 0
                                : report(fmt::format("the server answered {}", response->status));
}

int approve_list(Arguments arguments) {
  GlobalOptions global;
  bool json = false;
  CLI::App app("What waits for a decision", "agentsh approve list");
  add_global_options(app, global);
  app.add_flag("--json", json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  auto body = call(global, "GET", "/api/v1/approvals");
  if (json) return print_json(body);
  if (!body) return report(body.error());
  auto document = JsonDocument::parse(*body);
  if (!document) return report(document.error());
  for (const JsonNode& node : document->root().member("approvals").elements()) {
    const JsonValue entry(&node);
    // Targets come from inside a sandbox: nothing of them may reach the terminal as control codes.
    fmt::print("{}  {}  {}  rule {}  session {}\n    {}\n", entry.text("id"), entry.text("kind"),
               printable(entry.text("target")), entry.text("rule"), entry.text("session_id"),
               printable(entry.text("message")));
  }
  return 0;
}

int approve_resolve(Arguments arguments) {
  GlobalOptions global;
  std::string id, reason;
  bool allow = false, deny = false;
  CLI::App app("Answers one request", "agentsh approve resolve");
  add_global_options(app, global);
  app.add_option("id", id, "Approval id")->required();
  app.add_flag("--allow", allow, "Let it go on");
  app.add_flag("--deny", deny, "Refuse it");
  app.add_option("--reason", reason, "Recorded, and shown to the requester");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  if (allow == deny) return report("approve resolve: say --allow or --deny");
  JsonWriter json;
  json.begin_object()
      .field("decision", allow ? "approve" : "deny")
      .field("reason", std::string_view(reason));
  return print_json(
      call(global, "POST", "/api/v1/approvals/" + percent_encoded(id), json.end_object().take()));
}

int debug_stats(Arguments arguments) {
  GlobalOptions global;
  std::string session;
  CLI::App app("Event counts of a session by type and decision", "agentsh debug stats");
  add_global_options(app, global);
  app.add_option("session", session, "Session id")->required();
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  return print_json(call(global, "GET", "/api/v1/sessions/" + percent_encoded(session) + "/stats"));
}

int debug_pending(Arguments arguments) {
  return approve_list(arguments);
}

int debug_policy_test(Arguments arguments) {
  GlobalOptions global;
  std::string operation, path, session, policy;
  bool json = false;
  CLI::App app("What policy would say, without doing it", "agentsh debug policy-test");
  add_global_options(app, global);
  app.add_option("--op", operation,
                 "connect, dns, exec, or a file operation (read, write, delete, ...)")
      ->required();
  app.add_option("--path", path, "host:port, name, command line, or file")->required();
  app.add_option("--session", session, "With this session's policy and leases");
  app.add_option("--policy", policy, "With this policy (default: policies.default)");
  app.add_flag("--json", json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  JsonWriter request;
  request.begin_object()
      .field("operation", std::string_view(operation))
      .field("path", std::string_view(path));
  request.optional_field("session_id", session).optional_field("policy", policy).end_object();
  auto body = call(global, "POST", "/api/v1/policy/test", request.take());
  if (json || !body) return print_json(body);
  auto document = JsonDocument::parse(*body);
  if (!document) return report(document.error());
  const JsonValue root = document->root();
  fmt::print("{}  rule {}\n", root.text("decision"), root.text("rule"));
  if (const std::string_view reason = root.text("reason"); !reason.empty())
    fmt::print("{}\n", reason);
  return 0;
}

int ca_export(Arguments arguments) {
  GlobalOptions global;
  CLI::App app("Prints the certificate of the authority that sessions trust, as PEM",
               "agentsh ca export");
  add_global_options(app, global);
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  auto body = call(global, "GET", "/api/v1/ca");
  if (!body) return report(body.error());
  fmt::print("{}", *body);
  return 0;
}

int ca_rotate(Arguments arguments) {
  GlobalOptions global;
  CLI::App app("Makes a new authority; sessions that run keep trusting the old one until they end",
               "agentsh ca rotate");
  add_global_options(app, global);
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  return print_json(call(global, "POST", "/api/v1/ca/rotate"));
}

}  // namespace

int run_events(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {{"query", "search the audit trail", query},
                                                {"tail", "follow it", tail}};
  return dispatch_subcommand("events", kSubcommands, arguments);
}

int run_approve(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {{"list", "what waits for a decision", approve_list},
                                                {"resolve", "allow or deny one", approve_resolve}};
  return dispatch_subcommand("approve", kSubcommands, arguments);
}

int run_debug(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {
      {"stats", "event counts of a session", debug_stats},
      {"pending", "approvals that wait", debug_pending},
      {"policy-test", "what policy would say", debug_policy_test}};
  return dispatch_subcommand("debug", kSubcommands, arguments);
}

int run_ca(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {{"export", "print the certificate", ca_export},
                                                {"rotate", "make a new authority", ca_rotate}};
  return dispatch_subcommand("ca", kSubcommands, arguments);
}

}  // namespace agentsh::client
