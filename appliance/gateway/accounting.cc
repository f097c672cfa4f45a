#include "appliance/gateway/accounting.h"

#include "audit/recorder.h"
#include "base/log.h"

namespace agentsh {
namespace {

class AccountingSink final : public llm::RecordSink {
 public:
  explicit AccountingSink(std::shared_ptr<Accounting> accounting)
      : accounting_(std::move(accounting)) {}
  void take(const llm::Record& record) override {
    accounting_->ledger().add(gateway::to_row(record));
    accounting_->metrics().take(record);
    accounting_->log().take(record);
  }

 private:
  const std::shared_ptr<Accounting> accounting_;
};

gateway::Limits to_limits(const config::LlmLimit& limit) {
  gateway::Limits limits;
  for (const std::string& text : limit.budgets) {
    if (auto budget = gateway::parse_budget(text)) limits.budgets.push_back(*budget);
  }
  limits.requests_per_minute = limit.requests_per_minute;
  limits.tokens_per_minute = limit.tokens_per_minute;
  limits.concurrent = limit.concurrent;
  return limits;
}

std::uint64_t stricter(std::uint64_t a, std::uint64_t b) {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

// Both hold.
void join(gateway::Limits& limits, gateway::Limits more) {
  for (gateway::Budget& budget : more.budgets) limits.budgets.push_back(budget);
  limits.requests_per_minute = stricter(limits.requests_per_minute, more.requests_per_minute);
  limits.tokens_per_minute = stricter(limits.tokens_per_minute, more.tokens_per_minute);
  limits.concurrent = stricter(limits.concurrent, more.concurrent);
}

gateway::SpendingLimits to_limits(const config::ServerConfig& config) {
  gateway::SpendingLimits all;
  if (config.llm_rates.enabled) {
    all.per_session.requests_per_minute =
        static_cast<std::uint64_t>(config.llm_rates.requests_per_minute);
    all.per_session.tokens_per_minute =
        static_cast<std::uint64_t>(config.llm_rates.tokens_per_minute);
  }
  for (const config::LlmLimit& limit : config.llm_limits) {
    switch (limit.scope) {
      case config::LimitScope::kAll:
        join(all.everything, to_limits(limit));
        break;
      case config::LimitScope::kSession:
        join(all.per_session, to_limits(limit));
        break;
      case config::LimitScope::kModel:
        all.models.push_back({limit.models, to_limits(limit)});
        break;
    }
  }
  return all;
}

}  // namespace

Result<std::shared_ptr<Accounting>> Accounting::create(
    const config::ServerConfig& config, audit::Recorder& recorder,
    std::shared_ptr<const llm::PriceTable> prices) {
  auto ledger = gateway::Ledger::open(config.server.state_dir + "/llm-ledger.sqlite");
  if (!ledger) return std::unexpected(ledger.error());
  std::shared_ptr<Accounting> accounting(new Accounting());
  accounting->ledger_ = std::move(*ledger);
  // What a daemon that was killed had not written yet.
  recorder.flush();
  if (auto missing = accounting->ledger_->catch_up(recorder); !missing) {
    log_warning("ledger", "not completed from the audit trail: {}", missing.error().what);
  } else if (*missing > 0) {
    log_info("ledger", "{} requests were completed from the audit trail", *missing);
  }
  accounting->log_ = std::make_unique<RequestLog>(config.sessions.base_dir, config.llm_storage);
  accounting->spending_ = std::make_shared<gateway::SpendingControl>(
      accounting->ledger_, to_limits(config), std::move(prices));
  return accounting;
}

std::shared_ptr<llm::RecordSink> Accounting::sink_of(std::shared_ptr<Accounting> accounting) {
  return std::make_shared<AccountingSink>(std::move(accounting));
}

}  // namespace agentsh
