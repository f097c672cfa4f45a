// The loaded programs and maps of redirect.bpf.c: one per daemon, shared by everything that touches
// the kernel's side. Internal to this folder; redirector.h is what others use.
//
// Threads: any, after load(); the maps are the kernel's.
#pragma once

#include "base/lock_guarded.h"
#include "base/result.h"
#include "proxy/bpf/flow_abi.h"

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <vector>

struct redirect_bpf;

namespace agentsh::bpf {

struct Hook {
  int program = -1;
  bpf_attach_type type{};
  std::string_view name;
};

class KernelPrograms {
 public:
  // Opens, verifies and loads the object. The error says which program or map the kernel refused
  // and the verifier's last words.
  static Result<std::shared_ptr<KernelPrograms>> load();
  ~KernelPrograms();
  KernelPrograms(const KernelPrograms&) = delete;
  KernelPrograms& operator=(const KernelPrograms&) = delete;

  const std::vector<Hook>& hooks() const { return hooks_; }
  // False where the kernel cannot say process ids of our PID namespace; they are 0 then.
  bool pids_known() const { return pids_known_; }

  int sessions() const;
  int flows() const;
  int queries() const;
  int denial_tables() const;
  int refusal_ring() const;
  int refusal_table(std::uint32_t epoch) const;
  int counters() const;

  // Makes the programs count in the other table, waits until none writes to the old one, and
  // returns the old one's epoch.
  std::uint32_t flip_refusal_epoch();

  // Network namespaces with a live session.
  LockGuarded<std::unordered_set<std::uint64_t>>& live_sessions() { return live_; }

  // A free index of `denial_tables`, or kNoDenialTable.
  std::uint32_t reserve_table();
  void free_table(std::uint32_t index);

 private:
  explicit KernelPrograms(redirect_bpf* object) : object_(object) {}
  static Result<std::shared_ptr<KernelPrograms>> load_with(bool try_pids);
  void list_hooks();

  redirect_bpf* object_;
  std::vector<Hook> hooks_;
  bool pids_known_ = true;
  LockGuarded<std::unordered_set<std::uint64_t>> live_;
  LockGuarded<std::vector<bool>> tables_{std::vector<bool>(abi::kMaxDenialTables)};
};

}  // namespace agentsh::bpf
