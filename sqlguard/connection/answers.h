// What the guard itself says to a client, and the few messages that it sends to a server of its own
// accord. Bytes, ready to be sent.
#pragma once

#include "sqlguard/codec/messages.h"
#include "sqlguard/connection/judge.h"
#include "sqlguard/login/session_start.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

using ByteVector = std::vector<std::uint8_t>;

struct Refusal {
  std::string sqlstate = {};
  std::string message = {};
  std::string detail = {};
  std::string hint = {};
};

// 42501 with the rule's name and message.
Refusal refusal_of(const StatementDecision& decision, std::string_view raw_verb);

enum class Severity : std::uint8_t { kError, kFatal };
void write_error(const Refusal& refusal, Severity severity, ByteVector& out);
void write_ready(ReadyForQuery::State state, ByteVector& out);
void write_query(std::string_view text, ByteVector& out);
void write_sync(ByteVector& out);
void write_flush(ByteVector& out);
// Execute of a portal that does not exist: the server fails at exactly this place of the pipeline,
// undoes what the implicit transaction did and skips to the next Sync, as it would have done for
// the statement that was not forwarded.
void write_poison(ByteVector& out);
// Of the error that answers it.
inline constexpr std::string_view kPoisonState = "34000";

// ParameterStatus of each, BackendKeyData with `key` if the server gave one, ReadyForQuery: how a
// session starts for the client.
ByteVector session_opening(const SessionStart& start, const SessionStart::CancelKey* key);

}  // namespace agentsh::sql
