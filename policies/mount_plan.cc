#include "policies/mount_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace agentsh::policy {
namespace {

using Extent = MountPlan::Extent;

FileOperationSet operations(std::initializer_list<FileOperation> list) {
  FileOperationSet set;
  for (FileOperation operation : list) set.set(static_cast<std::size_t>(operation));
  return set;
}

const FileOperationSet kReading = operations({FileOperation::kOpen, FileOperation::kRead});
const FileOperationSet kWriting = operations(
    {FileOperation::kWrite, FileOperation::kCreate, FileOperation::kMkdir, FileOperation::kDelete,
     FileOperation::kRmdir, FileOperation::kRename, FileOperation::kChmod, FileOperation::kChown,
     FileOperation::kLink, FileOperation::kSymlink, FileOperation::kMknod});

// What a glob is, as far as mounts are concerned.
struct Shape {
  enum class Kind { kTree, kFile, kEverything, kOther };
  Kind kind;
  std::string path;    // Of the directory or file; empty for others.
  std::string prefix;  // Literal text at the beginning, for kOther.
};

Shape shape_of(const Glob& glob) {
  const auto& tokens = glob.tokens();
  const std::string prefix(glob.literal_prefix());
  if (glob.is_literal() && prefix.starts_with('/')) return {Shape::Kind::kFile, prefix, prefix};
  if (tokens.empty()) return {Shape::Kind::kOther, "", ""};
  const bool double_star = tokens.back().kind == GlobToken::Kind::kDoubleStar;
  if (double_star && tokens.size() == 1) return {Shape::Kind::kEverything, "", ""};
  if (double_star && tokens.size() == 2 && prefix == "/") {
    return {Shape::Kind::kEverything, "", ""};
  }
  if (double_star && tokens.size() == 2 && prefix.starts_with('/') && prefix.ends_with('/')) {
    return {Shape::Kind::kTree, prefix.substr(0, prefix.size() - 1), prefix};
  }
  return {Shape::Kind::kOther, "", prefix};
}

// "" for the root's children, and for what has no parent.
std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool is_within(std::string_view path, std::string_view tree) {
  return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
}

// Does the glob match everything below `tree`?
bool covers(const Shape& shape, std::string_view tree) {
  if (shape.kind == Shape::Kind::kEverything) return true;
  return shape.kind == Shape::Kind::kTree && is_within(tree, shape.path);
}

bool permits(Decision decision) {
  return decision == Decision::kAllow || decision == Decision::kAudit ||
         decision == Decision::kSoftDelete;
}

// Must reading be closed? An approval cannot be waited for here, nor reading be led elsewhere.
bool closes(Decision decision) {
  return decision == Decision::kDeny || decision == Decision::kApprove ||
         decision == Decision::kRedirect;
}

// File systems that a session has of its own; nothing of the host is in them, and programs do not
// run without.
bool is_session_own(std::string_view path) {
  return is_within(path, "/proc") || is_within(path, "/sys") || is_within(path, "/dev");
}

class Planner {
 public:
  Planner(const CompiledPolicy& policy, std::string workspace)
      : policy_(policy), rules_(policy.policy().file_rules), workspace_(std::move(workspace)) {
    while (workspace_.size() > 1 && workspace_.ends_with('/')) workspace_.pop_back();
    for (const FileRule& rule : rules_) {
      std::vector<Shape>& shapes = shapes_.emplace_back();
      for (const LocatedText& path : rule.paths) {
        if (auto glob = Glob::parse(path.text, '/')) shapes.push_back(shape_of(*glob));
      }
    }
  }

  MountPlan plan() {
    find_trees();
    for (const std::string& tree : trees_) place_tree(tree);
    place_files();
    plan_.rules.resize(rules_.size());
    for (std::size_t i = 0; i < rules_.size(); ++i) plan_.rules[i] = extent_of(i);
    return std::move(plan_);
  }

 private:
  enum class State { kReadOnly, kWritable, kMasked };

  void find_trees() {
    if (!workspace_.empty()) trees_.insert(workspace_);
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      for (const Shape& shape : shapes_[i]) {
        if (shape.kind == Shape::Kind::kTree) trees_.insert(shape.path);
        const bool directory =
            shape.kind == Shape::Kind::kTree || shape.kind == Shape::Kind::kEverything;
        if (directory) rules_of_tree_[shape.path].push_back(i);
      }
    }
  }

