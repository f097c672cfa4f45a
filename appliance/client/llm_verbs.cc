#include "appliance/client/llm_verbs.h"

#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/time_format.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace agentsh::client {
namespace {

Result<JsonDocument> fetch(const GlobalOptions& global, std::string_view method, std::string path,
                           std::string body = {}) {
  auto answer = call(global, method, std::move(path), std::move(body));
  if (!answer) return std::unexpected(answer.error());
  return JsonDocument::parse(*answer, {.max_bytes = 256 << 20});
}

// "30d", "12h" from now, or a time.
Result<std::string> expiry(const std::string& text) {
  using std::chrono::system_clock;
  if (parse_rfc3339(text)) return text;
  std::string duration = text;
  std::int64_t factor = 1;
  if (text.ends_with('d')) {
    duration.back() = 'h';
    factor = 24;
  }
  const auto time = agentsh::parse_duration(duration);
  if (!time || *time <= std::chrono::nanoseconds(0) || *time > std::chrono::hours(24 * 365 * 10)) {
    return fail(fmt::format("--expires: \"{}\" is neither a time nor a duration like 30d", text));
  }
  return format_rfc3339(system_clock::now() +
                        std::chrono::duration_cast<system_clock::duration>(*time * factor));
}

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

int keys_create(Arguments arguments) {
  GlobalOptions global;
  std::string name, owner, expires, dlp;
  std::vector<std::string> models, budgets;
  std::uint64_t requests = 0, tokens = 0, concurrent = 0;
  bool as_json = false;
  CLI::App app("Makes a key for clients of the gateway and prints it, this once",
               "agentsh gateway keys create");
  add_global_options(app, global);
  app.add_option("name", name, "What it is called")->required();
  app.add_option("--owner", owner, "Whose it is");
  app.add_option("--expires", expires, "RFC 3339 time, or from now: 30d, 12h");
  app.add_option("--model", models, "A model it may use; * is a wildcard (repeat)");
  app.add_option("--budget", budgets, "10/day, 0.50/hour, \"2000000 tokens/month\" (repeat)");
  app.add_option("--requests-per-minute", requests, "Most requests per minute");
  app.add_option("--tokens-per-minute", tokens, "Most tokens per minute");
  app.add_option("--concurrent", concurrent, "Most requests at once");
  app.add_option("--dlp", dlp, "redact, tokenize, block, audit or disabled (default: dlp.mode)");
  app.add_flag("--json", as_json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  JsonWriter json;
  json.begin_object().field("name", name).optional_field("owner", owner);
  if (!expires.empty()) {
    auto time = expiry(expires);
    if (!time) return report(time.error());
    json.field("expires", *time);
  }
  write_texts(json, "models", models);
  write_texts(json, "budgets", budgets);
  json.field("requests_per_minute", requests).field("tokens_per_minute", tokens);
  json.field("concurrent", concurrent).optional_field("dlp", dlp).end_object();
  auto body = call(global, "POST", "/api/v1/gateway/keys", json.take());
  if (as_json || !body) return print_json(body);
  auto document = JsonDocument::parse(*body);
  if (!document) return report(document.error());
  fmt::print("{}\n", document->root().text("key"));
  fmt::print(stderr, "key {}: keep it, it is not shown again\n", document->root().text("id"));
  return 0;
}

int keys_list(Arguments arguments) {
  GlobalOptions global;
  bool as_json = false;
  CLI::App app("The gateway's keys, what they may and what they have used",
               "agentsh gateway keys list");
  add_global_options(app, global);
  app.add_flag("--json", as_json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  if (as_json) return print_json(call(global, "GET", "/api/v1/gateway/keys"));
  auto document = fetch(global, "GET", "/api/v1/gateway/keys");
  if (!document) return report(document.error());
  const std::string row = "{:<18} {:<20} {:<8} {:<28} {:>14} {:>12}\n";
  fmt::print(fmt::runtime(row), "ID", "NAME", "STATE", "BUDGETS", "USED TODAY", "USED");
  for (const JsonNode& node : document->root().member("keys").elements()) {
    const JsonValue key(&node);
    std::string budgets;
    for (const std::string& budget : key.texts("budgets")) {
      budgets += (budgets.empty() ? "" : ", ") + budget;
    }
    const JsonValue used = key.member("used");
    fmt::print(fmt::runtime(row), key.text("id"), printable(key.text("name")), key.text("state"),
               budgets.empty() ? "-" : budgets, used.member("day").text("dollars"),
               used.member("total").text("dollars"));
  }
  return 0;
}

int keys_revoke(Arguments arguments) {
  GlobalOptions global;
  std::string id;
  bool as_json = false;
  CLI::App app("Ends a key's use at once", "agentsh gateway keys revoke");
  add_global_options(app, global);
  app.add_option("key", id, "Its id or name")->required();
  app.add_flag("--json", as_json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  auto body = call(global, "DELETE", "/api/v1/gateway/keys/" + percent_encoded(id));
  if (as_json || !body) return print_json(body);
  return 0;
}

int gateway_keys(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {{"create", "make one", keys_create},
                                                {"list", "show them", keys_list},
                                                {"revoke", "end one's use", keys_revoke}};
  return dispatch_subcommand("gateway keys", kSubcommands, arguments);
}

void print_usage_row(std::string_view name, std::string_view provider, JsonValue sums) {
  fmt::print("{:<36} {:<12} {:>8} {:>12} {:>12} {:>10} {:>14}{}\n", name, provider,
             sums.integer("requests"), sums.integer("input_tokens"),
             sums.integer("cache_read_tokens"), sums.integer("output_tokens"), sums.text("cost"),
             sums.integer("unpriced_requests") > 0 ? " +unpriced" : "");
}

int usage_table(JsonValue report) {
  const std::string_view by = report.text("by");
  fmt::print("{:<36} {:<12} {:>8} {:>12} {:>12} {:>10} {:>14}\n", by, "provider", "requests",
             "input", "from cache", "output", "cost (USD)");
  for (const JsonNode& node : report.member("rows").elements()) {
    const JsonValue row(&node);
    const std::string_view name = row.text(by);
    print_usage_row(name.empty() ? "-" : printable(name), printable(row.text("provider")), row);
  }
  print_usage_row("total", "", report.member("totals"));
  for (const JsonNode& node : report.member("unpriced").elements()) {
    const JsonValue one(&node);
    fmt::print("unpriced: {} of {}: {} requests, {} tokens that are in no price table\n",
               printable(one.text("model")), printable(one.text("provider")),
               one.integer("requests"), one.integer("tokens"));
  }
  return 0;
}

int proxy_status(Arguments arguments) {
  GlobalOptions global;
  std::string session;
  bool as_json = false;
  CLI::App app("What is done with LLM traffic, and what a session (or all) has used",
               "agentsh proxy status");
  add_global_options(app, global);
  app.add_option("session", session, "Session id (default: all)");
  app.add_flag("--json", as_json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  const std::string path =
      session.empty() ? "/api/v1/proxy" : "/api/v1/sessions/" + percent_encoded(session) + "/proxy";
  if (as_json) return print_json(call(global, "GET", path));
  auto document = fetch(global, "GET", path);
  if (!document) return report(document.error());
  const JsonValue root = document->root();
  fmt::print("State:      {}\nMode:       {}\nDLP:        {} ({} detectors)\n", root.text("state"),
             root.text("mode"), root.text("dlp_mode"), root.integer("active_patterns"));
  fmt::print("Requests:   {} ({} with redactions)\nTokens:     {} in, {} out\nCost:       {} USD\n",
             root.integer("total_requests"), root.integer("requests_with_redactions"),
             root.integer("total_input_tokens"), root.integer("total_output_tokens"),
             root.member("usage").text("cost"));
  for (const JsonNode& node : root.member("gateway").elements()) {
    fmt::print("Gateway:    {}\n", JsonValue(&node).as_text());
  }
  return 0;
}

}  // namespace

int run_usage(Arguments arguments) {
  GlobalOptions global;
  std::string by = "model", since, until, session, key;
  bool as_json = false;
  CLI::App app("What was used of LLM APIs, in tokens and dollars", "agentsh usage");
  add_global_options(app, global);
  app.add_option("--by", by, "session, model, key or day")
      ->capture_default_str()
      ->check(CLI::IsMember({"session", "model", "key", "day"}));
  app.add_option("--since", since, "RFC 3339 time, or a duration back from now (24h)");
  app.add_option("--until", until, "RFC 3339 time, or a duration back from now");
  app.add_option("--session", session, "Only this session");
  app.add_option("--key", key, "Only this key of the gateway (its id)");
  app.add_flag("--json", as_json, "JSON");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  std::string path = "/api/v1/usage?by=" + by;
  for (const auto& [name, value] : {std::pair("since", &since), std::pair("until", &until),
                                    std::pair("session", &session), std::pair("key", &key)}) {
    if (!value->empty()) path += fmt::format("&{}={}", name, percent_encoded(*value));
  }
  if (as_json) return print_json(call(global, "GET", path));
  auto document = fetch(global, "GET", path);
  if (!document) return report(document.error());
  return usage_table(document->root());
}

int run_gateway(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {
      {"keys", "keys of its clients: create, list, revoke", gateway_keys}};
  return dispatch_subcommand("gateway", kSubcommands, arguments);
}

int run_proxy(Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {{"status", "what it does and did", proxy_status}};
  return dispatch_subcommand("proxy", kSubcommands, arguments);
}

}  // namespace agentsh::client
