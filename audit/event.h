// One audit event: what happened, who did it and what policy said. The JSON form is the public one;
// its member order is fixed because the hash chain covers the bytes.
//
// A plain value, owned by whoever made it until it is moved into Recorder::record().
#pragma once

#include "base/time_format.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace agentsh::audit {

class TextBuffer;

// What the policy decided. Empty strings are left out of the JSON.
struct PolicyInfo {
  std::string decision;            // allow deny approve redirect audit soft_delete absorb
  std::string effective_decision;  // allow or deny (or what was done): differs from `decision`
                                   // after an approval.
  std::string rule;
  std::string message;
  std::string approval_id;      // Becomes policy.approval{required, mode, id}.
  std::string redirect_target;  // Becomes policy.redirect{command} for commands, {target} for
                                // everything else.
};

using FieldValue = std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>>;

struct Event {
  explicit Event(std::string event_type) : type(std::move(event_type)) {}

  std::string id;        // Filled by the recorder when empty: unique, ordered within one daemon.
  WallTime timestamp{};  // Filled by the recorder when zero.
  std::string type;      // "net_connect", "dns_query", "command_started", ...
  std::string session_id;
  std::string command_id;
  std::string source;  // Which part saw it: "proxy", "dns", "api", "sandbox", "bpf".
  pid_t pid = 0;
  std::string program;
  std::optional<PolicyInfo> policy;
  std::string path;
  std::string domain;
  std::string remote;  // "address:port"
  std::string operation;
  std::vector<std::pair<std::string, FieldValue>> fields;

  Event& field(std::string name, FieldValue value) {
    fields.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

// One line of JSON without a line break. `session_id` and `fields` are always there, other members
// when they are not empty. Of fields with the same name the first is written.
std::string to_json(const Event& event);

// How much of an event is written. The recorder lowers it for events that do not fit into its ring;
// then the JSON says `"truncated":true`.
struct RenderLimits {
  std::size_t string_bytes = SIZE_MAX;
  std::size_t fields = SIZE_MAX;
  bool cut() const { return string_bytes != SIZE_MAX || fields != SIZE_MAX; }
};

// Appends the JSON with `id` and `nanoseconds` (since 1970) in place of the event's own.
void append_json(TextBuffer& out, const Event& event, std::string_view id, std::int64_t nanoseconds,
                 RenderLimits limits = {});

}  // namespace agentsh::audit
