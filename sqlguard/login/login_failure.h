// Why a login ended, as the client is told: an ErrorResponse of severity FATAL.
#pragma once

#include "base/bytes.h"

#include <expected>
#include <string>
#include <string_view>

namespace agentsh::sql {

struct LoginFailure {
  std::string sqlstate = {};  // "28P01"
  std::string message = {};   // No password, salt or proof is ever in it.
  std::string detail = {};
  std::string hint = {};   // What to set so that it works.
  bool by_server = false;  // The upstream server's own words.
};

template <class T>
using LoginResult = std::expected<T, LoginFailure>;

// SQLSTATEs that logins end with.
inline constexpr std::string_view kInvalidPassword = "28P01";
inline constexpr std::string_view kInvalidAuthorization = "28000";
inline constexpr std::string_view kProtocolViolation = "08P01";
inline constexpr std::string_view kConnectionFailure = "08006";
inline constexpr std::string_view kConnectionRejected = "08004";
inline constexpr std::string_view kFeatureNotSupported = "0A000";
inline constexpr std::string_view kSyntaxError = "42601";
inline constexpr std::string_view kInsufficientPrivilege = "42501";

// The ErrorResponse. NULs in texts, which the protocol cannot carry, become blanks.
void write(const LoginFailure& failure, ByteWriter& out);

}  // namespace agentsh::sql