  // The first rule that decides `operation` for everything below `tree`.
  std::optional<std::size_t> covering(std::string_view tree, FileOperation operation) const {
    std::optional<std::size_t> first;
    for_each_directory_from(tree, [&](std::string_view directory) {
      auto found = rules_of_tree_.find(directory);
      if (found == rules_of_tree_.end()) return true;
      for (std::size_t rule : found->second) {
        if (!rules_[rule].operations.test(static_cast<std::size_t>(operation))) continue;
        if (!first || rule < *first) first = rule;
        break;
      }
      return true;
    });
    return first;
  }

  // Calls visit(directory) for `path`, its parent and so on, "" (the root) last, while it returns
  // true.
  template <class Visit>
  static void for_each_directory_from(std::string_view path, Visit visit) {
    while (visit(path) && !path.empty()) path = parent_of(path);
  }

  // Is it closed by a rule about this part of the file system, not about everything?
  bool closed_here(std::optional<std::size_t> rule, std::string_view tree) const {
    if (!rule || !closes(rules_[*rule].decision) || is_session_own(tree)) return false;
    return std::ranges::any_of(shapes_[*rule], [&](const Shape& shape) {
      return shape.kind == Shape::Kind::kTree && covers(shape, tree);
    });
  }

  State state_above(std::string_view path) const {
    State state = State::kReadOnly;
    for_each_directory_from(parent_of(path), [&](std::string_view directory) {
      auto known = states_.find(directory);
      if (known == states_.end()) return true;
      state = known->second;
      return false;
    });
    return state;
  }

  void place_tree(const std::string& tree) {
    const auto reading = covering(tree, FileOperation::kRead);
    const auto writing = covering(tree, FileOperation::kWrite);
    const auto creating = covering(tree, FileOperation::kCreate);
    State state = State::kReadOnly;
    if (closed_here(reading, tree)) {
      state = State::kMasked;
    } else if (writing && creating && permits(rules_[*writing].decision) &&
               permits(rules_[*creating].decision)) {
      state = State::kWritable;
    }
    states_[tree] = state;
    if (tree == workspace_) plan_.workspace_writable = state == State::kWritable;
    if (state == state_above(tree)) return;
    if (state == State::kMasked) plan_.masked.push_back({tree, true, rules_[*reading].name});
    if (state == State::kWritable) plan_.writable.push_back(tree);
    if (state == State::kReadOnly && state_above(tree) == State::kWritable) {
      plan_.read_only.push_back(tree);
    }
  }

  void place_files() {
    std::set<std::string> done;
    for (const auto& shapes : shapes_) {
      for (const Shape& shape : shapes) {
        if (shape.kind == Shape::Kind::kFile && done.insert(shape.path).second) {
          place_file(shape.path);
        }
      }
    }
  }

  void place_file(const std::string& path) {
    if (trees_.contains(path)) return;  // "DIR" beside "DIR/**".
    const State above = state_above(path);
    const auto reading = policy_.files().match(path, FileOperation::kRead);
    if (reading && closes(rules_[*reading].decision)) {
      if (is_session_own(path)) return;
      const bool everything = std::ranges::any_of(shapes_[*reading], [](const Shape& shape) {
        return shape.kind == Shape::Kind::kEverything;
      });
      if (above != State::kMasked && !everything) {
        plan_.masked.push_back({path, false, rules_[*reading].name});
      }
      return;
    }
    const auto writing = policy_.files().match(path, FileOperation::kWrite);
    const bool writable = writing && permits(rules_[*writing].decision);
    if (!writable && above == State::kWritable) plan_.read_only.push_back(path);
    if (writable && above == State::kReadOnly) single_writable_files_.insert(path);
  }

  MountPlan::RuleExtent extent_of(std::size_t index) const {
    switch (rules_[index].decision) {
      case Decision::kAllow:
        return extent_of_allow(index);
      case Decision::kAudit: {
        auto extent = extent_of_allow(index);
        return {Extent::kPart, extent.note.empty() ? "file operations are not recorded"
                                                   : extent.note + "; nor are they recorded"};
      }
      case Decision::kDeny:
        return extent_of_denial(index);
      case Decision::kSoftDelete:
        return {Extent::kPart, "what is deleted does not go to the trash"};
      case Decision::kApprove: {
        const bool closed = (rules_[index].operations & kReading).any() &&
                            extent_of_denial(index).extent == Extent::kWhole;
        if (closed) return {Extent::kPart, "nothing can be held for an approval, so it is closed"};
        return {Extent::kNothing,
                "nothing is held for an approval: it is allowed where the tree is writable, and "
                "refused elsewhere"};
      }
      default:
        return {Extent::kNothing, "operations are not redirected"};
    }
  }

