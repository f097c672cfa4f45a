// The decision for a connection: a rule that allows a name allows only the addresses which this
// session was given for that name.
//
//   claimed name leased for the address      judged with the name
//   claimed name not leased for it           the address alone must be allowed (a CIDR rule, or one
//                                            for every host), and no rule may deny the name
//   no claimed name                          any leased name that is allowed, else the address
//   alone
//
// Pure: no I/O, records nothing.
#pragma once

#include "proxy/flows/services.h"

namespace agentsh::flows {

inline constexpr std::string_view kNameMismatchRule = "name-mismatch";

struct ConnectionQuestion {
  Endpoint destination;
  // What the client says whom it wants; canonical. Empty: it did not say.
  std::string_view claimed;
  std::string_view claimed_by;  // "SNI", "Host", "CONNECT": for messages.
};

struct ConnectionJudgement {
  policy::Verdict verdict;
  // Under which name the connection goes: claimed or leased. Empty when only the address counts.
  std::string name;
  bool leased = false;  // `name` has a lease for the address.
};

ConnectionJudgement judge_connection(const FlowPolicy& policy, const NameLeases& leases,
                                     const ConnectionQuestion& question);

}  // namespace agentsh::flows
