#include "sqlguard/login/startup_settings.h"

#include "sqlguard/login/startup_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace agentsh::sql {
namespace {

constexpr std::size_t kLongestName = 63;  // NAMEDATALEN - 1: the server cuts longer names off.
constexpr std::string_view kProtocolOption = "_pq_.";

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::unexpected<LoginFailure> refuse(std::string_view sqlstate, std::string message) {
  return std::unexpected(
      LoginFailure{.sqlstate = std::string(sqlstate), .message = std::move(message)});
}

// Identifiers with dots between them, in lower case.
bool is_setting_name(std::string_view name) {
  bool begins = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || c == '_';
    const bool later = (c >= '0' && c <= '9') || c == '$';
    if (c == '.' ? begins : !letter && (begins || !later)) return false;
    begins = c == '.';
  }
  return !begins;
}

// A setting that comes again counts where it comes last.
LoginResult<void> put(StartupSettings& out, std::string_view name, std::string_view value) {
  std::string key = lower_case(name);
  // What the server reads otherwise under this very spelling must not get it here.
  static constexpr std::array<std::string_view, 4> kReserved = {"user", "database", "options",
                                                                "replication"};
  if (!is_setting_name(key) || key.starts_with(kProtocolOption) ||
      std::ranges::find(kReserved, key) != kReserved.end())
    return refuse(kSyntaxError,
                  fmt::format("\"{}\" in the startup message is no setting's name", name));
  std::erase_if(out.settings, [&](const auto& setting) { return setting.name == key; });
  out.settings.push_back({.name = std::move(key), .value = std::string(value)});
  return {};
}

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out.push_back(quote);
    out.push_back(c);
  }
  out.push_back(quote);
  return out;
}

std::string statement_of(const StartupSettings::Setting& setting) {
  std::string text = "SET ";
  for (std::size_t at = 0; at != std::string::npos;) {
    const std::size_t dot = setting.name.find('.', at);
    const std::size_t length = dot == std::string::npos ? dot : dot - at;
    text += quoted(setting.name.substr(at, length), '"');
    if (dot != std::string::npos) text += '.';
    at = dot == std::string::npos ? dot : dot + 1;
  }
  text += " TO ";
  const auto schemas =
      setting.name == "search_path" ? identifier_list(setting.value) : std::nullopt;
  if (!schemas || schemas->empty()) return text + quoted(setting.value, '\'');
  for (std::size_t i = 0; i < schemas->size(); ++i) {
    if (i > 0) text += ", ";
    text += quoted((*schemas)[i], '\'');
  }
  return text;
}

}  // namespace

std::string_view StartupSettings::setting(std::string_view name) const {
  const auto found = std::ranges::find(settings, name, &Setting::name);
  return found == settings.end() ? std::string_view() : std::string_view(found->value);
}

LoginResult<StartupSettings> read_settings(const StartupMessage& message) {
  StartupSettings out;
  std::set<std::string, std::less<>> seen;
  for (const auto& [name, value] : message.parameters) {
    if (!seen.insert(lower_case(name)).second)
      return refuse(kProtocolViolation, fmt::format("the startup message has \"{}\" twice", name));
  }
  // The server applies what `options` holds before the other parameters.
  const auto options = settings_in_options(message.parameter("options"));
  if (!options) return std::unexpected(options.error());
  for (const auto& [name, value] : *options) {
    if (auto done = put(out, name, value); !done) return std::unexpected(done.error());
  }
  for (const auto& [name, value] : message.parameters) {
    if (name == "options" || name.starts_with(kProtocolOption)) continue;
    if (name == "user") {
      out.user = value;
    } else if (name == "database") {
      out.database = value;
    } else if (name == "replication") {
      out.replication = value;
    } else if (auto done = put(out, name, value); !done) {
      return std::unexpected(done.error());
    }
  }
  if (out.user.empty()) return refuse(kInvalidAuthorization, "the startup message names no user");
  if (out.database.empty()) out.database = out.user;
  if (out.user.size() > kLongestName || out.database.size() > kLongestName)
    return refuse(kInvalidAuthorization,
                  fmt::format("names of users and databases have at most {} bytes", kLongestName));
  out.is_replication = message.is_replication();
  out.application_name = out.setting("application_name");
  return out;
}

