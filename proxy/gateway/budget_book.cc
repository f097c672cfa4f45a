#include "proxy/gateway/budget_book.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace agentsh::gateway {
namespace {

using std::chrono::seconds;
using Steady = std::chrono::steady_clock::time_point;

constexpr Period kPeriods[] = {Period::kHour, Period::kDay, Period::kMonth, Period::kTotal};
// When what running requests hold may come free is not known.
constexpr seconds kTryAgain{1};

// Saturating, so that no sum wraps to something small.
std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void add(Used& to, Used what) {
  to.tokens = plus(to.tokens, what.tokens);
  to.nano_dollars = plus(to.nano_dollars, what.nano_dollars);
}

std::string amount(LimitKind kind, std::uint64_t value) {
  if (kind != LimitKind::kMoney) return fmt::format("{}", value);
  return fmt::format("${}.{:06}", value / 1'000'000'000, value % 1'000'000'000 / 1000);
}

}  // namespace

std::string_view to_string(LimitKind kind) {
  switch (kind) {
    case LimitKind::kMoney:
      return "budget_exceeded";
    case LimitKind::kTokens:
      return "token_budget_exceeded";
    case LimitKind::kRequestRate:
      return "request_rate_exceeded";
    case LimitKind::kTokenRate:
      return "token_rate_exceeded";
    case LimitKind::kConcurrent:
      return "too_many_requests_at_once";
    case LimitKind::kUnpriced:
      return "model_unpriced";
  }
  return "limit_exceeded";
}

std::string LimitRefusal::message() const {
  std::string text;
  switch (kind) {
    case LimitKind::kMoney:
    case LimitKind::kTokens:
      text = fmt::format(
          "The budget of {} is {}{} per {}: {} of it is used or reserved by requests under way, "
          "and this request may take {}.",
          subject, amount(kind, limit), kind == LimitKind::kTokens ? " tokens" : "",
          period == Period::kTotal ? "lifetime" : to_string(period), amount(kind, used),
          amount(kind, asked));
      if (period == Period::kTotal) text += " It does not reset.";
      break;
    case LimitKind::kRequestRate:
      text = fmt::format("{} may make {} requests per minute.", subject, limit);
      break;
    case LimitKind::kTokenRate:
      text = fmt::format("{} may use {} tokens per minute.", subject, limit);
      break;
    case LimitKind::kConcurrent:
      text = fmt::format("{} may have {} requests under way at once.", subject, limit);
      break;
    case LimitKind::kUnpriced:
      return fmt::format(
          "{} has a budget in money, and the price of this model is not known; add it to the price "
          "table.",
          subject);
  }
  if (resets_at) {
    text += fmt::format(" It resets at {:%Y-%m-%dT%H:%M:%SZ}.",
                        std::chrono::floor<seconds>(*resets_at));
  } else if (retry_after) {
    text += fmt::format(" Try again in {} s.", retry_after->count());
  }
  return text;
}

void BudgetBook::Bucket::refill(double per_minute, Steady now) {
  if (capacity != per_minute) {  // New, or the limit was changed.
    level = capacity == 0 ? per_minute : std::min(level, per_minute);
    capacity = per_minute;
    at = now;
    return;
  }
  const double elapsed = std::chrono::duration<double>(now - at).count();
  if (elapsed <= 0) return;
  level = std::min(capacity, level + elapsed * per_minute / 60);
  at = now;
}

std::optional<seconds> BudgetBook::Bucket::wait_for(double amount) const {
  const double missing = std::min(amount, capacity) - level;
  if (missing <= 0) return {};
  return seconds(static_cast<std::int64_t>(std::ceil(missing * 60 / capacity)));
}

// A period that has gone by is forgotten; a clock that was set back does not bring one again.
void BudgetBook::Account::enter_periods(WallTime now) {
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const WallTime start = period_start(kPeriods[i], now);
    if (start > windows[i].start) windows[i] = {start, {}};
  }
}

// Makes the account of a subject that is seen for the first time.
void BudgetBook::know(std::string_view subject, Now now) {
  if (accounts_.lock()->contains(subject)) return;
  Account account;
  account.last_use = now.steady;
  for (std::size_t i = 0; i < account.windows.size(); ++i) {
    const WallTime start = period_start(kPeriods[i], now.wall);
    account.windows[i] = {start, history_ ? history_(subject, start) : Used{}};
  }
  accounts_.lock()->emplace(std::string(subject),
                            std::move(account));  // Unless another was faster.
}

std::optional<LimitRefusal> BudgetBook::check_budget(const Account& account, const Budget& budget,
                                                     const Ask& ask, WallTime now) {
  const bool money = budget.unit == Unit::kNanoDollars;
  LimitRefusal refusal{.kind = money ? LimitKind::kMoney : LimitKind::kTokens,
                       .period = budget.period,
                       .limit = budget.amount};
  if (money && !ask.nano_dollars) {
    refusal.kind = LimitKind::kUnpriced;
    return refusal;
  }
  const Used& spent = account.windows[static_cast<std::size_t>(budget.period)].used;
  refusal.asked = money ? *ask.nano_dollars : ask.tokens;
  refusal.reserved = money ? account.reserved.nano_dollars : account.reserved.tokens;
  refusal.used = plus(money ? spent.nano_dollars : spent.tokens, refusal.reserved);
  if (plus(refusal.used, refusal.asked) <= budget.amount) return {};
  // When only what runs is in the way, waiting for it is enough.
  if (plus(refusal.used - refusal.reserved, refusal.asked) <= budget.amount) {
    refusal.retry_after = kTryAgain;
    return refusal;
  }
  refusal.resets_at = period_end(budget.period, now);
  if (refusal.resets_at) {
    refusal.retry_after =
        std::max(seconds{1}, std::chrono::ceil<seconds>(*refusal.resets_at - now));
  }
  return refusal;
}

