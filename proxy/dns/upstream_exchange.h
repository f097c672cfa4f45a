// One question to one upstream, without I/O: the bytes to send, and whether a reply is the reply.
//
// A forger who cannot see the question has to guess its id, its source port (the socket's) and the
// case of its letters. What does not fit is ignored; what fits but for its case, or cannot be
// parsed, is not trusted: the question is asked again over TCP.
#pragma once

#include "proxy/dns/lookup.h"
#include "proxy/dns/message.h"

#include <cstdint>
#include <vector>

namespace agentsh::dns {

enum class ReplyKind {
  kAnswer,       // NOERROR or NXDOMAIN, to this question.
  kStray,        // Not to this question: go on waiting.
  kDoubtful,     // Ask again over TCP: truncated, another case, unparsable, or too many strays.
  kWithoutEdns,  // The server does not know EDNS: ask it again without.
  kFailed,       // The server says that it cannot or will not answer: ask another.
};

class UpstreamExchange {
 public:
  // Draws a fresh id and fresh letter cases from the kernel.
  UpstreamExchange(const UpstreamQuestion& question, bool edns);

  Bytes query() const { return query_; }
  // Judges a datagram or a framed message; the message is kept for reply().
  ReplyKind judge(Bytes data);
  Message& reply() { return reply_; }

 private:
  Message question_;
  std::vector<std::uint8_t> query_;
  Message reply_;
  int strays_ = 0;
};

}  // namespace agentsh::dns
