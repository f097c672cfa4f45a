// From a client's bytes to a Query, and from an Outcome to the bytes of the reply.
#pragma once

#include "base/bytes.h"
#include "proxy/dns/lookup.h"
#include "proxy/dns/message.h"
#include "proxy/dns/query.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agentsh::dns {

// What a reply repeats of the question.
struct ReplyFrame {
  Header header;
  std::optional<Question> question;
  bool has_edns = false;
  bool dnssec_ok = false;
  std::size_t limit = kPlainUdpBytes;  // Bytes of the reply.
};

// Answers that need no lookup.
struct EarlyReply {
  Rcode rcode;
  std::string reason;
};

// A client's message, read. `query` is there when it is a question to look up; else `early` says
// what to reply; neither when it must be left unanswered (too short, or itself a response).
struct ReceivedQuery {
  ReplyFrame frame;
  std::optional<Query> query;
  std::optional<EarlyReply> early;
};

// Reads a message. `kept_options` are the EDNS options that Query::forwarded may hold. Transport
// and actor are the caller's to fill in.
ReceivedQuery read_query(Bytes data, QueryTransport transport,
                         std::span<const std::uint16_t> kept_options);

// Writes the reply into `out` (cleared first), at most frame.limit bytes: what does not fit is left
// out as a whole and TC is set.
void write_reply(const ReplyFrame& frame, const Outcome& outcome, std::vector<std::uint8_t>& out);
void write_early_reply(const ReplyFrame& frame, Rcode rcode, std::vector<std::uint8_t>& out);

}  // namespace agentsh::dns
