// One message of a client, whatever brought it: read, looked up, answered, reported.
//
// Threads: of the service. Most questions are answered before begin() returns; the rest are given
// to the runner.
#pragma once

#include "base/bytes.h"
#include "base/ip.h"
#include "proxy/dns/lookup_runner.h"
#include "proxy/dns/reply_memo.h"
#include "proxy/dns/response.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace agentsh::dns {

class QueryHandler {
 public:
  // A question that waits.
  struct Pending {
    std::shared_ptr<Lookup> lookup;
    Step step;
    ReplyFrame frame;
  };
  enum class Result { kReplied, kDropped, kPending };

  QueryHandler(std::shared_ptr<Engine> engine, std::shared_ptr<LookupRunner> runner)
      : engine_(std::move(engine)), runner_(std::move(runner)) {}

  // Handles one message from `client`. kReplied: the reply is in `out`. kDropped: there is none.
  // kPending: `pending` is filled; the caller hands it to finish(). With `memo`, which is the
  // socket's own, repeated questions are answered from it.
  Result begin(const std::shared_ptr<Session>& session, Bytes message, QueryTransport transport,
               const Endpoint& client, TimePoint now, std::vector<std::uint8_t>& out,
               Pending& pending, ReplyMemo* memo = nullptr);

  // Calls `reply` once with the reply's bytes, now or later.
  void finish(Pending pending, std::function<void(std::vector<std::uint8_t>)> reply);

  // A datagram that did not fit a buffer: counted as malformed.
  void too_long(const std::shared_ptr<Session>& session, const Endpoint& client, TimePoint now);

  // Reports what the session's malformed messages have not been reported yet. For its end.
  void forget(const std::string& session_id);

 private:
  struct Malformed {
    std::shared_ptr<Session> session;
    std::uint64_t count = 0;
    TimePoint reported{};
    std::string reason;
    policy::Actor actor;
  };
  void count_malformed(const std::shared_ptr<Session>& session, const Endpoint& client,
                       QueryTransport transport, std::string reason, TimePoint now);
  static void report(Malformed& malformed);

  const std::shared_ptr<Engine> engine_;
  const std::shared_ptr<LookupRunner> runner_;
  std::unordered_map<std::string, Malformed> malformed_;
};

// Tells the session's observer what became of the question.
void report_answer(const Lookup& lookup);

}  // namespace agentsh::dns
