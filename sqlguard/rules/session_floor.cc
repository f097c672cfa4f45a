#include "sqlguard/rules/session_floor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace agentsh::sql {
namespace {

constexpr std::string_view kReadOnly = "default_transaction_read_only";
constexpr std::string_view kTransactionReadOnly = "transaction_read_only";
constexpr std::string_view kTimeout = "statement_timeout";

// Groups that a read-only transaction allows.
constexpr std::array<std::string_view, 5> kReading = {"read", "bulk_export", "transaction",
                                                      "session", "notify"};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// As the server reads a boolean: a prefix of true and yes, on, 1.
bool means_true(std::string_view text) {
  const std::string word = lower(text);
  if (word == "1" || word == "on") return true;
  return !word.empty() &&
         (std::string_view("true").starts_with(word) || std::string_view("yes").starts_with(word));
}

// A duration as settings write it: a number in milliseconds, or with a unit. Nothing when it is
// none.
std::optional<std::chrono::milliseconds> read_timeout(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > INT32_MAX) return std::nullopt;
  std::string_view unit(end, text.data() + text.size());
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  while (unit.ends_with(' ')) unit.remove_suffix(1);
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  for (const auto& [name, milliseconds] : kUnits) {
    if (name == unit) return std::chrono::milliseconds(number * milliseconds);
  }
  return std::nullopt;
}

}  // namespace

SessionFloor::SessionFloor(std::span<const policy::DatabaseRule> rules,
                           const policy::DbService& service) {
  // Redshift does not know the setting.
  const bool known = service.dialect != policy::DbDialect::kRedshift;
  read_only_ = known && std::ranges::all_of(rules, [](const policy::DatabaseRule& rule) {
                 return rule.decision == policy::Decision::kDeny ||
                        std::ranges::all_of(rule.operations, [](const std::string& group) {
                          return std::ranges::find(kReading, group) != kReading.end();
                        });
               });
  if (service.limits.statement_timeout)
    timeout_ = std::chrono::ceil<std::chrono::milliseconds>(*service.limits.statement_timeout);
}

void SessionFloor::impose_on(StartupMessage& startup) const {
  const auto set = [&](std::string_view name, std::string value) {
    std::erase_if(startup.parameters,
                  [&](const auto& parameter) { return lower(parameter.first) == name; });
    startup.parameters.emplace_back(name, std::move(value));
  };
  if (read_only_) set(kReadOnly, "on");
  if (timeout_) set(kTimeout, fmt::format("{}", timeout_->count()));
}

std::optional<std::string> SessionFloor::refusal(std::string_view setting,
                                                 std::string_view value) const {
  const std::string name = lower(setting);
  if (read_only_ && (name == kReadOnly || name == kTransactionReadOnly) && !means_true(value))
    return "the policy permits reading only: transactions stay read-only";
  if (timeout_ && name == kTimeout) {
    const auto wanted = read_timeout(value);
    if (!wanted || wanted->count() == 0 || *wanted > *timeout_)
      return fmt::format("statement_timeout may be set to at most {} ms here", timeout_->count());
  }
  return std::nullopt;
}

std::optional<std::string> SessionFloor::refusal(const Statement& statement) const {
  if (!read_only_ && !timeout_) return std::nullopt;
  for (const SessionChange& change : statement.changes) {
    if (change.kind == SessionChange::Kind::kUnknownSetting) {
      if (change.name.empty() || refusal(change.name, ""))
        return "a setting that is computed could lift the limits of this session";
    } else if (change.kind == SessionChange::Kind::kSet) {
      const std::string_view value =
          change.values.size() == 1 ? std::string_view(change.values[0]) : std::string_view();
      if (auto found = refusal(change.name, value)) return found;
    }
  }
  // An update of the view sets what it shows.
  for (const Effect& effect : statement.effects) {
    for (const Object& object : effect.objects) {
      if (effect.group == Group::kModify && object.name == "pg_settings")
        return "settings are not changed by way of pg_settings here";
    }
  }
  return std::nullopt;
}

}  // namespace agentsh::sql