  MountPlan::RuleExtent extent_of_allow(std::size_t index) const {
    if ((rules_[index].operations & kWriting).none()) return {};
    std::vector<std::string> refused;
    for (const Shape& shape : shapes_[index]) {
      const bool single = shape.kind == Shape::Kind::kFile && !trees_.contains(shape.path) &&
                          single_writable_files_.contains(shape.path);
      const bool tree = shape.kind == Shape::Kind::kTree && is_writable(shape.path);
      const bool inside = !shape.prefix.empty() && shape.kind != Shape::Kind::kTree &&
                          state_above(shape.prefix) == State::kWritable;
      if (tree || inside) continue;
      if (shape.kind == Shape::Kind::kFile && trees_.contains(shape.path)) continue;
      refused.push_back(single ? shape.path : fmt::format("{}", glob_text(index, shape)));
    }
    if (refused.empty()) return {};
    const Extent extent =
        refused.size() == shapes_[index].size() ? Extent::kNothing : Extent::kPart;
    return {extent, fmt::format("writing is not opened for \"{}\": only whole trees, DIR/**, are",
                                refused.front())};
  }

  bool is_writable(const std::string& tree) const {
    auto state = states_.find(tree);
    return state != states_.end() && state->second == State::kWritable;
  }

  std::string glob_text(std::size_t index, const Shape& shape) const {
    const auto at = static_cast<std::size_t>(&shape - shapes_[index].data());
    return rules_[index].paths[at].text;
  }

  MountPlan::RuleExtent extent_of_denial(std::size_t index) const {
    const FileRule& rule = rules_[index];
    const bool reading = (rule.operations & kReading).any();
    std::size_t whole = 0;
    std::string missing;
    for (const Shape& shape : shapes_[index]) {
      if (is_denied_whole(index, shape, reading)) {
        ++whole;
      } else if (missing.empty()) {
        missing = glob_text(index, shape);
      }
    }
    if (missing.empty()) return {};
    if (is_session_own(missing)) {
      return {Extent::kPart,
              fmt::format("\"{}\" is left: the session has that of its own", missing)};
    }
    if (shapes_[index].size() == 1 && shapes_[index][0].kind == Shape::Kind::kEverything) {
      return {Extent::kPart, "writing is refused outside writable trees; reading is not"};
    }
    return {whole == 0 ? Extent::kNothing : Extent::kPart,
            fmt::format("\"{}\" is not closed: only whole trees (DIR/**) and single files are",
                        missing)};
  }

  bool is_denied_whole(std::size_t index, const Shape& shape, bool reading) const {
    const std::string& name = rules_[index].name;
    if (reading) {
      return std::ranges::any_of(plan_.masked, [&](const MountPlan::Masked& masked) {
        return masked.rule == name && is_within(shape.path, masked.path) && !shape.path.empty();
      });
    }
    if (shape.kind == Shape::Kind::kOther || shape.kind == Shape::Kind::kEverything) return false;
    auto state = states_.find(shape.path);
    if (state != states_.end()) return state->second != State::kWritable;
    return state_above(shape.path) != State::kWritable ||
           std::ranges::find(plan_.read_only, shape.path) != plan_.read_only.end();
  }

  const CompiledPolicy& policy_;
  const std::vector<FileRule>& rules_;
  std::string workspace_;
  std::vector<std::vector<Shape>> shapes_;  // By rule and path.
  std::set<std::string> trees_;             // Sorted: outer before inner.
  std::map<std::string, std::vector<std::size_t>, std::less<>> rules_of_tree_;  // "": everything.
  std::map<std::string, State, std::less<>> states_;
  std::set<std::string> single_writable_files_;
  MountPlan plan_;
};

}  // namespace

MountPlan plan_mounts(const CompiledPolicy& policy, const std::string& workspace) {
  return Planner(policy, workspace).plan();
}

}  // namespace agentsh::policy
