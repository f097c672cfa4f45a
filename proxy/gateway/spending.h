// Limits on who asks for what, as the LLM exchanges ask for them: a key's or a session's own, those
// of models, those of all together; all counted in one BudgetBook.
//
//   auto spending = std::make_shared<SpendingControl>(ledger, limits, prices);
//   services.budget = spending->for_key(key);            // or for_session(id)
//
// Threads: any. Lifetime: budgets keep the control alive.
#pragma once

#include "proxy/gateway/budget_book.h"
#include "proxy/gateway/ledger.h"
#include "proxy/llm/services.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

struct SpendingLimits {
  Limits everything;   // All requests together.
  Limits per_session;  // Each session, and the gateway's clients that say one.
  struct OfModel {
    std::string models;  // A glob: all that match count together.
    Limits limits;
  };
  std::vector<OfModel> models;
};

class SpendingControl : public std::enable_shared_from_this<SpendingControl> {
 public:
  // `prices`: null for the shipped table.
  SpendingControl(std::shared_ptr<Ledger> ledger, SpendingLimits limits,
                  std::shared_ptr<const llm::PriceTable> prices);

  // Null: nothing limits it.
  std::shared_ptr<llm::Budget> for_session(const std::string& session_id);
  std::shared_ptr<llm::Budget> for_key(const std::string& key_id, const Limits& limits);

  // What "key:ID", "session:ID", "model:GLOB" or "all" has used in the current period.
  Used used(std::string_view subject, Period period) {
    return book_.used(subject, period, std::chrono::system_clock::now());
  }
  const SpendingLimits& limits() const { return limits_; }
  const llm::PriceTable& prices() const;

 private:
  friend class SubjectBudget;
  Used history(std::string_view subject, WallTime since) const;

  const std::shared_ptr<Ledger> ledger_;
  const SpendingLimits limits_;
  const std::shared_ptr<const llm::PriceTable> prices_;
  BudgetBook book_;
};

// What the client is told.
llm::Refusal to_refusal(const LimitRefusal& refusal);

}  // namespace agentsh::gateway
