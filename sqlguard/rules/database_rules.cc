#include "sqlguard/rules/database_rules.h"

#include "policies/glob_index.h"
#include "policies/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace agentsh::sql {
namespace {

using policy::DatabaseRule;
using policy::Decision;
using policy::GlobIndex;

// How strict: the higher counts.
int rank(Decision decision) {
  switch (decision) {
    case Decision::kDeny:
      return 4;
    case Decision::kApprove:
      return 3;
    case Decision::kRedirect:
      return 2;
    case Decision::kAudit:
      return 1;
    default:
      return 0;
  }
}

bool holds(const std::vector<std::string>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool selects_everything(const std::vector<policy::LocatedText>& globs) {
  return std::ranges::any_of(
      globs, [](const policy::LocatedText& glob) { return glob.text == "*" || glob.text == "**"; });
}

// Has the rule a selector that an object must pass?
bool selects_objects(const DatabaseRule& rule) {
  return !rule.schemas.empty() || !rule.relations.empty() || !rule.functions.empty() ||
         (!rule.objects.empty() && !selects_everything(rule.objects));
}

bool covers_without_objects(Group group) {
  return group == Group::kRead || group == Group::kTransaction || group == Group::kSession ||
         group == Group::kNotify;
}

// "schema.name(args)" without its arguments; `any_arguments` when a rule of this form holds for all
// of them, which is all that can be told without the catalogue.
std::string_view function_name(std::string_view written, bool& any_arguments) {
  const std::size_t open = written.find('(');
  any_arguments = open == std::string_view::npos || written.substr(open) == "(*)";
  return written.substr(0, open);
}

enum class Certainty { kNo, kMaybe, kYes };

template <class T>
void tighten(std::optional<T>& limit, const std::optional<T>& other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

void tighten(policy::DbLimits& limits, const policy::DbLimits& others) {
  tighten(limits.max_rows, others.max_rows);
  tighten(limits.max_bytes, others.max_bytes);
  tighten(limits.statement_timeout, others.statement_timeout);
}

// Calls that are an effect of their own: of functions which the catalogue says may do anything, and
// of any that is not known where the policy wants that; but for those that it calls safe.
Effect escalate(const std::vector<CalledFunction>& functions, const policy::DbOptions& options) {
  Effect escalated{.group = Group::kProcedural, .subtype = "escalated_function_call"};
  const auto& safe = options.safe_function_allowlist;
  for (const CalledFunction& function : functions) {
    if (!options.escalate_unknown_functions && !function.may_do_anything) continue;
    if (holds(safe, function.name) ||
        holds(safe, fmt::format("{}.{}", function.schema, function.name)))
      continue;
    escalated.objects.push_back(
        {.kind = ObjectKind::kFunction, .schema = function.schema, .name = function.name});
  }
  return escalated;
}

}  // namespace

struct DatabaseRules::Compiled {
  // Globs of one selector of all rules.
  struct SelectorIndex {
    GlobIndex index;
    std::vector<bool> given;  // By rule: has it the selector?

    bool matches(std::uint32_t rule, std::string_view text) const {
      policy::Selector selector;
      const GlobIndex::Match match = index.match(text);
      match.add_to(selector);
      return selector.contains(rule);
    }
  };

  std::vector<DatabaseRule> rules;
  policy::DbOptions options;
  policy::DbLimits limits;  // The service's.
  SessionFloor floor;
  std::array<std::vector<std::uint32_t>, kGroups + 1> by_group;
  SelectorIndex schemas, objects, relations, functions;
  std::vector<bool> any_arguments;  // By rule: of its functions.
};

DatabaseRules::DatabaseRules(std::unique_ptr<const Compiled> compiled)
    : compiled_(std::move(compiled)) {}
DatabaseRules::DatabaseRules(DatabaseRules&&) noexcept = default;
DatabaseRules& DatabaseRules::operator=(DatabaseRules&&) noexcept = default;
DatabaseRules::~DatabaseRules() = default;

std::span<const DatabaseRule> DatabaseRules::rules() const {
  return compiled_->rules;
}

const SessionFloor& DatabaseRules::floor() const {
  return compiled_->floor;
}

Result<DatabaseRules> DatabaseRules::compile(const policy::DatabasePolicy& policy,
                                             const policy::DbService& service) {
  auto compiled = std::make_unique<Compiled>();
  compiled->options = policy.options;
  compiled->limits = service.limits;
  const std::string_view dialect = name_of(static_cast<Dialect>(service.dialect));
  for (const DatabaseRule& rule : policy.rules) {
    if (!rule.db_service.empty() && rule.db_service != service.name) continue;
    if (!rule.db_family.empty() && rule.db_family != "postgres") continue;
    if (!rule.db_dialect.empty() && rule.db_dialect != dialect) continue;
    compiled->rules.push_back(rule);
  }
  compiled->floor = SessionFloor(compiled->rules, service);
  const auto count = static_cast<std::uint32_t>(compiled->rules.size());
  compiled->any_arguments.resize(count, true);
  for (std::uint32_t id = 0; id < count; ++id) {
    for (int group = 1; group <= kGroups; ++group) {
      if (holds(compiled->rules[id].operations, name_of(static_cast<Group>(group))))
        compiled->by_group[static_cast<std::size_t>(group)].push_back(id);
    }
  }
  const auto index = [&](auto member, Compiled::SelectorIndex& out, bool functions) -> Result<> {
    std::vector<GlobIndex::Entry> entries;
    out.given.resize(count);
    for (std::uint32_t id = 0; id < count; ++id) {
      const auto& globs = compiled->rules[id].*member;
      out.given[id] = !globs.empty();
      for (const policy::LocatedText& written : globs) {
        bool any = true;
        const std::string_view text =
            functions ? function_name(written.text, any) : std::string_view(written.text);
        if (!any) compiled->any_arguments[id] = false;
        auto glob = policy::Glob::parse(text, policy::kNoSeparator);
        if (!glob) return std::unexpected(glob.error());
        entries.push_back({std::move(*glob), id});
      }
    }
    out.index = GlobIndex(std::move(entries), count);
    return {};
  };
  for (auto done : {index(&DatabaseRule::schemas, compiled->schemas, false),
                    index(&DatabaseRule::objects, compiled->objects, false),
                    index(&DatabaseRule::relations, compiled->relations, false),
                    index(&DatabaseRule::functions, compiled->functions, true)}) {
    if (!done) return std::unexpected(done.error());
  }
  return DatabaseRules(std::move(compiled));
}

// --- one statement -------------------------------------------------------------------------------

class DatabaseRules::Evaluation {
 public:
  Evaluation(const Compiled& compiled, const NameContext& names)
      : compiled_(compiled), names_(names) {}

  StatementDecision decide(std::vector<Effect> effects, std::string_view raw_verb,
                           std::string_view error) {
    StatementDecision result;
    result.effects = std::move(effects);
    result.limits = compiled_.limits;
    for (const Effect& effect : result.effects) result.by_effect.push_back(judge(effect));
    combine(result, raw_verb, error);
    return result;
  }

 private:
  // Does the rule's `schemas`, or the schema of a `relations` or `functions` glob, hold?
  Certainty schema_matches(const Compiled::SelectorIndex& selector, std::uint32_t id,
                           const Object& object, bool qualified) const {
    const auto schemas = possible_schemas(object, names_);
    if (!schemas) return Certainty::kMaybe;
    if (schemas->empty()) return Certainty::kNo;
    std::size_t matching = 0;
    for (const std::string& schema : *schemas) {
      const std::string text = qualified ? fmt::format("{}.{}", schema, object.name) : schema;
      if (selector.matches(id, text)) ++matching;
    }
    if (matching == 0) return Certainty::kNo;
    return matching == schemas->size() ? Certainty::kYes : Certainty::kMaybe;
  }

  // For a name whose schema is not known: is there a schema for which the glob holds? The glob is
  // read with the name alone behind its last dot.
  bool could_be_in_some_schema(const std::vector<policy::LocatedText>& globs,
                               std::string_view name) const {
    return std::ranges::any_of(globs, [&](const policy::LocatedText& written) {
      bool any = true;
      const std::string_view text = function_name(written.text, any);
      const std::size_t dot = text.rfind('.');
      const std::string_view last = dot == std::string_view::npos ? text : text.substr(dot + 1);
      auto glob = policy::Glob::parse(last, policy::kNoSeparator);
      if (!glob) return true;
      std::vector<GlobIndex::Entry> entries;
      entries.push_back({std::move(*glob), 0});
      return !GlobIndex(std::move(entries), 1).match(name).empty();
    });
  }

  Certainty named_matches(const Compiled::SelectorIndex& selector,
                          const std::vector<policy::LocatedText>& globs, std::uint32_t id,
                          const Object& object) const {
    const Certainty certainty = schema_matches(selector, id, object, true);
    // Nothing is known of the schema: a maybe only if the name fits.
    if (certainty == Certainty::kMaybe && !possible_schemas(object, names_) &&
        !could_be_in_some_schema(globs, object.name))
      return Certainty::kNo;
    return certainty;
  }

  Certainty object_matches(std::uint32_t id, const Object& object) const {
    const DatabaseRule& rule = compiled_.rules[id];
    Certainty result = Certainty::kYes;
    if (compiled_.objects.given[id] && !compiled_.objects.matches(id, selectable_name(object)))
      return Certainty::kNo;
    if (compiled_.schemas.given[id])
      result = std::min(result, schema_matches(compiled_.schemas, id, object, false));
    const bool relations = compiled_.relations.given[id];
    const bool functions = compiled_.functions.given[id];
    if (relations || functions) {
      Certainty named = Certainty::kNo;
      if (relations && object.kind <= ObjectKind::kIndex)
        named = named_matches(compiled_.relations, rule.relations, id, object);
      if (functions && object.kind == ObjectKind::kFunction) {
        named = named_matches(compiled_.functions, rule.functions, id, object);
        if (!compiled_.any_arguments[id] && named == Certainty::kYes) named = Certainty::kMaybe;
      }
      result = std::min(result, named);
    }
    return result;
  }

  // Everything about the rule but its objects.
  bool effect_matches(const DatabaseRule& rule, const Effect& effect, Resolution resolution) const {
    if (!rule.subtypes.empty() && !holds(rule.subtypes, effect.subtype)) return false;
    if (rule.require_where && !effect.has_where) return false;
    return rule.match_object_resolution.empty() ||
           holds(rule.match_object_resolution, name_of(resolution));
  }

  ObjectCoverage cover(const Effect& effect, std::optional<std::size_t> object) const {
    ObjectCoverage coverage{.object = object};
    std::vector<std::uint32_t> vacuous;
    const Resolution resolution =
        object ? resolution_of(effect.objects[*object], names_) : resolution_of(effect, names_);
    for (std::uint32_t id : compiled_.by_group[static_cast<std::size_t>(effect.group)]) {
      const DatabaseRule& rule = compiled_.rules[id];
      if (!effect_matches(rule, effect, resolution)) continue;
      const bool denies = rule.decision == Decision::kDeny;
      Certainty certainty = Certainty::kYes;
      if (object) {
        certainty = object_matches(id, effect.objects[*object]);
      } else if (selects_objects(rule)) {
        certainty = Certainty::kNo;
        if (!denies && (rule.decision == Decision::kAllow || rule.decision == Decision::kAudit) &&
            covers_without_objects(effect.group))
          vacuous.push_back(id);
      }
      if (denies && certainty != Certainty::kNo) coverage.denying.push_back(id);
      if (!denies && certainty == Certainty::kYes) coverage.covering.push_back(id);
    }
    if (coverage.covering.empty()) coverage.covering = std::move(vacuous);
    return coverage;
  }

  EffectDecision judge(const Effect& effect) const {
    EffectDecision result;
    if (effect.objects.empty()) result.coverage.push_back(cover(effect, std::nullopt));
    for (std::size_t i = 0; i < effect.objects.size(); ++i)
      result.coverage.push_back(cover(effect, i));
    bool covered = true;
    std::optional<std::uint32_t> deciding;
    const auto stricter = [&](std::uint32_t id) {
      return !deciding ||
             rank(compiled_.rules[id].decision) > rank(compiled_.rules[*deciding].decision);
    };
    for (const ObjectCoverage& coverage : result.coverage) {
      const bool implied = coverage.object && effect.objects[*coverage.object].implied;
      covered = covered && (implied || !coverage.covering.empty());
      for (std::uint32_t id : coverage.denying) {
        if (stricter(id)) deciding = id;
      }
    }
    if (!deciding && covered) {
      for (const ObjectCoverage& coverage : result.coverage) {
        for (std::uint32_t id : coverage.covering) {
          if (stricter(id)) deciding = id;
        }
      }
    }
    result.rule = deciding;
    result.decision = deciding ? compiled_.rules[*deciding].decision : Decision::kDeny;
    if (result.decision == Decision::kRedirect && has_two_redirects(result)) {
      result.rule.reset();
      result.decision = Decision::kDeny;
    }
    return result;
  }

  bool has_two_redirects(const EffectDecision& decision) const {
    std::string_view source;
    for (const ObjectCoverage& coverage : decision.coverage) {
      for (std::uint32_t id : coverage.covering) {
        const DatabaseRule& rule = compiled_.rules[id];
        if (rule.decision != Decision::kRedirect) continue;
        if (!source.empty() && source != rule.relations[0].text) return true;
        source = rule.relations[0].text;
      }
    }
    return false;
  }

  void combine(StatementDecision& result, std::string_view raw_verb, std::string_view error) const {
    int strictest = -1;
    for (std::size_t i = 0; i < result.by_effect.size(); ++i) {
      const EffectDecision& effect = result.by_effect[i];
      note_contributions(result, effect);
      // On a tie an explicit deny is preferred to an implicit one.
      const int strictness = 2 * rank(effect.decision) + (effect.rule ? 1 : 0);
      if (strictness <= strictest) continue;
      strictest = strictness;
      result.effect = i;
      result.decision = effect.decision;
      result.group = result.effects[i].group;
    }
    if (result.by_effect.empty()) {
      result.reason = "the statement has no effect that rules could cover";
      return;
    }
    describe(result, raw_verb, error);
  }

  void note_contributions(StatementDecision& result, const EffectDecision& effect) const {
    for (const ObjectCoverage& coverage : effect.coverage) {
      for (std::uint32_t id : coverage.covering) {
        const DatabaseRule& rule = compiled_.rules[id];
        tighten(result.limits, rule.limits);
        if (rule.decision == Decision::kAudit && !holds(result.audit_rules, rule.name))
          result.audit_rules.push_back(rule.name);
        if (rule.decision == Decision::kApprove && rule.timeout &&
            (!result.approval_timeout || *rule.timeout < *result.approval_timeout))
          result.approval_timeout = rule.timeout;
      }
    }
  }

  void describe(StatementDecision& result, std::string_view raw_verb,
                std::string_view error) const {
    const Effect& effect = result.effects[result.effect];
    const EffectDecision& decision = result.by_effect[result.effect];
    if (!decision.rule) {
      result.reason = uncovered_reason(effect, decision);
      if (!error.empty()) result.reason += fmt::format(" ({})", error);
      return;
    }
    const DatabaseRule& rule = compiled_.rules[*decision.rule];
    result.rule_name = rule.name;
    result.reason = fmt::format("rule {}", rule.name);
    result.rollback_then_continue =
        rule.deny_mode_in_tx == policy::DbDenyInTransaction::kRollbackThenContinue;
    if (rule.decision == Decision::kRedirect) {
      result.redirect_source = rule.relations[0].text;
      result.redirect_target = rule.redirect_relation;
    }
    const Object* object = deciding_object(effect, decision);
    const std::string_view name = object == nullptr ? "" : selectable_name(*object);
    const policy::MessageValue values[] = {
        {"Operation", name_of(effect.group)},
        {"Subtype", effect.subtype},
        {"Schema", object == nullptr ? "" : std::string_view(object->schema)},
        {"Object", name},
        {"Verb", raw_verb}};
    result.message = policy::render_message(rule.message, values);
  }

  const Object* deciding_object(const Effect& effect, const EffectDecision& decision) const {
    for (const ObjectCoverage& coverage : decision.coverage) {
      const auto& rules =
          decision.decision == Decision::kDeny ? coverage.denying : coverage.covering;
      if (coverage.object && std::ranges::find(rules, *decision.rule) != rules.end())
        return &effect.objects[*coverage.object];
    }
    return nullptr;
  }

  std::string uncovered_reason(const Effect& effect, const EffectDecision& decision) const {
    const std::string what = effect.subtype.empty()
                                 ? std::string(name_of(effect.group))
                                 : fmt::format("{} ({})", name_of(effect.group), effect.subtype);
    for (const ObjectCoverage& coverage : decision.coverage) {
      if (!coverage.covering.empty()) continue;
      if (coverage.object && effect.objects[*coverage.object].implied) continue;
      if (!coverage.object) return fmt::format("no rule covers {}", what);
      const Object& object = effect.objects[*coverage.object];
      return fmt::format("no rule covers {} of {} {}{}{}", what, name_of(object.kind),
                         object.schema, object.schema.empty() ? "" : ".", selectable_name(object));
    }
    return fmt::format("{} is redirected to different relations", what);
  }

  const Compiled& compiled_;
  const NameContext& names_;
};

StatementDecision DatabaseRules::decide(const Statement& statement,
                                        const SessionState& session) const {
  std::vector<Effect> effects = statement.effects;
  std::vector<CalledFunction> functions = statement.functions;
  std::string error = statement.error;
  for (const SessionChange& change : statement.changes) {
    if (change.kind != SessionChange::Kind::kExecute) continue;
    const auto candidates = session.prepared(change.name);
    if (candidates.empty()) {
      effects.push_back({.group = Group::kUnknown});
      error = fmt::format("prepared statement \"{}\" does not exist", change.name);
    }
    for (const auto& prepared : candidates) {
      std::ranges::copy(prepared->effects, std::back_inserter(effects));
      std::ranges::copy(prepared->functions, std::back_inserter(functions));
    }
  }
  Effect escalated = escalate(functions, compiled_->options);
  if (!escalated.objects.empty()) effects.push_back(std::move(escalated));
  order_by_precedence(effects);
  StatementDecision decision =
      Evaluation(*compiled_, session.names()).decide(std::move(effects), statement.raw_verb, error);
  const auto refusal = compiled_->floor.refusal(statement);
  if (refusal && decision.decision != Decision::kDeny) {
    decision.decision = Decision::kDeny;
    decision.rule_name.clear();
    decision.message.clear();
    decision.reason = *refusal;
  }
  return decision;
}

std::vector<StatementDecision> DatabaseRules::decide(const Analysis& analysis,
                                                     SessionState session) const {
  std::vector<StatementDecision> decisions;
  for (const Statement& statement : analysis.statements) {
    decisions.push_back(decide(statement, session));
    session.forwarded(statement);
  }
  return decisions;
}

const StatementDecision* strictest(std::span<const StatementDecision> decisions) {
  const auto strictness = [](const StatementDecision& d) {
    return 2 * rank(d.decision) + (d.rule_name.empty() ? 0 : 1);
  };
  const auto found = std::ranges::max_element(decisions, {}, strictness);
  return found == decisions.end() ? nullptr : &*found;
}

}  // namespace agentsh::sql
