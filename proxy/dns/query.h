// One question of a client, what became of it, and who is told.
#pragma once

#include "base/ip.h"
#include "policies/facts.h"
#include "policies/verdict.h"
#include "proxy/dns/answer.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dns {

enum class QueryTransport : std::uint8_t {
  kUdp,
  kTcp,
  kProxy
};  // kProxy: the resolver of our own.
std::string_view to_string(QueryTransport transport);

struct Query {
  Name name;         // As asked, with its case.
  std::string host;  // Canonical; empty when the name is no host name.
  RrType type = RrType::kA;
  bool dnssec_ok = false;
  std::vector<EdnsOption> forwarded;  // Options that the configuration lets through.
  QueryTransport transport = QueryTransport::kUdp;
  policy::Actor actor;
  TimePoint started{};
};

enum class AnswerSource : std::uint8_t {
  kPolicy,    // Refused.
  kSpecial,   // A special-use name (special_names.h), or the session's own leases.
  kHosts,     // A hosts file.
  kRedirect,  // A dns_redirects rule.
  kCache,
  kUpstream,
};
std::string_view to_string(AnswerSource source);

// A record of the answer: a pointer into an Answer or into Outcome::made, and the TTL to give.
struct GivenRecord {
  const Record* record;
  std::uint32_t ttl;
};

struct RemovedAddress {
  IpAddress address;
  AddressClass address_class;
};

struct Outcome {
  // Fails closed: what was not decided is a denial.
  policy::Verdict verdict = policy::Verdict::deny("dns-undecided", {});
  Rcode rcode = Rcode::kServFail;
  AnswerSource source = AnswerSource::kPolicy;
  std::vector<GivenRecord> answers;
  std::vector<GivenRecord> authority;
  bool authenticated = false;
  std::optional<EdnsOption> error;      // Extended error, told where the client has EDNS.
  std::string reason;                   // Its text; also for the event.
  std::string visibility;               // Of the redirect that answered.
  std::vector<IpAddress> addresses;     // Given, each with a lease.
  std::vector<RemovedAddress> removed;  // Taken out by the rebinding guard.
  std::string upstream;                 // "address:port" of who answered.

  std::vector<AnswerPtr> kept;  // What `answers` and `authority` point into.
  std::vector<std::unique_ptr<const Record>> made;
};

}  // namespace agentsh::dns
