// Internal to the login machines: whole frames of received bytes, one after the other.
#pragma once

#include "sqlguard/codec/frame.h"
#include "sqlguard/login/login_failure.h"
#include "sqlguard/login/session_start.h"

#include <utility>

namespace agentsh::sql {

// Before a session has begun nothing needs to be long: errors and notices are sentences.
inline constexpr FrameLimits kLoginLimits{.small = 10'000, .large = 64 << 10};

inline LoginFailure violation(std::string what) {
  return {.sqlstate = std::string(kProtocolViolation), .message = std::move(what)};
}

// Calls take(frame, raw bytes, out) for each whole frame until it returns true or fails; what it
// wrote is the step's `send`.
template <class Take>
LoginResult<LoginStep> each_frame(Bytes bytes, Direction direction, Take&& take) {
  LoginStep step;
  ByteWriter out;
  while (!step.done) {
    const Bytes rest = bytes.subspan(step.taken);
    const auto frame = read_frame(rest, direction, kLoginLimits);
    if (!frame) return std::unexpected(violation(frame.error().what));
    if (!*frame) break;
    const LoginResult<bool> done = take(**frame, rest.first((*frame)->size), out);
    if (!done) return std::unexpected(done.error());
    step.taken += (*frame)->size;
    step.done = *done;
  }
  step.send = out.take();
  return step;
}

}  // namespace agentsh::sql
