// A fatal alert as bytes (RFC 8446 §6), for connections that are refused before any handshake: the
// client's TLS library then names a reason instead of a reset.
#pragma once

#include <array>
#include <cstdint>

namespace agentsh::tls {

enum class Alert : std::uint8_t {
  kHandshakeFailure = 40,
  kAccessDenied = 49,  // Policy says no.
  kDecodeError = 50,   // The hello could not be read.
  kProtocolVersion = 70,
  kInternalError = 80,
  kUnrecognizedName = 112,  // The server name is none, or not the one that was looked up.
};

constexpr std::array<std::uint8_t, 7> fatal_alert(Alert alert) {
  return {21, 3, 3, 0, 2, 2, static_cast<std::uint8_t>(alert)};
}

}  // namespace agentsh::tls
