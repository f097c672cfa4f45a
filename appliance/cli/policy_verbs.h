// `agentsh policy list | show | validate | lint | explain | test | keygen | sign | verify | db`:
// offline, on files. A policy is named as a session names it, or given as a path (with a "/" or
// ending in .yaml or .yml).
//
// Exit codes: 0 all is well, 1 a problem was found, 2 the arguments are wrong. Results go to
// standard output, complaints to standard error; --json prints one document for programs (validate
// and lint: an array of {file,line,column,severity,key,message,suggestion?,check?} for editors).
#pragma once

#include "policies/enforcement.h"

#include <span>
#include <string>
#include <vector>

namespace agentsh::cli {

// What holds when the arguments do not say (--dir, --trust-store).
struct PolicyVerbDefaults {
  std::vector<std::string> directories;  // Empty: the user's, /etc/agentsh/policies.
  std::string trust_store;
  // What explain assumes of the host. The default is a host on which everything works.
  policy::HostCapabilities host = {.bpf = true,
                                   .nftables = true,
                                   .mounts = true,
                                   .landlock = true,
                                   .fuse = true,
                                   .seccomp_notify = true,
                                   .cgroup_memory = true,
                                   .cgroup_pids = true,
                                   .cgroup_cpu = true};
  bool host_was_probed = false;  // Else explain says that it assumes.
};

// `args` are what follows `agentsh policy`.
int run_policy_verb(std::span<const std::string> args, const PolicyVerbDefaults& defaults = {});

}  // namespace agentsh::cli
