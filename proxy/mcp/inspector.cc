#include "proxy/mcp/inspector.h"

#include "proxy/codec/http/text.h"
#include "proxy/codec/sse/parser.h"
#include "proxy/codec/sse/writer.h"
#include "proxy/mcp/message.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::mcp {
namespace {

using flows::BodyUse;
using flows::HeadAction;
using flows::InspectorRefusal;

constexpr std::size_t kMaxHeld = 32 << 20;  // Of what turns out to be another's JSON.

bool holds(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         }) != text.end();
}

// Without a member "jsonrpc", however it is spelled, it is no JSON-RPC.
bool may_be_rpc(std::string_view body) {
  return body.find("jsonrpc") != std::string_view::npos ||
         body.find("\\u") != std::string_view::npos;
}

InspectorRefusal unreadable(int status, std::string code, std::string message) {
  InspectorRefusal refusal;
  refusal.status = status;
  refusal.code = std::move(code);
  refusal.message = std::move(message);
  refusal.advice =
      "MCP messages are looked at by the policy's mcp_rules, so they have to be plain "
      "JSON of at most 8 MB.";
  return refusal;
}

class McpInspector final : public flows::HttpInspector {
 public:
  McpInspector(std::shared_ptr<SessionMcp> session,
               std::shared_ptr<const policy::CompiledPolicy> policy, std::string server,
               const policy::Actor& actor)
      : session_(std::move(session)),
        policy_(std::move(policy)),
        rules_(*policy_->policy().mcp_rules),
        server_(std::move(server)),
        actor_(actor) {}

  HeadAction on_request_head(const http::RequestHead& head) override;
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override;
  HeadAction on_response_head(const http::ResponseHead& head) override;
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override;

 private:
  enum class Answer : std::uint8_t { kOther, kJson, kEvents };

  std::optional<InspectorRefusal> judge_request();
  std::optional<Denial> judge(const Message& message);
  std::optional<std::string> edited(std::string_view text);
  void judge_tools(const JsonNode::Array& tools, std::vector<std::size_t>& removed);
  std::optional<InspectorRefusal> pass_events(std::string_view content, bool last,
                                              std::string& out);
  void pass_event(const sse::Event& event, std::string& out);
  std::optional<InspectorRefusal> refuse_unreadable() const;
  audit::Event event(std::string type, std::string_view tool) const;
  void report_call(const Message& message, const std::optional<Denial>& denial);

  const std::shared_ptr<SessionMcp> session_;
  const std::shared_ptr<const policy::CompiledPolicy> policy_;
  const policy::McpRules& rules_;
  const std::string server_;
  const policy::Actor actor_;
  bool hinted_ = false;         // The head, or the server's past, says that this is MCP.
  bool answers_posts_ = false;  // Streamable HTTP: the answer to a message is that of its POST.
  bool is_mcp_ = false;  // The request's content does; or its answer is a stream that may be.
  std::string held_;
  Answer answer_ = Answer::kOther;
  bool unreadable_ = false;  // Another parser may make something of what the server sent.
  sse::Parser events_;
};

audit::Event McpInspector::event(std::string type, std::string_view tool) const {
  audit::Event event(std::move(type));
  event.source = "proxy";
  event.command_id = actor_.command_id;
  event.pid = actor_.pid;
  event.program = actor_.program;
  event.domain = server_;
  event.field("server", server_);
  if (!tool.empty()) event.field("tool", std::string(tool));
  return event;
}

HeadAction McpInspector::on_request_head(const http::RequestHead& head) {
  HeadAction action;
  const std::string_view accept = head.value_of("accept");
  const bool wants_events = holds(accept, "text/event-stream");
  hinted_ = session_->is_known(server_) || head.find("mcp-session-id") != nullptr ||
            head.find("mcp-protocol-version") != nullptr ||
            (wants_events && holds(accept, "application/json"));
  answers_posts_ = wants_events || holds(accept, "application/json");
  if (head.method() == "GET") {
    is_mcp_ = wants_events || hinted_;
    if (is_mcp_) action.edits.set.emplace_back("Accept-Encoding", "identity");
    return action;
  }
  const std::string_view type = head.value_of("content-type");
  if (!type.empty() && !holds(type, "json") && !hinted_) return action;
  if (hinted_) action.edits.set.emplace_back("Accept-Encoding", "identity");
  const std::string_view coding = head.value_of("content-encoding");
  if (!coding.empty() && !http::equal_ignoring_case(coding, "identity")) {
    if (hinted_ && rules_.enforce_policy) {
      action.refusal = unreadable(415, "mcp_unreadable", "The MCP message is compressed.");
    }
    return action;
  }
  // Forwarded as it came, but not before all of it has been seen.
  action.body = BodyUse::kSubstitute;
  return action;
}