std::optional<LimitRefusal> BudgetBook::check_rates(const Account& account, const Limits& limits,
                                                    const Ask& ask) {
  if (limits.concurrent != 0 && account.running >= limits.concurrent) {
    return LimitRefusal{.kind = LimitKind::kConcurrent,
                        .limit = limits.concurrent,
                        .used = account.running,
                        .asked = 1,
                        .retry_after = kTryAgain};
  }
  if (limits.requests_per_minute != 0) {
    if (const auto wait = account.requests.wait_for(1)) {
      return LimitRefusal{.kind = LimitKind::kRequestRate,
                          .limit = limits.requests_per_minute,
                          .asked = 1,
                          .retry_after = wait};
    }
  }
  if (limits.tokens_per_minute != 0) {
    if (const auto wait = account.tokens.wait_for(static_cast<double>(ask.tokens))) {
      return LimitRefusal{.kind = LimitKind::kTokenRate,
                          .limit = limits.tokens_per_minute,
                          .asked = ask.tokens,
                          .retry_after = wait};
    }
  }
  return {};
}

std::optional<LimitRefusal> BudgetBook::check(const Account& account, const Charge& charge,
                                              const Ask& ask, Now now) {
  std::optional<LimitRefusal> refusal = check_rates(account, *charge.limits, ask);
  for (const Budget& budget : charge.limits->budgets) {
    if (refusal) break;
    refusal = check_budget(account, budget, ask, now.wall);
  }
  if (refusal) refusal->subject = charge.subject;
  return refusal;
}

std::expected<BudgetBook::Reservation, LimitRefusal> BudgetBook::admit(const Ask& ask, Now now) {
  for (const Charge& charge : ask.charges) know(charge.subject, now);
  auto accounts = accounts_.lock();
  for (const Charge& charge : ask.charges) {
    const auto found = accounts->find(charge.subject);
    // Forgotten in this very moment; whoever has a history must not begin without it.
    if (found == accounts->end()) {
      return std::unexpected(LimitRefusal{
          .kind = LimitKind::kConcurrent, .subject = charge.subject, .retry_after = kTryAgain});
    }
    Account& account = found->second;
    account.last_use = std::max(account.last_use, now.steady);
    account.enter_periods(now.wall);
    account.requests.refill(static_cast<double>(charge.limits->requests_per_minute), now.steady);
    account.tokens.refill(static_cast<double>(charge.limits->tokens_per_minute), now.steady);
    if (auto refusal = check(account, charge, ask, now))
      return std::unexpected(std::move(*refusal));
  }
  Reservation reservation;
  reservation.book_ = this;
  reservation.tokens_ = ask.tokens;
  reservation.nano_dollars_ = ask.nano_dollars.value_or(0);
  for (const Charge& charge : ask.charges) {
    Account& account = (*accounts)[charge.subject];
    add(account.reserved, {ask.tokens, reservation.nano_dollars_});
    ++account.running;
    account.requests.level -= 1;
    // More than a minute's worth is taken as a minute's: it would never be let through.
    account.tokens.level -= std::min(static_cast<double>(ask.tokens), account.tokens.capacity);
    reservation.subjects_.push_back(charge.subject);
  }
  return reservation;
}

void BudgetBook::settle(Reservation& reservation, Used used, Now now) {
  auto accounts = accounts_.lock();
  for (const std::string& subject : reservation.subjects_) {
    Account& account = (*accounts)[subject];
    account.last_use = std::max(account.last_use, now.steady);
    account.enter_periods(now.wall);
    account.reserved.tokens -= reservation.tokens_;
    account.reserved.nano_dollars -= reservation.nano_dollars_;
    --account.running;
    for (Window& window : account.windows) add(window.used, used);
    Bucket& bucket = account.tokens;
    const double reserved = std::min(static_cast<double>(reservation.tokens_), bucket.capacity);
    bucket.level =
        std::min(bucket.capacity, bucket.level + reserved - static_cast<double>(used.tokens));
  }
}

Used BudgetBook::used(std::string_view subject, Period period, WallTime now) {
  know(subject, {now, std::chrono::steady_clock::now()});
  auto accounts = accounts_.lock();
  const auto found = accounts->find(subject);
  if (found == accounts->end()) return {};
  found->second.enter_periods(now);
  return found->second.windows[static_cast<std::size_t>(period)].used;
}

void BudgetBook::forget_idle(Steady before) {
  std::erase_if(*accounts_.lock(), [&](const auto& entry) {
    return entry.second.running == 0 && entry.second.last_use < before;
  });
}

BudgetBook::Reservation::Reservation(Reservation&& other) noexcept
    : book_(std::exchange(other.book_, nullptr)),
      subjects_(std::move(other.subjects_)),
      tokens_(other.tokens_),
      nano_dollars_(other.nano_dollars_) {}

BudgetBook::Reservation& BudgetBook::Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  settle({}, Now::read());
  book_ = std::exchange(other.book_, nullptr);
  subjects_ = std::move(other.subjects_);
  tokens_ = other.tokens_;
  nano_dollars_ = other.nano_dollars_;
  return *this;
}

void BudgetBook::Reservation::settle(Used used, Now now) {
  if (book_ == nullptr) return;
  std::exchange(book_, nullptr)->settle(*this, used, now);
}

}  // namespace agentsh::gateway
