// Statements about the session and the transaction.
#include "sqlguard/classifier/objects.h"
#include "sqlguard/classifier/walker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

// Settings that change who acts or what names mean have subtypes of their own, however they are set
// or reset.
std::string_view subtype_of(std::string_view name, std::string_view otherwise) {
  if (name == "role") return "set_role";
  if (name == "session_authorization") return "set_session_authorization";
  if (name == "search_path") return "set_search_path";
  return otherwise;
}

std::string set_verb(std::string_view name, bool local, std::string_view value) {
  if (name == "search_path") return fmt::format("SET_SEARCH_PATH={}", value);
  if (name == "role") return "SET_ROLE";
  if (name == "session_authorization") return "SET_SESSION_AUTHORIZATION";
  return local ? "SET_LOCAL" : "SET";
}

}  // namespace

void Walker::setting(std::string_view name, std::vector<std::string> values, bool local,
                     bool known_value) {
  affect(Group::kSession, subtype_of(name, local ? "set_local" : "set"),
         object_named(ObjectKind::kGuc, name));
  if (known_value)
    change({.kind = SessionChange::Kind::kSet,
            .name = std::string(name),
            .values = std::move(values),
            .local = local});
  else
    change({.kind = SessionChange::Kind::kUnknownSetting, .name = std::string(name)});
}

void Walker::set(TreeNode s) {
  const std::string_view kind = s.text("kind");
  const std::string name = lower_case(s.text("name"));
  const bool local = s.flag("is_local");
  if (kind == "VAR_RESET_ALL") {
    verb("RESET_ALL");
    effect(Group::kSession, "reset_all");
    return change({.kind = SessionChange::Kind::kResetAll});
  }
  if (kind == "VAR_SET_MULTI") {
    if (name == "transaction") {
      verb("SET_TRANSACTION");
      effect(Group::kTransaction);
      return set_transaction_modes(s.child("args"));
    }
    if (name == "session characteristics") {
      verb("SET_SESSION_CHARACTERISTICS");
      for (TreeNode option = s.child("args").first(); option; option = option.next()) {
        const TreeNode mode = option.typed();
        const std::string_view which = mode.text("defname");
        setting(fmt::format("default_{}", which),
                {std::string(constant_of(mode.child("arg")).text)}, false, true);
      }
      return;
    }
    if (name == "transaction snapshot") {
      verb("SET_TRANSACTION_SNAPSHOT");
      effect(Group::kTransaction);
      return;
    }
    return unknown(fmt::format("SET {} is not known", name));
  }
  if (kind == "VAR_RESET" || kind == "VAR_SET_DEFAULT") {
    const bool reset = kind == "VAR_RESET";
    verb(reset ? "RESET" : set_verb(name, local, "DEFAULT"));
    affect(Group::kSession, subtype_of(name, reset ? "reset" : (local ? "set_local" : "set")),
           object_named(ObjectKind::kGuc, name));
    return change({.kind = SessionChange::Kind::kReset, .name = name, .local = local});
  }
  // VAR_SET_VALUE; VAR_SET_CURRENT stands in definitions only.
  std::vector<std::string> values;
  for (TreeNode value = s.child("args").first(); value; value = value.next())
    values.emplace_back(constant_of(value).text);
  verb(set_verb(name, local, fmt::format("{}", fmt::join(values, ","))));
  setting(name, std::move(values), local, true);
}

// READ WRITE lifts a protection that the session's default may give, as SET does.
void Walker::set_transaction_modes(TreeNode options) {
  for (TreeNode option = options.first(); option; option = option.next()) {
    const TreeNode mode = option.typed();
    if (mode.text("defname") != "transaction_read_only") continue;
    const TreeNode value = mode.child("arg").typed().child("ival");
    if (value.text("ival").empty()) setting("transaction_read_only", {"off"}, true, true);
  }
}

void Walker::show(TreeNode) {
  verb("SHOW");
  effect(Group::kRead);
}

void Walker::discard(TreeNode s) {
  const std::string_view target = s.text("target");
  if (target == "DISCARD_PLANS") {
    verb("DISCARD_PLANS");
    effect(Group::kSession, "discard_plans");
    return change({.kind = SessionChange::Kind::kDiscardPlans});
  }
  if (target == "DISCARD_SEQUENCES") {
    verb("DISCARD_SEQUENCES");
    effect(Group::kSession, "discard_sequences");
    return;
  }
  if (target == "DISCARD_TEMP") {
    verb("DISCARD_TEMP");
    effect(Group::kSession, "discard_temp");
    return change({.kind = SessionChange::Kind::kDiscardTemp});
  }
  verb("DISCARD_ALL");
  effect(Group::kSession, "discard_all");
  change({.kind = SessionChange::Kind::kDiscardAll});
}

void Walker::transaction(TreeNode s) {
  struct Kind {
    std::string_view word;
    std::string_view verb;
    TransactionStep step;
  };
  static constexpr Kind kKinds[] = {
      {"TRANS_STMT_BEGIN", "BEGIN", TransactionStep::kBegin},
      {"TRANS_STMT_START", "START_TRANSACTION", TransactionStep::kBegin},
      {"TRANS_STMT_COMMIT", "COMMIT", TransactionStep::kCommit},
      {"TRANS_STMT_ROLLBACK", "ROLLBACK", TransactionStep::kRollback},
      {"TRANS_STMT_SAVEPOINT", "SAVEPOINT", TransactionStep::kSavepoint},
      {"TRANS_STMT_RELEASE", "RELEASE", TransactionStep::kRelease},
      {"TRANS_STMT_ROLLBACK_TO", "ROLLBACK_TO", TransactionStep::kRollbackTo},
      {"TRANS_STMT_PREPARE", "PREPARE_TRANSACTION", TransactionStep::kPrepare},
      {"TRANS_STMT_COMMIT_PREPARED", "COMMIT_PREPARED", TransactionStep::kCommitPrepared},
      {"TRANS_STMT_ROLLBACK_PREPARED", "ROLLBACK_PREPARED", TransactionStep::kRollbackPrepared},
  };
  const auto found = std::ranges::find(kKinds, s.text("kind"), &Kind::word);
  if (found == std::end(kKinds)) return unknown("the transaction statement is not known");
  verb(found->verb);
  result_.transaction = found->step;
  effect(Group::kTransaction);
  set_transaction_modes(s.child("options"));
}

void Walker::set_constraints(TreeNode) {
  verb("SET_CONSTRAINTS");
  effect(Group::kTransaction);
}

void Walker::lock(TreeNode s) {
  verb("LOCK");
  effect(Group::kLock);
  for (TreeNode element = s.child("relations").first(); element; element = element.next())
    affect(Group::kLock, {}, object_of_range(element.typed()));
}

void Walker::listen(TreeNode s) {
  verb(fmt::format("LISTEN={}", s.text("conditionname")));
  effect(Group::kNotify);
}

void Walker::unlisten(TreeNode s) {
  const std::string_view channel = s.text("conditionname");
  verb(fmt::format("UNLISTEN={}", channel.empty() ? "*" : channel));
  effect(Group::kNotify);
}

void Walker::notify(TreeNode s) {
  verb(fmt::format("NOTIFY={}", s.text("conditionname")));
  effect(Group::kNotify);
}

}  // namespace agentsh::sql