std::optional<InspectorRefusal> McpInspector::on_request_body(Bytes content, bool last,
                                                              std::string& out) {
  held_ += as_text(content);
  if (held_.size() > kMaxHeld || (held_.size() > kMaxBody && hinted_)) {
    return unreadable(413, "mcp_body_too_large", "The JSON body is too large to be looked at.");
  }
  if (!last) return {};
  if (may_be_rpc(held_)) {
    if (auto refusal = judge_request()) return refusal;
  }
  out += held_;
  held_.clear();
  return {};
}

std::optional<Denial> McpInspector::judge(const Message& message) {
  if (!is_mcp_method(message.method)) return {};
  if (message.method != "tools/call") {
    return SessionRules::judge_server(rules_, server_);
  }
  auto denial = session_->rules().judge_call(rules_, server_, message.tool(), message.arguments(),
                                             Clock::now());
  report_call(message, denial);
  return denial;
}

void McpInspector::report_call(const Message& message, const std::optional<Denial>& denial) {
  const bool denied = denial && rules_.enforce_policy;
  audit::Event call = event(!denial                ? "mcp_tool_called"
                            : denial->cross_server ? "mcp_cross_server_blocked"
                                                   : "mcp_tool_call_intercepted",
                            message.tool());
  call.operation = "tools/call";
  if (denial && !denied) call.field("not_enforced", denial->rule);
  session_->gate().record(std::move(call),
                          denied ? policy::Verdict::deny(denial->rule, denial->message)
                                 : policy::Verdict::allow("mcp-rules"));
}

std::optional<InspectorRefusal> McpInspector::judge_request() {
  const auto document = JsonDocument::parse(held_, {.max_bytes = kMaxBody});
  if (!document) {
    // Another parser may read it, as another message.
    if (!rules_.enforce_policy) return {};
    return unreadable(400, "mcp_unreadable", "The JSON-RPC message is not well-formed.");
  }
  const std::vector<Message> messages = messages_of(*document);
  for (const Message& message : messages) {
    if (is_mcp_method(message.method)) is_mcp_ = true;
  }
  if (is_mcp_) session_->mark(server_);
  std::optional<Denial> denial;
  for (const Message& message : messages) {
    if (auto one = judge(message); one && !denial) denial = std::move(one);
  }
  if (!denial || !rules_.enforce_policy) return {};
  InspectorRefusal refused;
  refused.code = "mcp_denied";
  refused.rule = denial->rule;
  refused.message = denial->message;
  refused.advice = "Use another tool; the policy's mcp_rules say which.";
  refused.body = refusal(messages, document->root().is_array(), denial->rule, denial->message);
  // A message without an id gets no answer: HTTP says that it was not accepted.
  // So it does over the older transport, whose clients look at nothing else of an answer to a POST.
  if (!refused.body.empty() && refused.body != "[]") {
    refused.status = answers_posts_ ? 200 : 403;
    refused.content_type = "application/json";
  } else {
    refused.body.clear();
  }
  return refused;
}

HeadAction McpInspector::on_response_head(const http::ResponseHead& head) {
  HeadAction action;
  const std::string_view type = head.value_of("content-type");
  if (!is_mcp_ || head.status() / 100 != 2) return action;
  if (http::starts_ignoring_case(type, "text/event-stream")) {
    answer_ = Answer::kEvents;
  } else if (holds(type, "json")) {
    answer_ = Answer::kJson;
  } else {
    return action;
  }
  const std::string_view coding = head.value_of("content-encoding");
  if (!coding.empty() && !http::equal_ignoring_case(coding, "identity")) {
    if (rules_.enforce_policy) {
      action.refusal = unreadable(502, "mcp_unreadable", "The MCP server's answer is compressed.");
    }
    return action;
  }
  held_.clear();
  action.body = BodyUse::kRewrite;
  return action;
}

