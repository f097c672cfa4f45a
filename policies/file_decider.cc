#include "policies/file_decider.h"

#include "policies/message.h"

#include <fmt/format.h>

namespace agentsh::policy {

FileDecider::FileDecider(const std::vector<FileRule>& rules, Diagnostics& problems)
    : rules_(&rules) {
  const auto bound = static_cast<std::uint32_t>(rules.size());
  std::vector<GlobIndex::Entry> paths;
  std::array<std::vector<std::uint32_t>, kFileOperations> operations;
  for (std::uint32_t id = 0; id < bound; ++id) {
    for (const LocatedText& text : rules[id].paths) {
      auto glob = Glob::parse(text.text, '/');
      if (glob) {
        paths.push_back({std::move(*glob), id});
      } else {
        problems.error(text.where, fmt::format("file_rules[{}].paths", id),
                       fmt::format("\"{}\" is no glob: {}", text.text, glob.error().what));
      }
    }
    for (std::size_t i = 0; i < kFileOperations; ++i) {
      if (rules[id].operations.test(i)) operations[i].push_back(id);
    }
  }
  paths_ = GlobIndex(std::move(paths), bound);
  for (std::size_t i = 0; i < kFileOperations; ++i) {
    operations_[i] = IdSet(std::move(operations[i]), bound);
  }
}

std::optional<std::size_t> FileDecider::match(std::string_view path,
                                              FileOperation operation) const {
  if (rules_ == nullptr || rules_->empty()) return {};
  auto paths = paths_.match(path);
  Selector by_path;
  paths.add_to(by_path);
  const std::array<Selector, 1> checks = {
      Selector(&operations_[static_cast<std::size_t>(operation)])};
  auto id = first_candidate(by_path, checks);
  if (!id) return {};
  return *id;
}

Verdict FileDecider::verdict(const FileFacts& facts) const {
  auto operation = parse_file_operation(facts.operation);
  if (!operation) {
    return Verdict::deny(kDefaultDenyFiles,
                         fmt::format("\"{}\" is no operation on files", facts.operation));
  }
  auto index = match(facts.path, *operation);
  if (!index) {
    if (is_read_operation(*operation)) return Verdict::allow(kDefaultAllowReads);
    return Verdict::deny(kDefaultDenyFiles,
                         fmt::format("no rule allows {} of {}; a rule of file_rules must allow it",
                                     facts.operation, facts.path));
  }
  const FileRule& rule = (*rules_)[*index];
  std::string message = rule.message;
  if (message.empty() && rule.decision == Decision::kDeny) {
    message = fmt::format("rule \"{}\" denies {} of {}", rule.name, facts.operation, facts.path);
  } else if (message.find("{{") != std::string::npos) {
    message = render_message(message, std::array<MessageValue, 2>{
                                          {{"Path", facts.path}, {"Operation", facts.operation}}});
  }
  Decision decision = rule.decision;
  const bool deletes = *operation == FileOperation::kDelete || *operation == FileOperation::kRmdir;
  // Moving to the trash is a way to delete; for what deletes nothing it is a plain allow.
  if (decision == Decision::kSoftDelete && !deletes) decision = Decision::kAllow;
  Verdict verdict =
      Verdict::from_rule(decision, rule.name, message).with_approval_timeout(rule.timeout);
  if (decision != Decision::kRedirect) return verdict;
  auto redirect = std::make_shared<Redirect>();
  redirect->target = redirected_path(rule, facts.path);
  redirect->preserve_tree = rule.preserve_tree;
  return std::move(verdict).with_redirect(std::move(redirect));
}

std::string redirected_path(const FileRule& rule, std::string_view path) {
  std::string target = rule.redirect_to;
  while (target.size() > 1 && target.ends_with('/')) target.pop_back();
  if (!rule.preserve_tree) path = path.substr(path.rfind('/') + 1);
  if (!path.starts_with('/')) target += '/';
  return target + std::string(path);
}

}  // namespace agentsh::policy
