// Names of one session that wait for a person's approval, and the answers given lately.
//
// A client asks for A and AAAA of a name, and again every few seconds; all of that is one approval.
// The answer holds for a while, so that the client's next try finds it: five minutes for a yes,
// half a minute for a no.
//
// Threads: any. Waiters are called on the thread that settles, outside the lock.
#pragma once

#include "base/lock_guarded.h"
#include "policies/verdict.h"
#include "proxy/dns/answer.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::dns {

class ApprovalBook {
 public:
  using Waiter = std::function<void(const policy::Verdict&)>;

  // The answer that was given for `host`, while it holds.
  std::optional<policy::Verdict> settled(const std::string& host, TimePoint now);

  enum class Place { kFirst, kJoined, kSettled, kFull };
  // Calls `waiter` when the name is settled. kFirst: the caller has to ask for the approval.
  // kSettled: the answer came since the caller looked, and `waiter` was called. kFull: too many
  // wait, and `waiter` was not taken.
  Place wait(const std::string& host, Waiter waiter, TimePoint now);

  void settle(const std::string& host, const policy::Verdict& verdict, TimePoint now);

 private:
  struct Given {
    policy::Verdict verdict;
    TimePoint until;
  };
  struct State {
    std::map<std::string, std::vector<Waiter>> open;
    std::map<std::string, Given> given;
  };
  static std::optional<policy::Verdict> given_in(State& state, const std::string& host,
                                                 TimePoint now);
  // Takes `waiter` for kFirst and kJoined only; sets `given` for kSettled.
  Place enter(const std::string& host, Waiter& waiter, TimePoint now,
              std::optional<policy::Verdict>& given);

  LockGuarded<State> state_;
};

}  // namespace agentsh::dns