void McpInspector::judge_tools(const JsonNode::Array& tools, std::vector<std::size_t>& removed) {
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const ListedTool tool = session_->rules().judge_listed(rules_, server_, tools[i]);
    if (tool.first) {
      session_->gate().record(event("mcp_tool_seen", tool.name).field("content_hash", tool.hash));
    }
    const bool goes = tool.denial && rules_.enforce_policy;
    if (tool.changed) {
      audit::Event changed = event("mcp_tool_changed", tool.name);
      changed.field("content_hash", tool.hash).field("on_change", rules_.on_change);
      session_->gate().record(std::move(changed),
                              goes ? policy::Verdict::deny(tool.denial->rule, tool.denial->message)
                                   : policy::Verdict::allow("mcp-rules"));
    }
    if (goes) removed.push_back(i);
  }
}

// The text of a message with what has to be taken out of it; nothing: it stays as it is.
std::optional<std::string> McpInspector::edited(std::string_view text) {
  if (!may_be_rpc(text)) return {};
  const auto document = JsonDocument::parse(text, {.max_bytes = kMaxBody});
  if (!document) {
    unreadable_ = true;
    return {};
  }
  std::vector<std::vector<std::size_t>> removed;
  bool any = false;
  for (const Message& message : messages_of(*document)) {
    std::vector<std::size_t>& places = removed.emplace_back();
    if (const auto* tools = message.listed_tools()) {
      session_->mark(server_);
      judge_tools(*tools, places);
      any = any || !places.empty();
    } else if (message.result().has("content") || message.result().has("structuredContent") ||
               message.result().has("contents")) {
      session_->rules().remember_result(rules_, server_, message.result(), Clock::now());
    }
  }
  if (!any) return {};
  return without_tools(*document, removed);
}

void McpInspector::pass_event(const sse::Event& event, std::string& out) {
  const auto changed = event.data_lines > 0 ? edited(event.data) : std::nullopt;
  if (changed) {
    sse::write_with_data(event, *changed, out);
  } else {
    out += event.raw;
  }
}

std::optional<InspectorRefusal> McpInspector::pass_events(std::string_view content, bool last,
                                                          std::string& out) {
  sse::Event event;
  events_.feed(content);
  while (true) {
    const sse::Step step = events_.next(event);
    if (step == sse::Step::kTooLarge) {
      return unreadable(502, "mcp_body_too_large", "An event is too large to be looked at.");
    }
    if (step != sse::Step::kEvent) break;
    pass_event(event, out);
  }
  if (last && events_.finish(event)) pass_event(event, out);
  return refuse_unreadable();
}

std::optional<InspectorRefusal> McpInspector::on_response_body(Bytes content, bool last,
                                                               std::string& out) {
  if (answer_ == Answer::kEvents) return pass_events(as_text(content), last, out);
  held_ += as_text(content);
  if (held_.size() > kMaxHeld) {
    return unreadable(502, "mcp_body_too_large", "The answer is too large to be looked at.");
  }
  if (!last) return {};
  const auto changed = edited(held_);
  out += changed ? *changed : held_;
  return refuse_unreadable();
}

std::optional<InspectorRefusal> McpInspector::refuse_unreadable() const {
  if (!unreadable_ || !rules_.enforce_policy) return {};
  return unreadable(502, "mcp_unreadable", "The MCP server's message is not well-formed.");
}

}  // namespace

std::unique_ptr<flows::HttpInspector> make_mcp_inspector(
    std::shared_ptr<SessionMcp> session, std::shared_ptr<const policy::CompiledPolicy> policy,
    std::string server, const policy::Actor& actor) {
  return std::make_unique<McpInspector>(std::move(session), std::move(policy), std::move(server),
                                        actor);
}

}  // namespace agentsh::mcp
