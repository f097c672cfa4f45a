// process_identities, process_contexts.
#include "policies/loader_sections.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy::loader {
namespace {

constexpr int kConditionNesting = 16;

void load_identity(YamlNode name, YamlNode value, const std::string& path, Diagnostics& problems,
                   Policy& policy) {
  YamlReader reader(value, path, problems);
  ProcessIdentity& identity = policy.process_identities.emplace_back();
  identity.name = std::string(name.text());
  identity.where = name.where();
  reader.text("description", identity.description);
  for (std::string_view platform : {"linux", "darwin", "windows", "all_platforms"}) {
    reader.object(platform, [&](YamlReader& lists) {
      PlatformIdentity& entry = identity.platforms.emplace_back();
      entry.platform = std::string(platform);
      load_environment_globs(lists, "comm", entry.comm);
      load_environment_globs(lists, "exe_path", entry.exe_path);
      load_environment_globs(lists, "cmdline", entry.cmdline);
      load_environment_globs(lists, "bundle_id", entry.bundle_id);
      load_environment_globs(lists, "exe_name", entry.exe_name);
    });
  }
}

ChainCondition load_condition(Context& context, YamlNode node, const std::string& path, int depth);

ChainCondition leaf(std::string_view kind) {
  return {.kind = std::string(kind)};
}

// Keys whose value is one text or a list of texts.
void load_text_conditions(YamlReader& reader, std::vector<ChainCondition>& parts) {
  for (std::string_view key :
       {"via_contains", "via_not_contains", "via_matches", "class_contains", "class_not_contains",
        "env_contains", "args_contain", "comm_matches", "path_matches", "source_name",
        "source_context", "via_index_value"}) {
    YamlNode node = reader.get(key);
    if (node.empty()) continue;
    ChainCondition condition = leaf(key);
    if (node.is_sequence()) {
      reader.texts(key, condition.texts);
    } else {
      reader.text(key, condition.texts.emplace_back());
    }
    parts.push_back(std::move(condition));
  }
}

void load_number_conditions(YamlReader& reader, std::vector<ChainCondition>& parts) {
  for (std::string_view key :
       {"via_index", "depth_eq", "depth_gt", "depth_lt", "depth_ge", "depth_le"}) {
    long number = 0;
    if (!reader.integer(key, number, -1'000'000l, 1'000'000l)) continue;
    parts.push_back(leaf(key));
    parts.back().numbers.emplace_back("value", number);
  }
  for (std::string_view key : {"is_tainted", "is_agent"}) {
    bool flag = false;
    if (!reader.flag(key, flag)) continue;
    parts.push_back(leaf(key));
    parts.back().numbers.emplace_back("value", flag ? 1 : 0);
  }
}

void load_run_conditions(YamlReader& reader, std::vector<ChainCondition>& parts) {
  for (std::string_view key : {"consecutive_class", "consecutive_comm"}) {
    reader.object(key, [&](YamlReader& run) {
      ChainCondition condition = leaf(key);
      run.text("value", condition.texts.emplace_back(), Need::kRequired);
      for (std::string_view bound : {"count_ge", "count_le"}) {
        long number = 0;
        if (run.integer(bound, number, 0l, 1'000'000l)) {
          condition.numbers.emplace_back(std::string(bound), number);
        }
      }
      parts.push_back(std::move(condition));
    });
  }
}

// Several keys in one map are all to hold.
ChainCondition load_condition(Context& context, YamlNode node, const std::string& path, int depth) {
  ChainCondition all = leaf("and");
  if (depth > kConditionNesting) {
    context.problems.error(node.where(), path, "is nested too deep");
    return all;
  }
  YamlReader reader(node, path, context.problems);
  load_text_conditions(reader, all.parts);
  load_number_conditions(reader, all.parts);
  load_run_conditions(reader, all.parts);
  for (std::string_view key : {"and", "or"}) {
    if (!reader.has(key)) continue;
    ChainCondition combined = leaf(key);
    reader.each_item(key, [&](YamlNode part, const std::string& part_path) {
      combined.parts.push_back(load_condition(context, part, part_path, depth + 1));
    });
    all.parts.push_back(std::move(combined));
  }
  if (YamlNode negated = reader.get("not"); !negated.empty()) {
    ChainCondition condition = leaf("not");
    condition.parts.push_back(load_condition(context, negated, reader.path_of("not"), depth + 1));
    all.parts.push_back(std::move(condition));
  }
  return all;
}

void load_chain_rule(Context& context, YamlNode node, const std::string& path,
                     ProcessContext& out) {
  constexpr Word<ChainAction> kActions[] = {
      {"allow_normal_policy", ChainAction::kAllowNormalPolicy},
      {"apply_context_policy", ChainAction::kApplyContextPolicy},
      {"deny", ChainAction::kDeny},
      {"approve", ChainAction::kApprove},
      {"mark_as_agent", ChainAction::kMarkAsAgent},
      {"allow", ChainAction::kAllow}};
  YamlReader reader(node, path, context.problems);
  ChainRule& rule = out.chain_rules.emplace_back();
  rule.where = reader.where();
  reader.text("name", rule.name, Need::kRequired);
  reader.integer("priority", rule.priority);
  rule.condition = load_condition(context, reader.get("condition"), reader.path_of("condition"), 0);
  reader.word("action", rule.action, kActions, Need::kRequired);
  reader.text("message", rule.message);
  reader.flag("continue", rule.continue_after);
}

template <class Rule>
void load_context_rules(Context& context, YamlReader& reader, std::string_view key,
                        Rule (*load)(Context&, YamlNode, const std::string&),
                        std::vector<Rule>& out) {
  reader.each_item(key, [&](YamlNode node, const std::string& path) {
    out.push_back(load(context, node, path));
  });
}

void load_overrides(YamlReader& reader, ProcessContext& out) {
  reader.each_entry("command_overrides",
                    [&](YamlNode name, YamlNode value, const std::string& path) {
                      YamlReader entry(value, path, reader.problems());
                      CommandOverride& override = out.command_overrides.emplace_back();
                      override.command = std::string(name.text());
                      entry.texts("args_allow", override.args_allow);
                      entry.texts("args_deny", override.args_deny);
                      Decision otherwise = Decision::kDeny;
                      if (entry.word("default", otherwise, kAccessDecisions)) {
                        override.otherwise = otherwise;
                      }
                    });
}

void load_race_policy(YamlReader& context_reader, RacePolicy& out) {
  context_reader.object("race_policy", [&](YamlReader& reader) {
    reader.text("on_missing_parent", out.on_missing_parent);
    reader.text("on_pid_mismatch", out.on_pid_mismatch);
    reader.text("on_validation_error", out.on_validation_error);
    reader.flag("log_race_conditions", out.log_race_conditions);
  });
}

void load_process_context(Context& context, YamlNode name, YamlNode value, const std::string& path,
                          Policy& policy) {
  YamlReader reader(value, path, context.problems);
  ProcessContext out;
  out.name = std::string(name.text());
  out.where = name.where();
  reader.text("description", out.description);
  reader.texts("identities", out.identities);
  reader.each_item("chain_rules", [&](YamlNode node, const std::string& rule_path) {
    load_chain_rule(context, node, rule_path, out);
  });
  auto rules = std::make_shared<ContextRules>();
  load_context_rules(context, reader, "file_rules", load_file_rule, rules->file_rules);
  load_context_rules(context, reader, "network_rules", load_network_rule, rules->network_rules);
  load_context_rules(context, reader, "command_rules", load_command_rule, rules->command_rules);
  load_context_rules(context, reader, "unix_socket_rules", load_unix_socket_rule,
                     rules->unix_socket_rules);
  reader.object("env_policy", [&](YamlReader& environment) {
    load_environment_rules(environment, rules->env_policy.emplace());
  });
  out.rules = std::move(rules);
  load_environment_globs(reader, "allowed_commands", out.allowed_commands);
  load_environment_globs(reader, "denied_commands", out.denied_commands);
  load_environment_globs(reader, "require_approval", out.require_approval);
  load_overrides(reader, out);
  reader.word("default_decision", out.default_decision, kAccessDecisions);
  load_race_policy(reader, out.race_policy);
  reader.integer("max_depth", out.max_depth, 0, 1'000'000);
  reader.texts("stop_at", out.stop_at);
  reader.texts("pass_through", out.pass_through);
  policy.process_contexts.push_back(std::move(out));
}

}  // namespace

void load_processes(Context& context, YamlReader& root, Policy& policy) {
  root.each_entry("process_identities",
                  [&](YamlNode name, YamlNode value, const std::string& path) {
                    load_identity(name, value, path, context.problems, policy);
                  });
  root.each_entry("process_contexts", [&](YamlNode name, YamlNode value, const std::string& path) {
    load_process_context(context, name, value, path, policy);
  });
}

}  // namespace agentsh::policy::loader
