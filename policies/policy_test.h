// What a policy would decide, asked in words: for `agentsh debug policy-test`, the API's
// policy/test and anybody who writes policies. Nothing is done or recorded.
//
// Threads: pure functions. Errors: invalid_argument for a question that cannot be asked, with the
// operations that can.
#pragma once

#include "base/result.h"
#include "policies/compiled_policy.h"

#include <string>
#include <string_view>

namespace agentsh::policy {

struct PolicyQuestion {
  // An operation on files ("read", "write", "delete" ...), or "connect", "dns", "exec".
  std::string operation;
  // A path; for connect "host:port", "address:port" or "host:port@address"; for dns a name; for
  // exec a command line, split at blanks (quotes keep words together).
  std::string target;
};

struct PolicyAnswer {
  Verdict verdict;
  SourcePosition rule_where;  // Of the rule that decided; line 0 for a default.
  std::string note;           // What was assumed, for instance a public address. May be empty.
};

Result<PolicyAnswer> test_policy(const CompiledPolicy& policy, const PolicyQuestion& question);

std::string to_text(const PolicyAnswer& answer);
// {decision,policy_decision,rule,reason,line?,note?,redirect?}
std::string to_json(const PolicyAnswer& answer);

}  // namespace agentsh::policy
