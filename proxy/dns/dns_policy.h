// What the DNS service asks of policy and tells to others. The composition root implements these
// over the session's gate (policies/gate.h) and the redirect's tables; tests implement them with a
// map.
//
// Threads: every worker that serves DNS calls them, none may block.
#pragma once

#include "base/ip.h"
#include "policies/facts.h"
#include "policies/verdict.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::dns {

struct Judgement {
  policy::Verdict verdict;
  // A rule whose patterns name this host decided: not the default, not a rule for every host. Such
  // a denial also holds for a name that another one is an alias of, and such a permission for
  // special names like "printer.local".
  bool named = false;
};

// A dns_redirects rule that matches.
struct NameRedirect {
  std::string rule;
  IpAddress address;
  std::string visibility = "audit_only";  // With "warn", the answer tells the client of the rule.
};

class DnsPolicy {
 public:
  virtual ~DnsPolicy() = default;

  // What the answers below rest on: when it changes, they may be others. Null: they may at any
  // time.
  virtual std::shared_ptr<const void> version() const { return nullptr; }

  // May the session resolve the name? Records nothing.
  virtual Judgement judge(const policy::DnsFacts& facts) const = 0;

  // The first dns_redirects rule that matches the canonical name.
  virtual std::optional<NameRedirect> redirect(std::string_view name) const = 0;

  // Does a rule with cidrs allow `address`, which is not a public one, for a connection to `name`?
  virtual bool allows_special_address(std::string_view name, const IpAddress& address) const = 0;

  // Asks for the approval that `verdict` needs. Calls `done` once, from any thread, possibly before
  // it returns.
  virtual void settle(policy::Verdict verdict, const policy::Actor& actor, std::string_view name,
                      std::function<void(policy::Verdict)> done) const = 0;
};

// Ties a question to a process by where it came from.
class ActorSource {
 public:
  virtual ~ActorSource() = default;
  // `client` is the socket that asked. Members that are not known stay empty.
  virtual policy::Actor actor_of(policy::Transport transport, const Endpoint& client) = 0;
};

}  // namespace agentsh::dns
