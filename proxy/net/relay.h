// Two streams joined: what either sends, the other gets, until both have ended or one fails.
//
// Memory: nothing is read before what was read is written, so a slow reader slows the sender down.
// A direction that waits holds no buffer unless the receiver took only a part. Between two plain
// sockets a direction that has moved `splice_after` bytes goes on by splice(2).
//
// Ending: the end of one side's bytes is passed on as a half-close and the other direction goes on.
// An error on either side, a truncated TLS stream included, ends both with a reset, so that neither
// peer takes a part for the whole. Both streams are closed on return.
#pragma once

#include "proxy/net/byte_stream.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace agentsh::net {

struct RelayLimits {
  // Without a byte in either direction; zero: no limit.
  std::chrono::milliseconds idle{0};
  // The same once one direction has ended; zero: as `idle`.
  std::chrono::milliseconds half_closed{0};
  std::uint64_t splice_after = 128 << 10;
};

// Live counts of what was written, readable in the loop's thread while the relay runs.
struct RelayCounters {
  std::uint64_t a_to_b = 0;
  std::uint64_t b_to_a = 0;
};

struct RelayEnd {
  enum class Reason : std::uint8_t {
    kFinished,  // Both directions came to their end.
    kIdle,
    kFailed,  // `error` says why: reset, truncated, canceled.
  };
  Reason reason = Reason::kFinished;
  std::optional<Error> error;
};

boost::asio::awaitable<RelayEnd> relay(ByteStream& a, ByteStream& b, RelayLimits limits,
                                       RelayCounters& counters);

}  // namespace agentsh::net
