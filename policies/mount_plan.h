// What of file_rules a session's mounts can enforce: whole trees made writable, read-only or
// hidden, and single files hidden. It is the coarse tier; rules about patterns of names, single
// operations, approvals, redirects or the trash need the file layer, and are named as such.
//
// A tree is what `DIR/**` says. Outside the writable trees everything is read-only (which is what
// "no rule" means for all but reading), so the launcher mounts the system read-only, `writable`
// trees writable, `read_only` trees and files read-only again, and something empty over `masked`
// ones, each list after the one before. A tree whose reading needs an approval is hidden: nobody
// can be asked at that point. /proc, /sys and /dev are the session's own and are left alone.
//
// Threads: pure functions.
#pragma once

#include "policies/compiled_policy.h"

#include <string>
#include <vector>

namespace agentsh::policy {

struct MountPlan {
  struct Masked {
    std::string path;
    bool tree;  // What lies below the directory; else the file itself.
    std::string rule;
  };
  // How far a rule is enforced by the mounts; by index in file_rules.
  enum class Extent { kWhole, kPart, kNothing };
  struct RuleExtent {
    Extent extent = Extent::kWhole;
    std::string note;  // What is not enforced; empty for kWhole.
  };

  std::vector<std::string> writable;   // Absolute paths of directories, outer before inner.
  std::vector<std::string> read_only;  // Trees and files inside writable ones.
  std::vector<Masked> masked;
  std::vector<RuleExtent> rules;
  // May files be written in the workspace?
  bool workspace_writable = false;
};

// `workspace`: the session's workspace, an absolute path. It is in `writable` when rules say so.
MountPlan plan_mounts(const CompiledPolicy& policy, const std::string& workspace);

}  // namespace agentsh::policy
