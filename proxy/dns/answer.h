// What is kept of an upstream's message: the chain of aliases from the name that was asked for, the
// records of the type that was asked for at its end, and for a negative answer its SOA. Everything
// else in the message (other owners, the additional section) is dropped, so a server cannot plant
// what it was not asked for.
//
// An Answer is immutable once made, and shared between the cache and the sessions.
#pragma once

#include "proxy/dns/message.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::dns {

using TimePoint = std::chrono::steady_clock::time_point;

struct AnswerOptions {
  // Protocol ids left in HTTPS and SVCB records.
  std::vector<std::string> alpn = {"http/1.1"};
  std::uint32_t max_ttl = 86400;         // Seconds a record may be cached.
  std::uint32_t max_negative_ttl = 900;  // The same for "no such name" and "no such record".
  std::size_t max_records = 256;         // More are left out, the rest of an RRset too.
};

struct Answer {
  Rcode rcode = Rcode::kServFail;
  // Aliases first, in order, then the records asked for; with DO their RRSIGs among them.
  std::vector<Record> records;
  // SOA of a negative answer, with DO its proof (NSEC, NSEC3, RRSIG).
  std::vector<Record> authority;
  Name final_name;       // Where the aliases lead.
  bool complete = true;  // False: it ends in an alias, whose target has still to be asked for.
  bool authenticated = false;  // The upstream set AD, and nothing was taken out or changed.
  bool all_public = true;      // No address in it is of a special class (base/ip.h).
  std::uint32_t ttl = 0;       // Seconds until it must be asked for again; 0: not to be cached.
  std::string server;          // Who said it: "address:port".
  std::string failure;         // Why there is no answer; then rcode is SERVFAIL.
  ErrorInfo failure_info = ErrorInfo::kOther;
  TimePoint received{};

  std::size_t memory() const;
  // Seconds left of `ttl` at `now`.
  std::uint32_t remaining(std::uint32_t record_ttl, TimePoint now) const;
};

using AnswerPtr = std::shared_ptr<const Answer>;

// Distils `message`, the reply to a question for `type` records of `asked`. Fails with bad_message
// where the answer cannot be meant: aliases in a circle or too many of them, records beside an
// error.
Result<Answer> distil(const Message& message, const Name& asked, RrType type, bool dnssec,
                      const AnswerOptions& options);

// The answer where no upstream gave one.
Answer failed_answer(ErrorInfo info, std::string reason);

}  // namespace agentsh::dns
