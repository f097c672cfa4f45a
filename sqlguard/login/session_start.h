// What a server says between AuthenticationOk and its first ReadyForQuery: parameters, the key for
// cancellation, notices (PostgreSQL 18 documentation, 55.2.1).
#pragma once

#include "sqlguard/codec/frame.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/login/login_failure.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::sql {

struct SessionStart {
  struct CancelKey {
    std::uint32_t process = 0;
    std::vector<std::uint8_t> key = {};
  };

  std::uint16_t minor = 0;  // Of the protocol, as the server speaks it.
  // ParameterStatus, in order.
  std::vector<std::pair<std::string, std::string>> parameters = {};
  std::optional<CancelKey> cancel_key = {};  // The server's own; clients get another one.
  std::vector<std::uint8_t> notices = {};    // Whole NoticeResponse frames, to be passed on.
};

// How far a login came with the bytes that it was given.
struct LoginStep {
  std::size_t taken = 0;  // Bytes from the front; what remains is given again, with more behind it.
  std::vector<std::uint8_t> send = {};
  bool done = false;  // Nothing after the last message of the login was taken.
};

// Collects the messages. Bounded: parameters and notices together at most kMaximumBytes.
class SessionStartReader {
 public:
  static constexpr std::size_t kMaximumBytes = 256 << 10;

  explicit SessionStartReader(std::uint16_t minor) { start_.minor = minor; }

  // One frame; true for the ReadyForQuery which ends it. Fails on the server's ErrorResponse and on
  // messages that do not belong here.
  LoginResult<bool> take(const Frame& frame);
  // NegotiateProtocolVersion, which comes before authentication.
  LoginResult<bool> negotiated(const NegotiateProtocolVersion& answer);

  const SessionStart& start() const { return start_; }

 private:
  SessionStart start_;
  std::size_t bytes_ = 0;
};

// The server's ErrorResponse as the reason of a failed login.
LoginFailure failure_of(const Report& report);

}  // namespace agentsh::sql
