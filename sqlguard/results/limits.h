// Limits on results: of one statement, and of what a session uses over time.
#pragma once

#include "policies/model_database.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::sql {

// The stricter of the two, limit by limit.
policy::DbLimits stricter(const policy::DbLimits& a, const policy::DbLimits& b);

// What one session has used of a service's budgets. Each budget counts in windows of its period;
// one begins with the first statement after the last has ended. One thread: the connection's;
// connections of one session that share budgets share the object under the caller's lock.
class SessionBudgets {
 public:
  using Clock = std::chrono::steady_clock;

  explicit SessionBudgets(std::vector<policy::DbBudget> budgets);

  // Before a statement is forwarded: nothing when it may run, or a sentence that says which budget
  // is used up and until when. Counts the statement when it may run.
  std::optional<std::string> admit(Clock::time_point now);
  // What remains for the statement's result: the least of all budgets. Put it into its limits.
  policy::DbLimits remaining(Clock::time_point now);
  // What the statement used, once or as it goes.
  void use(std::uint64_t rows, std::uint64_t bytes);

 private:
  struct Window {
    policy::DbBudget budget;
    std::optional<Clock::time_point> ends;  // Nothing: with the session.
    std::uint64_t statements = 0, rows = 0, bytes = 0;
  };
  void roll(Clock::time_point now);

  std::vector<Window> windows_;
};

}  // namespace agentsh::sql
