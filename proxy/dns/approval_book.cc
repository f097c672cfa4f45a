#include "proxy/dns/approval_book.h"

#include <chrono>
#include <utility>

namespace agentsh::dns {
namespace {

constexpr std::size_t kMaxOpen = 64;
constexpr std::size_t kMaxWaiters = 64;
constexpr std::size_t kMaxGiven = 1024;
constexpr auto kApprovedFor = std::chrono::minutes(5);
constexpr auto kDeniedFor = std::chrono::seconds(30);

}  // namespace

std::optional<policy::Verdict> ApprovalBook::given_in(State& state, const std::string& host,
                                                      TimePoint now) {
  const auto found = state.given.find(host);
  if (found == state.given.end()) return {};
  if (now >= found->second.until) {
    state.given.erase(found);
    return {};
  }
  return found->second.verdict;
}

std::optional<policy::Verdict> ApprovalBook::settled(const std::string& host, TimePoint now) {
  return given_in(*state_.lock(), host, now);
}

ApprovalBook::Place ApprovalBook::wait(const std::string& host, Waiter waiter, TimePoint now) {
  std::optional<policy::Verdict> given;
  const Place place = enter(host, waiter, now, given);
  if (given) waiter(*given);
  return place;
}

ApprovalBook::Place ApprovalBook::enter(const std::string& host, Waiter& waiter, TimePoint now,
                                        std::optional<policy::Verdict>& given) {
  auto state = state_.lock();
  given = given_in(*state, host, now);
  if (given) return Place::kSettled;
  const auto found = state->open.find(host);
  if (found != state->open.end()) {
    if (found->second.size() >= kMaxWaiters) return Place::kFull;
    found->second.push_back(std::move(waiter));
    return Place::kJoined;
  }
  if (state->open.size() >= kMaxOpen) return Place::kFull;
  state->open[host].push_back(std::move(waiter));
  return Place::kFirst;
}

void ApprovalBook::settle(const std::string& host, const policy::Verdict& verdict, TimePoint now) {
  std::vector<Waiter> waiters;
  {
    auto state = state_.lock();
    if (auto open = state->open.extract(host)) waiters = std::move(open.mapped());
    if (state->given.size() >= kMaxGiven) {
      std::erase_if(state->given, [&](const auto& given) { return now >= given.second.until; });
    }
    // With the book full of answers that still hold, this one is given once and not remembered.
    if (state->given.size() < kMaxGiven) {
      const auto lifetime = verdict.permitted() ? std::chrono::seconds(kApprovedFor) : kDeniedFor;
      state->given.insert_or_assign(host, Given{verdict, now + lifetime});
    }
  }
  for (const Waiter& waiter : waiters) waiter(verdict);
}

}  // namespace agentsh::dns
