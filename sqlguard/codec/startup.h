// What a client may send before messages have types: requests for encryption, a cancellation, the
// startup message (PostgreSQL 18 documentation, 55.2 and 55.7), or a TLS hello right away.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace agentsh::sql {

struct SslRequest {
  bool operator==(const SslRequest&) const = default;
};
struct GssEncRequest {
  bool operator==(const GssEncRequest&) const = default;
};

// The key has 4 bytes in version 3.0, up to 256 in 3.2.
struct CancelRequest {
  std::uint32_t process = 0;
  std::vector<std::uint8_t> key = {};
  bool operator==(const CancelRequest&) const = default;
};

struct StartupMessage {
  std::uint16_t major = 3;
  std::uint16_t minor = 0;
  // In order; names as sent. Names that begin with _pq_. are options of the protocol.
  std::vector<std::pair<std::string, std::string>> parameters = {};

  // The last of that name, as the server takes it; empty when it is not there.
  std::string_view parameter(std::string_view name) const;
  // replication=true, =database or another word for yes: the connection would carry the replication
  // protocol. Words that the server would refuse count as yes.
  bool is_replication() const;
  bool operator==(const StartupMessage&) const = default;
};

// The client speaks TLS without asking first (PostgreSQL 17, sslnegotiation=direct).
struct DirectTls {
  bool operator==(const DirectTls&) const = default;
};

using StartupPacket =
    std::variant<SslRequest, GssEncRequest, CancelRequest, StartupMessage, DirectTls>;

struct ReadStartup {
  StartupPacket packet;
  // Bytes that it took. What follows an SslRequest or GssEncRequest before the answer was sent is
  // not to be believed (CVE-2021-23214): the caller refuses it.
  std::size_t size;
};

inline constexpr std::size_t kMaximumStartup = 10'000;
inline constexpr std::size_t kMaximumCancelKey = 256;

// The packet at the front of `bytes`; nothing while it is incomplete. Fails on lengths out of
// range, other protocol versions than 3.x and malformed parameters.
Result<std::optional<ReadStartup>> read_startup(Bytes bytes);

void write(const SslRequest& request, ByteWriter& out);
void write(const GssEncRequest& request, ByteWriter& out);
void write(const CancelRequest& request, ByteWriter& out);
// Precondition: no NUL in names and values, no empty name.
void write(const StartupMessage& message, ByteWriter& out);

}  // namespace agentsh::sql
