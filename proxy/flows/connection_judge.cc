#include "proxy/flows/connection_judge.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace agentsh::flows {
namespace {

policy::Verdict judge_as(const FlowPolicy& policy, const Endpoint& destination,
                         std::string_view name) {
  return policy.judge({.name = name, .address = destination.address, .port = destination.port});
}

bool can_go_on(const policy::Verdict& verdict) {
  return verdict.permitted() || verdict.needs_approval();
}

bool is_default(const policy::Verdict& verdict) {
  return verdict.rule() == policy::kDefaultDenyNetwork;
}

ConnectionJudgement judge_stranger(const FlowPolicy& policy, const ConnectionQuestion& question) {
  // The name is only a claim, so it cannot allow; but who names a forbidden host is believed.
  policy::Verdict named = judge_as(policy, question.destination, question.claimed);
  if (!can_go_on(named) && !is_default(named)) {
    return {std::move(named), std::string(question.claimed)};
  }
  policy::Verdict by_address = judge_as(policy, question.destination, {});
  if (can_go_on(by_address)) {
    // The stricter of both: a name that needs a person's yes needs it here too.
    policy::Verdict& stricter = named.needs_approval() ? named : by_address;
    return {std::move(stricter), std::string(question.claimed)};
  }
  return {policy::Verdict::deny(
              kNameMismatchRule,
              fmt::format("{} {} was not resolved to {} in this session", question.claimed_by,
                          question.claimed, question.destination.address.to_string())),
          std::string(question.claimed)};
}

ConnectionJudgement judge_unnamed(const FlowPolicy& policy, const NameLeases& leases,
                                  const ConnectionQuestion& question) {
  std::optional<ConnectionJudgement> asks;
  std::optional<ConnectionJudgement> denied;
  for (std::string& name : leases.names_of(question.destination.address)) {
    ConnectionJudgement one{judge_as(policy, question.destination, name), std::move(name), true};
    if (one.verdict.permitted()) return one;
    auto& kept = one.verdict.needs_approval() ? asks : denied;
    if (!kept) kept = std::move(one);
  }
  ConnectionJudgement by_address{judge_as(policy, question.destination, {}), {}};
  if (by_address.verdict.permitted()) return by_address;
  if (asks) return *std::move(asks);
  if (by_address.verdict.needs_approval() || !denied) return by_address;
  // The rule that denies the name says more than the one that denies an address without one.
  return *std::move(denied);
}

}  // namespace

ConnectionJudgement judge_connection(const FlowPolicy& policy, const NameLeases& leases,
                                     const ConnectionQuestion& question) {
  if (question.claimed.empty()) return judge_unnamed(policy, leases, question);
  if (!leases.is_leased(question.claimed, question.destination.address)) {
    return judge_stranger(policy, question);
  }
  return {judge_as(policy, question.destination, question.claimed), std::string(question.claimed),
          true};
}

}  // namespace agentsh::flows
