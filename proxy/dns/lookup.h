// One question on its way to an answer, without I/O: it says what it needs and is given it.
//
//   Lookup lookup(engine, session, query);
//   Step step = lookup.start();
//   while (step != Step::kDone) {
//     if (step == Step::kAskUpstream) step = lookup.upstream_answered(ask(lookup.next_question()));
//     if (step == Step::kAskApproval) step = lookup.approval_settled(...);
//   }
//   respond(..., lookup.outcome(), ...);
//
// What it decides, in this order: question types that are never answered; special names; reverse
// names of private or leased addresses; dns_redirects; network_rules; hosts files; the cache or an
// upstream. On the way through an answer each alias is judged, each address is checked against the
// rebinding guard, and what is left becomes leases before it is given.
//
// Whose name is an address leased under? The name that was asked for, always; a name further down
// the chain of aliases only if policy would let the session resolve that name too.
//
// Threads: one at a time. The engine and the session must outlive the lookup.
#pragma once

#include "proxy/dns/cache.h"
#include "proxy/dns/hosts_table.h"
#include "proxy/dns/query.h"
#include "proxy/dns/session.h"
#include "proxy/dns/watched_file.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dns {

struct EngineOptions {
  Rcode deny_rcode = Rcode::kRefused;       // Or kNxDomain, kServFail: what a refusal looks like.
  std::string hosts_file = "/etc/hosts";    // Of the host; empty: none.
  std::uint32_t local_ttl = 60;             // Seconds, of answers that are made here.
  std::vector<std::uint16_t> kept_options;  // EDNS options passed on; all others are stripped.
};

// What all lookups share. Threads: any.
class Engine {
 public:
  Engine(EngineOptions options, std::shared_ptr<Cache> cache)
      : options_(std::move(options)), cache_(std::move(cache)), hosts_(options_.hosts_file) {}

  const EngineOptions& options() const { return options_; }
  Cache& cache() const { return *cache_; }
  const std::shared_ptr<Cache>& shared_cache() const { return cache_; }
  std::shared_ptr<const HostsTable> hosts(TimePoint now) { return hosts_.get(now); }

 private:
  const EngineOptions options_;
  const std::shared_ptr<Cache> cache_;
  WatchedFile<HostsTable> hosts_;
};

// What to ask an upstream.
struct UpstreamQuestion {
  std::string host;
  RrType type = RrType::kA;
  bool dnssec = false;
  std::vector<EdnsOption> options;  // With any, the answer is not shared.
};

enum class Step { kDone, kAskUpstream, kAskApproval };

class Lookup {
 public:
  Lookup(Engine& engine, std::shared_ptr<Session> session, Query query, TimePoint now);

  Step start();

  // After kAskUpstream.
  const UpstreamQuestion& next_question() const { return next_; }
  Step upstream_answered(AnswerPtr answer, TimePoint now);

  // After kAskApproval: the verdict that waits for it.
  const policy::Verdict& open_verdict() const { return outcome_.verdict; }
  Step approval_settled(policy::Verdict verdict, TimePoint now);

  // Ends the lookup with SERVFAIL, because something that it needs cannot be had.
  void give_up(ErrorInfo info, std::string reason);

  Session& session() const { return *session_; }
  const std::shared_ptr<Session>& shared_session() const { return session_; }
  const Query& query() const { return query_; }
  const Outcome& outcome() const { return outcome_; }
  // Names that the answer's addresses are leased under.
  std::vector<std::string> owners() const;

 private:
  // lookup.cc: what is decided before anything is known about the name.
  bool refuse_type();
  Step answer_special(bool& handled);
  Step answer_reverse(bool& handled);
  Step judge();
  Step resolve();
  Step answer_hosts(const HostsTable& hosts);
  Step answer_any();
  Step answer_local(std::vector<IpAddress> addresses, AnswerSource source, std::string_view rule);
  Step answer_redirect(const Name& owner, const NameRedirect& redirect);
  void add_made(Record record);
  bool wants(const IpAddress& address) const;

  // lookup_answer.cc: what is decided about an upstream's answer.
  Step ask(std::string_view host);
  Step accept(AnswerPtr answer);
  bool take_alias(const Record& record, const Answer& answer, Step& step);
  void take_address(const Record& record, const Answer& answer);
  bool grant(const IpAddress& address, std::uint32_t ttl, LeaseOrigin origin);
  Step settle_addresses(const Answer& answer);

  // lookup_refusal.cc: how a refusal is told.
  Step refuse(policy::Verdict verdict, bool named, std::string_view host);
  Step finish(Rcode rcode, AnswerSource source, policy::Verdict verdict);
  void explain(ErrorInfo info, std::string text);

  Engine& engine_;
  std::shared_ptr<Session> session_;
  Query query_;
  TimePoint now_;
  Outcome outcome_;
  UpstreamQuestion next_;
  std::vector<std::string> aliases_;  // Names of the chain that addresses are leased under too.
  int upstream_answers_ = 0;
  bool asked_upstream_ = false;
  bool leases_full_ = false;
};

}  // namespace agentsh::dns
