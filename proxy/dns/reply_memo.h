// Finished replies of one socket, by the very bytes of the question: what repeats costs a look-up,
// not a decision, a cache look-up and a message.
//
// A remembered reply is given only while everything that it rests on stands: the same policy and
// hosts file, TTLs that have not run out, and leases that are still in the session's table (they
// are renewed as by a fresh answer). Otherwise the question goes the long way. Only plain answers
// from the cache are remembered: no denials, redirects, approvals, or answers with addresses taken
// out.
//
// Bounded: kMaxEntries; when it is full, all is forgotten. Threads: of its socket.
#pragma once

#include "base/bytes.h"
#include "proxy/dns/lookup.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::dns {

class ReplyMemo {
 public:
  static constexpr std::size_t kMaxEntries = 2048;
  // Longer questions are rare, and not remembered.
  static constexpr std::size_t kMaxQuestionBytes = 160;

  // Writes the reply to `question` into `out`. Nothing when it has to go the long way; else the
  // lookup that the reply came from, for the report.
  const Lookup* answer(Session& session, Engine& engine, Bytes question, TimePoint now,
                       std::vector<std::uint8_t>& out);

  // Remembers `reply` if the lookup's outcome allows it.
  void remember(Bytes question, Bytes reply, std::unique_ptr<const Lookup> lookup, Engine& engine,
                TimePoint now);
  static bool may_remember(const Lookup& lookup, Bytes question);

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::unique_ptr<const Lookup> lookup;
    std::vector<std::uint8_t> reply;
    std::vector<std::uint16_t> ttls;  // Offsets in the reply.
    std::vector<LeaseTable::Handle> leases;
    std::shared_ptr<const void> policy;
    std::shared_ptr<const HostsTable> hosts;
    TimePoint made;
    std::uint32_t ttl;  // The least.
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
};

}  // namespace agentsh::dns
