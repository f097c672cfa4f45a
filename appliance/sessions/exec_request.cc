#include "appliance/sessions/exec_request.h"

#include "appliance/sessions/request_keys.h"
#include "base/time_format.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

using Type = RequestKey::Type;

constexpr RequestKey kKeys[] = {{"command"},
                                {"args", Type::kArray},
                                {"argv0"},
                                {"timeout"},
                                {"working_dir"},
                                {"working_dir_optional", Type::kFlag},
                                {"env", Type::kObject},
                                {"stdin", Type::kBytes},
                                {"stream_output", Type::kFlag},
                                {"include_events"},
                                {"umask", Type::kNumber},
                                {"terminal_fds", Type::kNumber},
                                {"rows", Type::kNumber},
                                {"columns", Type::kNumber},
                                {"workspace"},
                                {"policy"}};

Result<IncludeEvents> parse_include(std::string_view word) {
  if (word == "all") return IncludeEvents::kAll;
  if (word == "summary" || word.empty()) return IncludeEvents::kSummary;
  if (word == "blocked") return IncludeEvents::kBlocked;
  if (word == "none") return IncludeEvents::kNone;
  return fail(fmt::format("include_events: \"{}\" is not all, summary, blocked or none", word));
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

Result<> check_strings(const ExecRequest& request) {
  bool bad = false;
  for (const std::string& argument : request.args) bad = bad || has_nul(argument);
  for (const auto& [name, value] : request.environment) {
    bad = bad || has_nul(name) || has_nul(value);
    if (name.empty() || name.find('=') != std::string::npos) {
      return fail(fmt::format("env: \"{}\" is no name of a variable", name));
    }
  }
  if (bad) return fail("command, args, env and working_dir must not contain NUL bytes");
  return {};
}

}  // namespace

Result<ExecRequest> ExecRequest::parse(JsonValue body) {
  if (auto checked = check_request_keys(body, kKeys); !checked)
    return std::unexpected(checked.error());
  ExecRequest request;
  request.command = body.text("command");
  if (request.command.empty()) return fail("command: missing or empty");
  request.argv0 = body.text("argv0");
  for (const JsonNode& node : body.member("args").elements()) {
    if (!JsonValue(&node).is_string()) return fail("args: must be an array of strings");
    request.args.emplace_back(JsonValue(&node).as_text());
  }
  if (const std::string_view text = body.text("timeout"); !text.empty()) {
    request.timeout = parse_duration(text);
    if (!request.timeout || request.timeout->count() <= 0) {
      return fail(fmt::format("timeout: \"{}\" is no duration; write 30s, 5m or 1h30m", text));
    }
  }
  request.working_directory = body.text("working_dir");
  request.working_directory_optional = body.flag("working_dir_optional");
  for (const auto& [name, node] : body.member("env").members()) {
    if (!JsonValue(&node).is_string())
      return fail(fmt::format("env: the value of \"{}\" must be a string", name));
    request.environment.emplace_back(name, JsonValue(&node).as_text());
  }
  request.stdin_text = body.text("stdin");
  auto include = parse_include(body.text("include_events"));
  if (!include) return std::unexpected(include.error());
  request.include_events = *include;
  request.umask = static_cast<mode_t>(body.integer("umask", 022) & 0777);
  request.terminal_fds = static_cast<std::uint8_t>(body.integer("terminal_fds") & 7);
  request.rows = static_cast<std::uint16_t>(body.integer("rows", 24));
  request.columns = static_cast<std::uint16_t>(body.integer("columns", 80));
  request.workspace = body.text("workspace");
  request.policy = body.text("policy");
  if (auto checked = check_strings(request); !checked) return std::unexpected(checked.error());
  return request;
}

std::string ExecRequest::command_line() const {
  std::string line = command;
  for (const std::string& argument : args) line += " " + argument;
  return line;
}

}  // namespace agentsh
