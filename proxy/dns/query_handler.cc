#include "proxy/dns/query_handler.h"

#include <chrono>
#include <utility>

namespace agentsh::dns {
namespace {

constexpr auto kMalformedReportInterval = std::chrono::seconds(1);

policy::Transport socket_kind(QueryTransport transport) {
  return transport == QueryTransport::kUdp ? policy::Transport::kUdp : policy::Transport::kTcp;
}

policy::Actor actor_of(const Session& session, QueryTransport transport, const Endpoint& client) {
  if (session.actors() == nullptr) return {};
  return session.actors()->actor_of(socket_kind(transport), client);
}

}  // namespace

void report_answer(const Lookup& lookup) {
  lookup.session().observer().answered({lookup.session().id(), lookup.query(), lookup.outcome(),
                                        lookup.query().actor,
                                        std::chrono::steady_clock::now() - lookup.query().started});
}

QueryHandler::Result QueryHandler::begin(const std::shared_ptr<Session>& session, Bytes message,
                                         QueryTransport transport, const Endpoint& client,
                                         TimePoint now, std::vector<std::uint8_t>& out,
                                         Pending& pending, ReplyMemo* memo) {
  if (const Lookup* known =
          memo != nullptr ? memo->answer(*session, *engine_, message, now, out) : nullptr) {
    session->observer().answered({session->id(), known->query(), known->outcome(),
                                  actor_of(*session, transport, client),
                                  std::chrono::steady_clock::now() - now});
    return Result::kReplied;
  }
  ReceivedQuery received = read_query(message, transport, engine_->options().kept_options);
  if (!received.query) {
    count_malformed(session, client, transport,
                    received.early ? received.early->reason : "not a question", now);
    if (!received.early) return Result::kDropped;
    write_early_reply(received.frame, received.early->rcode, out);
    return Result::kReplied;
  }
  received.query->started = now;
  received.query->actor = actor_of(*session, transport, client);
  Lookup lookup(*engine_, session, std::move(*received.query), now);
  const Step step = lookup.start();
  if (step == Step::kDone) {
    write_reply(received.frame, lookup.outcome(), out);
    report_answer(lookup);
    if (memo != nullptr && ReplyMemo::may_remember(lookup, message)) {
      memo->remember(message, out, std::make_unique<const Lookup>(std::move(lookup)), *engine_,
                     now);
    }
    return Result::kReplied;
  }
  pending = {std::make_shared<Lookup>(std::move(lookup)), step, std::move(received.frame)};
  return Result::kPending;
}

void QueryHandler::finish(Pending pending, std::function<void(std::vector<std::uint8_t>)> reply) {
  runner_->run(std::move(pending.lookup), pending.step,
               [frame = std::move(pending.frame), reply = std::move(reply)](const Lookup& lookup) {
                 std::vector<std::uint8_t> out;
                 write_reply(frame, lookup.outcome(), out);
                 report_answer(lookup);
                 reply(std::move(out));
               });
}

void QueryHandler::too_long(const std::shared_ptr<Session>& session, const Endpoint& client,
                            TimePoint now) {
  count_malformed(session, client, QueryTransport::kUdp, "datagram longer than any question", now);
}

void QueryHandler::count_malformed(const std::shared_ptr<Session>& session, const Endpoint& client,
                                   QueryTransport transport, std::string reason, TimePoint now) {
  Malformed& malformed = malformed_[session->id()];
  malformed.session = session;
  ++malformed.count;
  if (malformed.reported != TimePoint{} && now < malformed.reported + kMalformedReportInterval) {
    malformed.reason = std::move(reason);
    return;
  }
  malformed.reason = std::move(reason);
  malformed.actor = actor_of(*session, transport, client);
  malformed.reported = now;
  report(malformed);
}

void QueryHandler::report(Malformed& malformed) {
  if (malformed.count == 0) return;
  malformed.session->observer().malformed(
      {malformed.session->id(), malformed.actor, malformed.reason, malformed.count});
  malformed.count = 0;
}

void QueryHandler::forget(const std::string& session_id) {
  const auto found = malformed_.find(session_id);
  if (found == malformed_.end()) return;
  report(found->second);
  malformed_.erase(found);
}

}  // namespace agentsh::dns
