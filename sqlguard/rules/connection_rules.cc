#include "sqlguard/rules/connection_rules.h"

#include "policies/glob_index.h"
#include "policies/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace agentsh::sql {
namespace {

using policy::DatabaseConnectionRule;
using policy::DbConnectionKind;
using policy::Decision;
using policy::GlobIndex;

int rank(Decision decision) {
  switch (decision) {
    case Decision::kDeny:
      return 3;
    case Decision::kApprove:
      return 2;
    case Decision::kAudit:
      return 1;
    default:
      return 0;
  }
}

std::string_view verb_of(DbConnectionKind kind) {
  switch (kind) {
    case DbConnectionKind::kConnect:
      return "connect to";
    case DbConnectionKind::kCancel:
      return "cancel a statement in";
    case DbConnectionKind::kReplication:
      return "replicate";
  }
  return "connect to";
}

}  // namespace

struct ConnectionRules::Compiled {
  // Globs of one selector of all rules; rules without it match everything.
  struct Selector {
    GlobIndex index;
    std::vector<bool> given;

    bool matches(std::uint32_t rule, const policy::Selector& found) const {
      return !given[rule] || found.contains(rule);
    }
  };
  enum Field { kUser, kDatabase, kApplication, kIdentity, kFields };

  std::vector<DatabaseConnectionRule> rules;
  std::array<Selector, kFields> selectors;
  std::array<bool, 3> has_rules{};  // By kind.
  bool passthrough = false;

  Result<> add_selector(Field field);
  bool open_by_default(DbConnectionKind kind) const {
    return kind != DbConnectionKind::kReplication && !passthrough &&
           !has_rules[static_cast<std::size_t>(kind)];
  }
};

Result<> ConnectionRules::Compiled::add_selector(Field field) {
  std::vector<GlobIndex::Entry> entries;
  Selector& selector = selectors[field];
  selector.given.resize(rules.size());
  for (std::uint32_t id = 0; id < rules.size(); ++id) {
    const DatabaseConnectionRule& rule = rules[id];
    const std::string* single = field == kDatabase      ? &rule.database
                                : field == kApplication ? &rule.application_name
                                                        : &rule.client_identity;
    std::vector<std::string> texts;
    if (field == kUser)
      texts = rule.db_user;
    else if (!single->empty())
      texts.push_back(*single);
    selector.given[id] = !texts.empty();
    for (const std::string& text : texts) {
      auto glob = policy::Glob::parse(text, policy::kNoSeparator);
      if (!glob)
        return std::unexpected(
            with_context(glob.error(), fmt::format("database_connection_rules \"{}\"", rule.name)));
      entries.push_back({std::move(*glob), id});
    }
  }
  selector.index = GlobIndex(std::move(entries), static_cast<std::uint32_t>(rules.size()));
  return {};
}

ConnectionRules::ConnectionRules(std::unique_ptr<const Compiled> compiled)
    : compiled_(std::move(compiled)) {}
ConnectionRules::ConnectionRules(ConnectionRules&&) noexcept = default;
ConnectionRules& ConnectionRules::operator=(ConnectionRules&&) noexcept = default;
ConnectionRules::~ConnectionRules() = default;

std::span<const DatabaseConnectionRule> ConnectionRules::rules() const {
  return compiled_->rules;
}

Result<ConnectionRules> ConnectionRules::compile(const policy::DatabasePolicy& policy,
                                                 const policy::DbService& service) {
  auto compiled = std::make_unique<Compiled>();
  compiled->passthrough = service.tls_mode == policy::DbTlsMode::kPassthrough;
  for (const DatabaseConnectionRule& rule : policy.connection_rules) {
    if (!rule.db_service.empty() && rule.db_service != service.name) continue;
    compiled->rules.push_back(rule);
    compiled->has_rules[static_cast<std::size_t>(rule.match_kind)] = true;
  }
  for (int field = 0; field < Compiled::kFields; ++field) {
    if (auto done = compiled->add_selector(static_cast<Compiled::Field>(field)); !done)
      return std::unexpected(done.error());
  }
  return ConnectionRules(std::move(compiled));
}

ConnectionDecision ConnectionRules::decide(const ConnectionFacts& facts) const {
  const std::array<std::string_view, Compiled::kFields> texts = {
      facts.db_user, facts.database, facts.application_name, facts.client_identity};
  std::array<GlobIndex::Match, Compiled::kFields> matches;
  std::array<policy::Selector, Compiled::kFields> found;
  for (std::size_t field = 0; field < texts.size(); ++field) {
    matches[field] = compiled_->selectors[field].index.match(texts[field]);
    matches[field].add_to(found[field]);
  }
  ConnectionDecision result;
  int strictest = -1;
  for (std::uint32_t id = 0; id < compiled_->rules.size(); ++id) {
    const DatabaseConnectionRule& rule = compiled_->rules[id];
    if (rule.match_kind != facts.kind) continue;
    bool all = true;
    for (std::size_t field = 0; field < texts.size() && all; ++field)
      all = compiled_->selectors[field].matches(id, found[field]);
    if (!all) continue;
    if (rule.decision == Decision::kAudit) result.audit_rules.push_back(rule.name);
    if (rule.decision == Decision::kApprove && rule.timeout &&
        (!result.approval_timeout || *rule.timeout < *result.approval_timeout))
      result.approval_timeout = rule.timeout;
    if (rank(rule.decision) <= strictest) continue;
    strictest = rank(rule.decision);
    result.decision = rule.decision;
    result.rule = id;
  }
  if (!result.rule) {
    if (compiled_->open_by_default(facts.kind)) result.decision = Decision::kAllow;
    const std::string_view permits =
        result.decision == Decision::kAllow ? "no rule restricts who may" : "no rule permits";
    result.reason = result.decision == Decision::kAllow
                        ? fmt::format("{} {} it", permits, verb_of(facts.kind))
                        : fmt::format("{} user \"{}\" to {} database \"{}\"", permits,
                                      facts.db_user, verb_of(facts.kind), facts.database);
    return result;
  }
  const DatabaseConnectionRule& rule = compiled_->rules[*result.rule];
  result.rule_name = rule.name;
  result.reason = fmt::format("rule {}", rule.name);
  const policy::MessageValue values[] = {{"User", facts.db_user},
                                         {"Database", facts.database},
                                         {"ApplicationName", facts.application_name},
                                         {"ClientIdentity", facts.client_identity}};
  result.message = policy::render_message(rule.message, values);
  return result;
}

}  // namespace agentsh::sql
