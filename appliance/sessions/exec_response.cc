#include "appliance/sessions/exec_response.h"

#include "base/encoding.h"
#include "base/json_reader.h"
#include "base/json_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace agentsh {
namespace {

using audit::RecordedEvent;

constexpr std::size_t kMaxBlockedInSummary = 25;

enum class Group { kFile, kNetwork, kOther };

Group group_of(std::string_view type) {
  for (std::string_view prefix : {"file_", "dir_", "symlink_"}) {
    if (type.starts_with(prefix)) return Group::kFile;
  }
  if (type.starts_with("net_") || type == "dns_query" || type == "tls_intercept")
    return Group::kNetwork;
  return Group::kOther;
}

bool blocked(const RecordedEvent& event) {
  return event.decision == "deny";
}

void write_stream(JsonWriter& json, const char* name, const StreamOutput& stream) {
  if (is_utf8(stream.text)) {
    json.field(name, std::string_view(stream.text));
    return;
  }
  json.field(name, std::string_view(to_base64(stream.text)));
  json.field(std::string(name) + "_encoding", "base64");
}

// One element per distinct (type, target, decision), with a count.
struct Summary {
  std::string json;
  std::uint64_t count = 0;
};

std::string target_of(JsonValue event) {
  for (const char* key : {"path", "domain", "remote", "operation"}) {
    if (const std::string_view text = event.text(key); !text.empty()) return std::string(text);
  }
  return std::string(event.member("fields").text("command"));
}

std::string with_count(const std::string& event, std::uint64_t count) {
  return event.substr(0, event.size() - 1) + fmt::format(",\"count\":{}}}", count);
}

void write_flat_events(JsonWriter& json, IncludeEvents include,
                       const std::vector<RecordedEvent>& events) {
  json.key("events").begin_array();
  if (include == IncludeEvents::kAll || include == IncludeEvents::kBlocked) {
    for (const RecordedEvent& event : events) {
      if (include == IncludeEvents::kAll || blocked(event)) json.raw(event.json);
    }
  }
  if (include == IncludeEvents::kSummary) {
    std::vector<std::string> order;
    std::map<std::string, Summary> summaries;
    for (const RecordedEvent& event : events) {
      auto document = JsonDocument::parse(event.json);
      if (!document) continue;
      const std::string key =
          event.type + '\0' + target_of(document->root()) + '\0' + event.decision;
      auto [entry, added] = summaries.try_emplace(key, Summary{event.json, 0});
      if (added) order.push_back(key);
      ++entry->second.count;
    }
    for (const std::string& key : order)
      json.raw(with_count(summaries[key].json, summaries[key].count));
  }
  json.end_array();
}

void write_group(JsonWriter& json, const char* name, IncludeEvents include,
                 const std::vector<RecordedEvent>& events,
                 const std::function<bool(const RecordedEvent&)>& member, bool is_blocked_group) {
  std::vector<const RecordedEvent*> members;
  for (const RecordedEvent& event : events) {
    if (member(event)) members.push_back(&event);
  }
  std::size_t shown = 0;
  if (include == IncludeEvents::kAll) shown = members.size();
  if (is_blocked_group && include == IncludeEvents::kSummary)
    shown = std::min(members.size(), kMaxBlockedInSummary);
  if (is_blocked_group && include == IncludeEvents::kBlocked) shown = members.size();
  json.key(name).begin_array();
  for (std::size_t i = 0; i < shown; ++i) json.raw(members[i]->json);
  json.end_array().field(std::string(name) + "_count", members.size());
}

void write_grouped_events(JsonWriter& json, IncludeEvents include,
                          const std::vector<RecordedEvent>& events) {
  json.key("event_groups").begin_object();
  auto in = [](Group group) {
    return [group](const RecordedEvent& event) { return group_of(event.type) == group; };
  };
  write_group(json, "file_operations", include, events, in(Group::kFile), false);
  write_group(json, "network_operations", include, events, in(Group::kNetwork), false);
  write_group(json, "blocked_operations", include, events, blocked, true);
  write_group(json, "other", include, events, in(Group::kOther), false);
  if (include != IncludeEvents::kAll && !events.empty()) json.field("truncated", true);
  json.end_object();
}

struct Advice {
  const char* action;
  std::string command;
  std::string reason;
};

std::vector<Advice> advice_for(const ExecOutcome& outcome) {
  std::vector<Advice> list;
  if (!outcome.problem || !outcome.problem->blocked) return list;
  const ExecProblem& problem = *outcome.problem;
  if (problem.code == "E_APPROVAL_DENIED" || problem.code == "E_APPROVAL_TIMEOUT") {
    list.push_back({"request_approval", "agentsh approve list",
                    "a person has to allow this with `agentsh approve resolve`; with "
                    "approvals.enabled: false it is "
                    "denied at once"});
  }
  list.push_back({"adjust_policy",
                  fmt::format("agentsh debug policy-test --op exec --path '{}' --session {}",
                              problem.target, outcome.session_id),
                  "shows which rule decides; do not retry the same command"});
  list.push_back(
      {"inspect_events",
       fmt::format("agentsh events query --session {} --decision deny", outcome.session_id),
       "lists what was denied in this session and why"});
  return list;
}

void write_guidance(JsonWriter& json, const ExecRequest& request, const ExecOutcome& outcome) {
  const bool is_blocked = outcome.problem && outcome.problem->blocked;
  const bool any_blocked = std::ranges::any_of(outcome.events, blocked);
  json.key("guidance").begin_object();
  json.field("status", is_blocked               ? "blocked"
                       : outcome.exit_code == 0 ? "ok"
                                                : "failed")
      .field("blocked", is_blocked);
  json.field("retryable", outcome.problem && outcome.problem->retryable);
  if (outcome.problem) {
    json.optional_field("reason", outcome.problem->message)
        .optional_field("policy_rule", outcome.problem->rule);
    if (is_blocked) {
      json.field("blocked_operation", "command")
          .field("blocked_target", std::string_view(request.command_line()));
    }
  } else if (any_blocked) {
    json.field("reason", "some operations of the command were denied by policy; see events");
  }
  json.key("substitutions").begin_array().end_array().key("suggestions").begin_array();
  for (const Advice& advice : advice_for(outcome)) {
    json.begin_object()
        .field("action", advice.action)
        .field("command", std::string_view(advice.command));
    json.field("reason", std::string_view(advice.reason)).end_object();
  }
  json.end_array().end_object();
}

void write_request(JsonWriter& json, const ExecRequest& request) {
  json.key("request").begin_object().field("command", std::string_view(request.command));
  json.optional_field("argv0", request.argv0).key("args").begin_array();
  for (const std::string& argument : request.args) json.value(std::string_view(argument));
  json.end_array().optional_field("working_dir", request.working_directory).end_object();
}

void write_result(JsonWriter& json, const ExecOutcome& outcome) {
  json.key("result").begin_object().field("exit_code", outcome.exit_code);
  write_stream(json, "stdout", outcome.standard_output);
  write_stream(json, "stderr", outcome.standard_error);
  json.field("stdout_truncated",
             outcome.standard_output.total > outcome.standard_output.text.size());
  json.field("stderr_truncated", outcome.standard_error.total > outcome.standard_error.text.size());
  json.field("stdout_total_bytes", outcome.standard_output.total);
  json.field("stderr_total_bytes", outcome.standard_error.total);
  json.field("duration_ms", outcome.duration.count());
  if (outcome.problem) {
    json.key("error").begin_object().field("code", std::string_view(outcome.problem->code));
    json.field("message", std::string_view(outcome.problem->message));
    json.optional_field("policy_rule", outcome.problem->rule).end_object();
  }
  json.end_object();
}

}  // namespace

