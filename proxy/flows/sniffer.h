// What a client speaks, told from its first bytes. A table of protocols is asked; a new one is a
// matcher and a line in it.
//
// What looks like a request in any way goes to the HTTP engine, which refuses what is not well
// formed: otherwise a sloppy server behind a raw relay could be sent requests that nobody judged.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <string_view>

namespace agentsh::flows {

enum class Protocol : std::uint8_t { kTls, kHttp, kPostgres, kRaw };
std::string_view to_string(Protocol protocol);

enum class Match : std::uint8_t { kNo, kYes, kMore };

struct Sniffed {
  Match match = Match::kMore;  // kYes: `protocol` is certain. kMore: send more. Never kNo.
  Protocol protocol = Protocol::kRaw;
};

// At most this much is looked at; who is undecided then is taken for HTTP.
inline constexpr std::size_t kMaxSniffBytes = 8 << 10;

// `start` is everything the client sent so far, at least one byte. Protocols are asked in order;
// kRaw when none matches.
Sniffed sniff(Bytes start);

}  // namespace agentsh::flows
