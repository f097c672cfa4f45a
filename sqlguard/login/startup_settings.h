// A StartupMessage as what it is: who, which database, and settings, each of which counts as the
// SET statement that it is. `options` is read as the server reads it and taken apart, so that what
// was judged is what the server applies.
//
// Pure functions; any thread.
#pragma once

#include "sqlguard/classifier/classify.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/codec/startup.h"
#include "sqlguard/login/login_failure.h"
#include "sqlguard/rules/database_rules.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

struct StartupSettings {
  struct Setting {
    std::string name;  // Lower case.
    std::string value;
    bool operator==(const Setting&) const = default;
  };

  std::string user = {};
  std::string database = {};  // The user's name unless said.
  std::string application_name = {};
  std::string replication = {};        // As written; see is_replication.
  bool is_replication = false;         // The connection would carry the replication protocol.
  std::vector<Setting> settings = {};  // In the order in which the server applies them.

  // The last of that name; empty when it is not set.
  std::string_view setting(std::string_view name) const;
};

// Fails on what the server would refuse or what cannot be judged: no user, names that the server
// would cut off (63 bytes), parameters of one name twice, switches in `options` other than -c and
// --name=value, names that are no setting's.
LoginResult<StartupSettings> read_settings(const StartupMessage& message);

// What the guard speaks of the protocol, 3.0 and 3.2 (PostgreSQL 18 documentation, 55.2.1).
struct Negotiation {
  std::uint16_t minor = 0;
  // What the client gets first, before authentication; nothing if all that it asked for is spoken.
  // Views into the message.
  std::optional<NegotiateProtocolVersion> answer = {};
};
inline constexpr std::uint16_t kNewestMinor = 2;
Negotiation negotiate(const StartupMessage& message);

// What goes to the server: the settings as parameters of their own, no `options`, no _pq_.
// extensions. `user` in place of the client's, unless empty.
StartupMessage upstream_startup(const StartupSettings& settings, std::uint16_t minor,
                                std::string_view user = {});

// One SET statement for each setting, classified: SET ROLE, SET search_path and the like have
// subtypes of their own. Those of one text, in order; as many as settings.
Analysis statements_of(const StartupSettings& settings, Dialect dialect);

// The schemas that the session searches, if the client sets them: for the SessionState.
std::optional<std::vector<std::string>> search_path_of(const StartupSettings& settings);

// Does every driver send it, and does it only say how values look? Then a rule that covers it is
// not needed, though one that denies it counts: client_encoding, datestyle, timezone,
// intervalstyle, extra_float_digits, application_name, geqo.
bool is_presentation(std::string_view setting);

struct StartupDecision {
  // By setting.
  std::vector<StatementDecision> decisions;
  // The setting that decides: one that is denied, or waits for approval; nothing: all may pass.
  std::optional<std::size_t> decisive;
};

// What the rules say about the settings. `session` is told of them as forwarded and completed, so
// it is the session's state at its start.
StartupDecision judge(const StartupSettings& settings, const DatabaseRules& rules, Dialect dialect,
                      SessionState& session);

// The denial of decisions[index] for the client, with the rule's name and message.
LoginFailure denial_of(const StartupSettings& settings, const StartupDecision& decision,
                       std::size_t index);

}  // namespace agentsh::sql
