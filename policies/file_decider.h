// file_rules, compiled: which rule an operation on a path falls under. The first rule that has the
// operation and a glob for the path decides; without one, reading is allowed and everything else is
// denied.
//
// Threads: immutable once built; any thread.
#pragma once

#include "policies/facts.h"
#include "policies/glob_index.h"
#include "policies/model.h"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace agentsh::policy {

class FileDecider {
 public:
  FileDecider() = default;
  // The rules must outlive the decider. Globs that do not parse are reported and match nothing.
  FileDecider(const std::vector<FileRule>& rules, Diagnostics& problems);

  // The index of the rule that decides; nothing: the default.
  std::optional<std::size_t> match(std::string_view path, FileOperation operation) const;
  // An operation that is none of the known ones is denied.
  Verdict verdict(const FileFacts& facts) const;

 private:
  const std::vector<FileRule>* rules_ = nullptr;
  GlobIndex paths_;
  std::array<IdSet, kFileOperations> operations_;
};

// Where a redirected operation on `path` lands: below `rule.redirect_to`, with the whole path if
// the rule preserves the tree, else with its last part.
std::string redirected_path(const FileRule& rule, std::string_view path);

}  // namespace agentsh::policy
