#include "policies/command_decider.h"

#include "policies/message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

namespace agentsh::policy {
namespace {

constexpr std::size_t kLongestArguments = 128 << 10;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string joined(std::span<const std::string> arguments) {
  std::string text;
  for (const std::string& argument : arguments) {
    if (text.size() > kLongestArguments) break;
    if (!text.empty() || &argument != arguments.data()) text += ' ';
    text += argument;
  }
  return text;
}

struct CommandGlob {
  Glob glob;
  bool path;
};

std::optional<CommandGlob> parse_command(const LocatedText& text, std::size_t rule,
                                         Diagnostics& problems) {
  const bool path = text.text.find('/') != std::string::npos;
  std::string pattern = lower(text.text);
  if (pattern == "[") return CommandGlob{Glob::literal(pattern), false};  // A program, as `test`.
  // The command's own ".real" is dropped as well.
  constexpr std::string_view kReal = ".real";
  if (pattern.size() > kReal.size() && pattern.ends_with(kReal)) {
    pattern.resize(pattern.size() - kReal.size());
  }
  auto glob = Glob::parse(pattern, path ? '/' : kNoSeparator);
  if (!glob) {
    problems.error(text.where, fmt::format("command_rules[{}].commands", rule),
                   fmt::format("\"{}\" is no glob: {}", text.text, glob.error().what));
    return {};
  }
  return CommandGlob{std::move(*glob), path};
}

}  // namespace

int strictness(Decision decision) {
  switch (decision) {
    case Decision::kDeny:
    case Decision::kAbsorb:
      return 4;
    case Decision::kRedirect:
    case Decision::kSoftDelete:
      return 3;
    case Decision::kApprove:
      return 2;
    case Decision::kAudit:
      return 1;
    case Decision::kAllow:
      return 0;
  }
  return 4;
}

CommandDecider::CommandDecider(const Policy& policy, Diagnostics& problems)
    : policy_(&policy),
      unwrapper_(std::in_place, policy.transparent_commands_add,
                 policy.transparent_commands_remove) {
  const auto& rules = policy.command_rules;
  const auto bound = static_cast<std::uint32_t>(rules.size());
  std::vector<GlobIndex::Entry> paths;
  std::vector<GlobIndex::Entry> names;
  std::vector<std::uint32_t> any_command;
  std::vector<std::uint32_t> with_patterns;
  std::vector<std::span<const Pattern>> patterns;
  std::set<int> borders = {0};
  for (std::uint32_t id = 0; id < bound; ++id) {
    const CommandRule& rule = rules[id];
    if (rule.commands.empty()) any_command.push_back(id);
    if (!rule.args_patterns.empty()) with_patterns.push_back(id);
    for (const LocatedText& text : rule.commands) {
      auto command = parse_command(text, id, problems);
      if (command) (command->path ? paths : names).push_back({std::move(command->glob), id});
    }
    patterns.emplace_back(rule.args_patterns);
    redirects_.push_back(rule.redirect ? std::make_shared<const Redirect>(*rule.redirect)
                                       : nullptr);
    borders.insert(rule.min_depth);
    if (rule.max_depth >= 0) borders.insert(rule.max_depth + 1);
  }
  paths_ = GlobIndex(std::move(paths), bound);
  names_ = GlobIndex(std::move(names), bound);
  any_command_ = IdSet(std::move(any_command), bound);
  asking_ = IdSet(std::move(with_patterns), bound);
  patterns_ = std::make_unique<PatternCache>(std::move(patterns));
  for (int depth : borders) {
    std::vector<std::uint32_t> within;
    for (std::uint32_t id = 0; id < bound; ++id) {
      const bool above = rules[id].max_depth >= 0 && depth > rules[id].max_depth;
      if (depth >= rules[id].min_depth && !above) within.push_back(id);
    }
    depths_.emplace_back(depth, IdSet(std::move(within), bound));
  }
}

const IdSet* CommandDecider::depths(int depth) const {
  auto after = std::ranges::upper_bound(depths_, depth, {}, [](auto& item) { return item.first; });
  return after == depths_.begin() ? nullptr : &(after - 1)->second;
}

std::optional<std::size_t> CommandDecider::match_arguments(const Selector& commands,
                                                           const CommandFacts& facts) const {
  // The rules about this command in order, up to the first that asks nothing of the arguments.
  std::vector<std::uint32_t> asking;
  const std::array<Selector, 1> checks = {Selector(depths(facts.depth))};
  auto certain = first_candidate(commands, checks, [&](std::uint32_t id) {
    if (!asking_.contains(id)) return true;
    asking.push_back(id);
    return false;
  });
  if (!asking.empty()) {
    const std::string text = joined(facts.arguments);
    std::string with_name;
    if (!facts.argv0.empty()) {
      with_name = fmt::format("{}{}{}", facts.argv0, text.empty() ? "" : " ", text);
    }
    if (auto found = patterns_->first_found(asking, text, with_name)) return *found;
  }
  return certain;
}

std::optional<std::size_t> CommandDecider::match(const CommandFacts& facts) const {
  if (policy_ == nullptr || policy_->command_rules.empty()) return {};
  const std::string_view real_name = command_basename(facts.path);
  const std::string name = lower(real_name);
  Selector commands(&any_command_);
  auto by_name = names_.match(name);
  by_name.add_to(commands);
  GlobIndex::Match by_path;
  if (const std::size_t slash = facts.path.rfind('/'); slash != std::string_view::npos) {
    by_path = paths_.match(lower(facts.path.substr(0, slash + 1)) + name);
    by_path.add_to(commands);
  }
  return match_arguments(commands, facts);
}

Verdict CommandDecider::verdict_of_one(const CommandFacts& facts) const {
  auto index = match(facts);
  if (!index) {
    return Verdict::deny(kDefaultDenyCommands,
                         fmt::format("no rule allows the command {}; a rule of command_rules must "
                                     "allow it",
                                     command_basename(facts.path)));
  }
  const CommandRule& rule = policy_->command_rules[*index];
  std::string message = rule.message;
  if (message.empty() && rule.decision == Decision::kDeny) {
    message =
        fmt::format("rule \"{}\" denies the command {}", rule.name, command_basename(facts.path));
  } else if (message.find("{{") != std::string::npos) {
    const std::string arguments = joined(facts.arguments);
    message = render_message(
        message, std::array<MessageValue, 2>{{{"Command", facts.path}, {"Args", arguments}}});
  }
  return Verdict::from_rule(rule.decision, rule.name, message)
      .with_redirect(redirects_[*index])
      .with_approval_timeout(rule.timeout);
}

Verdict CommandDecider::strictest(const CommandFacts& facts, int wrapped) const {
  Verdict outer = verdict_of_one(facts);
  if (outer.decision() == Decision::kDeny) return outer;
  auto inside = unwrapper_->inside(facts.path, facts.arguments);
  if (const auto* unreadable = std::get_if<CommandUnwrapper::Unreadable>(&inside)) {
    return Verdict::deny(kWrapperUnreadable, unreadable->reason + "; run the command directly");
  }
  const auto* command = std::get_if<InnerCommand>(&inside);
  if (command == nullptr) return outer;
  if (wrapped >= CommandUnwrapper::kMaximumDepth) {
    return Verdict::deny(kWrapperTooDeep,
                         "the command is wrapped too many times (sh -c, env, "
                         "sudo ...); run it directly");
  }
  CommandFacts inner = facts;
  inner.path = command->path;
  inner.arguments = command->arguments;
  if (!facts.argv0.empty()) inner.argv0 = command->path;
  Verdict inner_verdict = strictest(inner, wrapped + 1);
  if (strictness(inner_verdict.decision()) > strictness(outer.decision())) return inner_verdict;
  return outer;
}

Verdict CommandDecider::verdict(const CommandFacts& facts) const {
  if (policy_ == nullptr) return Verdict::deny(kDefaultDenyCommands, "there is no policy");
  return strictest(facts, 0);
}

}  // namespace agentsh::policy