Negotiation negotiate(const StartupMessage& message) {
  Negotiation result{.minor = std::min(message.minor, kNewestMinor)};
  std::vector<std::string_view> unknown;
  for (const auto& [name, value] : message.parameters) {
    if (name.starts_with(kProtocolOption)) unknown.push_back(name);
  }
  if (message.minor > kNewestMinor || !unknown.empty())
    result.answer = NegotiateProtocolVersion{.newest_minor = result.minor,
                                             .unknown_options = std::move(unknown)};
  return result;
}

StartupMessage upstream_startup(const StartupSettings& settings, std::uint16_t minor,
                                std::string_view user) {
  StartupMessage message{.minor = minor};
  message.parameters.emplace_back("user", user.empty() ? std::string_view(settings.user) : user);
  message.parameters.emplace_back("database", settings.database);
  if (!settings.replication.empty())
    message.parameters.emplace_back("replication", settings.replication);
  for (const StartupSettings::Setting& setting : settings.settings)
    message.parameters.emplace_back(setting.name, setting.value);
  return message;
}

Analysis statements_of(const StartupSettings& settings, Dialect dialect) {
  Analysis all{.dialect = dialect};
  for (const StartupSettings::Setting& setting : settings.settings) {
    Analysis one = classify(statement_of(setting), dialect);
    // A name or value that the parser reads otherwise is not understood.
    if (one.statements.size() == 1)
      all.statements.push_back(std::move(one.statements[0]));
    else
      all.statements.push_back(
          {.raw_verb = "SET",
           .effects = {{.group = Group::kUnknown}},
           .error = fmt::format("startup parameter \"{}\" is not understood", setting.name)});
  }
  return all;
}

std::optional<std::vector<std::string>> search_path_of(const StartupSettings& settings) {
  const auto found =
      std::ranges::find(settings.settings, "search_path", &StartupSettings::Setting::name);
  if (found == settings.settings.end()) return std::nullopt;
  return identifier_list(found->value);
}

bool is_presentation(std::string_view setting) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "application_name", "client_encoding", "datestyle", "extra_float_digits", "geqo",
      "intervalstyle",    "timezone"};
  return std::ranges::find(kNames, setting) != kNames.end();
}

StartupDecision judge(const StartupSettings& settings, const DatabaseRules& rules, Dialect dialect,
                      SessionState& session) {
  StartupDecision result;
  const Analysis analysis = statements_of(settings, dialect);
  std::optional<std::size_t> waits;
  for (std::size_t i = 0; i < analysis.statements.size(); ++i) {
    StatementDecision decision = rules.decide(analysis.statements[i], session);
    const bool uncovered =
        decision.decision == policy::Decision::kDeny && decision.rule_name.empty();
    if (uncovered && is_presentation(settings.settings[i].name)) {
      decision.decision = policy::Decision::kAllow;
      decision.reason = "every driver sets it";
    }
    if (decision.decision == policy::Decision::kDeny && !result.decisive) result.decisive = i;
    if (decision.decision == policy::Decision::kApprove && !waits) waits = i;
    session.forwarded(analysis.statements[i]);
    session.completed(analysis.statements[i]);
    result.decisions.push_back(std::move(decision));
  }
  if (!result.decisive) result.decisive = waits;
  return result;
}

LoginFailure denial_of(const StartupSettings& settings, const StartupDecision& decision,
                       std::size_t index) {
  const StatementDecision& denied = decision.decisions[index];
  LoginFailure failure{.sqlstate = std::string(kInsufficientPrivilege)};
  failure.message = fmt::format("startup parameter \"{}\" is denied: {}",
                                settings.settings[index].name, denied.reason);
  failure.detail = denied.message;
  failure.hint = "It counts as the SET statement that it is; connect without it.";
  return failure;
}

}  // namespace agentsh::sql
