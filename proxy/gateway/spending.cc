#include "proxy/gateway/spending.h"

#include "base/log.h"
#include "proxy/gateway/estimate.h"
#include "proxy/gateway/model_glob.h"

#include <unordered_map>

namespace agentsh::gateway {
namespace {

constexpr std::string_view kKey = "key:";
constexpr std::string_view kSession = "session:";
constexpr std::string_view kModel = "model:";
constexpr std::string_view kAll = "all";
constexpr std::chrono::hours kIdle{1};

}  // namespace

// One key's or session's view: its own limits and those of everybody.
class SubjectBudget final : public llm::Budget {
 public:
  SubjectBudget(std::shared_ptr<SpendingControl> control, std::string subject, Limits limits)
      : control_(std::move(control)), subject_(std::move(subject)), limits_(std::move(limits)) {}

  std::optional<llm::Refusal> reserve(std::string_view request_id, const llm::Target& target,
                                      const llm::RequestFacts& request) override {
    const Now now = Now::read();
    const Estimate most = most_of(target, request, control_->prices(),
                                  std::chrono::floor<std::chrono::days>(now.wall));
    BudgetBook::Ask ask{.charges = charges(request.model.empty() ? target.model : request.model),
                        .tokens = most.tokens,
                        .nano_dollars = most.nano_dollars};
    auto admitted = control_->book_.admit(ask, now);
    if (!admitted) return to_refusal(admitted.error());
    reservations_.lock()->emplace(std::string(request_id), Held{std::move(*admitted), most});
    return {};
  }

  void settle(const llm::Record& record) override {
    auto held = reservations_.lock()->extract(record.id);
    if (held.empty()) return;
    held.mapped().reservation.settle(used(record, held.mapped().most), Now::read());
  }

 private:
  struct Held {
    BudgetBook::Reservation reservation;
    Estimate most;
  };

  std::vector<BudgetBook::Charge> charges(std::string_view model) const {
    // What has no limit is counted all the same: used() tells it.
    std::vector<BudgetBook::Charge> charges = {{subject_, &limits_}};
    const SpendingLimits& common = control_->limits_;
    for (const SpendingLimits::OfModel& one : common.models) {
      if (!matches_model(one.models, model)) continue;
      charges.push_back({std::string(kModel) + one.models, &one.limits});
    }
    if (!common.everything.none()) charges.push_back({std::string(kAll), &common.everything});
    return charges;
  }

  // An answer whose provider does not say what it used, or that a client left before that, counts
  // as what was reserved: else leaving early would be free.
  static Used used(const llm::Record& record, const Estimate& most) {
    const bool answered = (record.status >= 200 && record.status < 300) || record.status == 101;
    if (!record.usage.known && answered && record.ending != llm::Ending::kRefused) {
      return {most.tokens, most.nano_dollars.value_or(0)};
    }
    return {record.usage.input + record.usage.output, record.cost.nano_dollars.value_or(0)};
  }

  const std::shared_ptr<SpendingControl> control_;
  const std::string subject_;
  const Limits limits_;
  LockGuarded<std::unordered_map<std::string, Held>> reservations_;
};

SpendingControl::SpendingControl(std::shared_ptr<Ledger> ledger, SpendingLimits limits,
                                 std::shared_ptr<const llm::PriceTable> prices)
    : ledger_(std::move(ledger)),
      limits_(std::move(limits)),
      prices_(std::move(prices)),
      book_([this](std::string_view subject, WallTime since) { return history(subject, since); }) {}

const llm::PriceTable& SpendingControl::prices() const {
  return prices_ ? *prices_ : llm::PriceTable::shipped();
}

// A ledger that cannot be read must not make budgets new: everything counts as used.
Used SpendingControl::history(std::string_view subject, WallTime since) const {
  Result<Used> used;
  if (subject.starts_with(kKey)) {
    used = ledger_->used(Ledger::Subject::kKey, subject.substr(kKey.size()), since);
  } else if (subject.starts_with(kSession)) {
    used = ledger_->used(Ledger::Subject::kSession, subject.substr(kSession.size()), since);
  } else if (subject.starts_with(kModel)) {
    used = ledger_->used(Ledger::Subject::kModel, subject.substr(kModel.size()), since);
  } else {
    used = ledger_->used(Ledger::Subject::kAll, {}, since);
  }
  if (used) return *used;
  log_error("ledger", "what {} has used is not known: {}", subject, used.error().what);
  return {UINT64_MAX, UINT64_MAX};
}

std::shared_ptr<llm::Budget> SpendingControl::for_session(const std::string& session_id) {
  book_.forget_idle(std::chrono::steady_clock::now() - kIdle);
  if (limits_.per_session.none() && limits_.everything.none() && limits_.models.empty()) return {};
  return std::make_shared<SubjectBudget>(shared_from_this(), std::string(kSession) + session_id,
                                         limits_.per_session);
}

std::shared_ptr<llm::Budget> SpendingControl::for_key(const std::string& key_id,
                                                      const Limits& limits) {
  return std::make_shared<SubjectBudget>(shared_from_this(), std::string(kKey) + key_id, limits);
}

llm::Refusal to_refusal(const LimitRefusal& refusal) {
  const bool never = refusal.kind == LimitKind::kUnpriced;
  return {.status = never ? 403 : 429,
          .code = std::string(to_string(refusal.kind)),
          .message = refusal.message(),
          .retry_after = refusal.retry_after};
}

}  // namespace agentsh::gateway
