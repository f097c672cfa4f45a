#include "audit/event.h"

#include "audit/text_buffer.h"

#include <algorithm>
#include <chrono>

namespace agentsh::audit {
namespace {

// Writes members of one object, each with its comma.
class Members {
 public:
  Members(TextBuffer& out, RenderLimits limits) : out_(out), limits_(limits) {}

  // `key` is the member's name with quotes and colon: its escaping is known at compile time.
  template <std::size_t N>
  void text(const char (&key)[N], std::string_view value) {
    if (!value.empty()) required(key, value);
  }
  template <std::size_t N>
  void required(const char (&key)[N], std::string_view value) {
    comma();
    out_.literal(key);
    out_.quoted(value, limits_.string_bytes);
  }
  template <std::size_t N>
  TextBuffer& key(const char (&key)[N]) {
    comma();
    out_.literal(key);
    return out_;
  }
  void comma() {
    if (!first_) out_.raw(',');
    first_ = false;
  }

 private:
  TextBuffer& out_;
  RenderLimits limits_;
  bool first_ = true;
};

bool is_command(const Event& event) {
  return event.type.starts_with("command_") || event.type.starts_with("exec");
}

void append_policy(TextBuffer& out, const PolicyInfo& policy, bool command, RenderLimits limits) {
  out.raw('{');
  Members members(out, limits);
  members.text("\"decision\":", policy.decision);
  members.text("\"effective_decision\":", policy.effective_decision);
  members.text("\"rule\":", policy.rule);
  members.text("\"message\":", policy.message);
  if (!policy.approval_id.empty()) {
    members.key("\"approval\":{\"required\":true,\"mode\":\"enforced\",\"id\":")
        .quoted(policy.approval_id, limits.string_bytes);
    out.raw('}');
  }
  if (!policy.redirect_target.empty()) {
    TextBuffer& redirect = command ? members.key("\"redirect\":{\"command\":")
                                   : members.key("\"redirect\":{\"target\":");
    redirect.quoted(policy.redirect_target, limits.string_bytes);
    out.raw('}');
  }
  out.raw('}');
}

struct FieldAppender {
  TextBuffer& out;
  RenderLimits limits;

  void operator()(const std::string& value) const { out.quoted(value, limits.string_bytes); }
  void operator()(std::int64_t value) const { out.number(value); }
  void operator()(double value) const { out.number(value); }
  void operator()(bool value) const { out.raw(value ? std::string_view("true") : "false"); }
  void operator()(const std::vector<std::string>& values) const {
    out.raw('[');
    const std::size_t count = std::min(values.size(), limits.fields);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out.raw(',');
      out.quoted(values[i], limits.string_bytes);
    }
    out.raw(']');
  }
};

// Two members of one name would make the line mean different things to different readers.
bool named_before(const Event& event, std::size_t index) {
  const std::string& name = event.fields[index].first;
  for (std::size_t i = 0; i < index; ++i) {
    if (event.fields[i].first == name) return true;
  }
  return false;
}

void append_fields(TextBuffer& out, const Event& event, RenderLimits limits) {
  out.raw('{');
  const std::size_t count = std::min(event.fields.size(), limits.fields);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [name, value] = event.fields[i];
    if (named_before(event, i)) continue;
    if (i > 0) out.raw(',');
    out.quoted(name, limits.string_bytes);
    out.raw(':');
    std::visit(FieldAppender{out, limits}, value);
  }
  out.raw('}');
}

}  // namespace

void append_json(TextBuffer& out, const Event& event, std::string_view id, std::int64_t nanoseconds,
                 RenderLimits limits) {
  out.raw('{');
  Members members(out, limits);
  members.text("\"id\":", id);
  members.key("\"timestamp\":\"").timestamp(nanoseconds);
  out.raw('"');
  members.required("\"type\":", event.type);
  members.required("\"session_id\":", event.session_id);
  members.text("\"command_id\":", event.command_id);
  members.text("\"source\":", event.source);
  if (event.pid != 0) members.key("\"pid\":").number(std::int64_t{event.pid});
  members.text("\"program\":", event.program);
  if (event.policy) {
    append_policy(members.key("\"policy\":"), *event.policy, is_command(event), limits);
  }
  if (limits.cut()) members.key("\"truncated\":true");
  members.text("\"path\":", event.path);
  members.text("\"domain\":", event.domain);
  members.text("\"remote\":", event.remote);
  members.text("\"operation\":", event.operation);
  append_fields(members.key("\"fields\":"), event, limits);
  out.raw('}');
}

std::string to_json(const Event& event) {
  TextBuffer out;
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::nanoseconds>(event.timestamp.time_since_epoch());
  append_json(out, event, event.id, since_epoch.count());
  return std::string(out.view());
}

}  // namespace agentsh::audit