std::string render(const ExecRequest& request, const ExecOutcome& outcome) {
  JsonWriter json;
  json.begin_object();
  json.field("command_id", std::string_view(outcome.command_id));
  json.field("session_id", std::string_view(outcome.session_id));
  json.field("timestamp", std::string_view(format_rfc3339(outcome.timestamp)));
  json.field("exit_code", outcome.exit_code);
  write_stream(json, "stdout", outcome.standard_output);
  write_stream(json, "stderr", outcome.standard_error);
  write_flat_events(json, request.include_events, outcome.events);
  write_request(json, request);
  write_result(json, outcome);
  write_grouped_events(json, request.include_events, outcome.events);
  json.key("resources").begin_object();
  json.field("cpu_user_ms", outcome.cpu_user.count() / 1000)
      .field("cpu_system_ms", outcome.cpu_system.count() / 1000);
  json.field("memory_peak_kb", outcome.memory_peak_kb).end_object();
  write_guidance(json, request, outcome);
  json.end_object();
  return json.take();
}

std::string refusal_text(const ExecProblem& problem) {
  std::string text =
      problem.blocked ? fmt::format("agentsh: denied by rule {}: {}", problem.rule, problem.message)
                      : fmt::format("agentsh: {}", problem.message);
  return printable(text) == text ? text : printable(text);
}

}  // namespace agentsh
