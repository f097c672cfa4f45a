#include "sqlguard/results/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

template <class T>
std::optional<T> least(const std::optional<T>& a, const std::optional<T>& b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

std::optional<std::uint64_t> left(const std::optional<std::uint64_t>& budget, std::uint64_t used) {
  if (!budget) return std::nullopt;
  return *budget > used ? *budget - used : 0;
}

}  // namespace

policy::DbLimits stricter(const policy::DbLimits& a, const policy::DbLimits& b) {
  return {.max_rows = least(a.max_rows, b.max_rows),
          .max_bytes = least(a.max_bytes, b.max_bytes),
          .statement_timeout = least(a.statement_timeout, b.statement_timeout)};
}

SessionBudgets::SessionBudgets(std::vector<policy::DbBudget> budgets) {
  for (policy::DbBudget& budget : budgets) windows_.push_back({.budget = budget});
}

void SessionBudgets::roll(Clock::time_point now) {
  for (Window& window : windows_) {
    if (!window.budget.period) continue;
    if (window.ends && now < *window.ends) continue;
    window.statements = window.rows = window.bytes = 0;
    window.ends = now + std::chrono::duration_cast<Clock::duration>(*window.budget.period);
  }
}

std::optional<std::string> SessionBudgets::admit(Clock::time_point now) {
  roll(now);
  for (const Window& window : windows_) {
    const auto spent = [&](const std::optional<std::uint64_t>& budget, std::uint64_t used,
                           std::string_view of) -> std::optional<std::string> {
      if (!budget || used < *budget) return std::nullopt;
      if (!window.ends)
        return fmt::format("this session's budget of {} {} is used up", *budget, of);
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(*window.ends - now).count();
      return fmt::format("this session's budget of {} {} is used up; it begins anew in {} s",
                         *budget, of, seconds);
    };
    for (auto refusal : {spent(window.budget.statements, window.statements, "statements"),
                         spent(window.budget.rows, window.rows, "rows"),
                         spent(window.budget.bytes, window.bytes, "bytes of results")}) {
      if (refusal) return refusal;
    }
  }
  for (Window& window : windows_) ++window.statements;
  return std::nullopt;
}

policy::DbLimits SessionBudgets::remaining(Clock::time_point now) {
  roll(now);
  policy::DbLimits limits;
  for (const Window& window : windows_) {
    limits.max_rows = least(limits.max_rows, left(window.budget.rows, window.rows));
    limits.max_bytes = least(limits.max_bytes, left(window.budget.bytes, window.bytes));
  }
  return limits;
}

void SessionBudgets::use(std::uint64_t rows, std::uint64_t bytes) {
  for (Window& window : windows_) {
    window.rows += rows;
    window.bytes += bytes;
  }
}

}  // namespace agentsh::sql
