// The one queue of operations that wait for a person: a connection, a request, a command.
//
// A waiter submits a request and is called back exactly once: approved, denied, timed out or
// abandoned. Nobody to answer is a denial: with no approver channel (approvals.enabled: false)
// submit() denies at once. The requester cannot answer its own request: resolve() is reached only
// through the control API, which nothing inside a session can reach, and that is what tells an
// approver from the requester (in a rootless session both have one uid).
//
// Threads: any. Callbacks run on the thread that resolves, expires or abandons (or submits, when it
// is denied at once), outside the queue's lock.
#pragma once

#include "base/result.h"
#include "base/time_format.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::policy {

struct ApprovalRequest {
  std::string id;  // "approval-<uuid>"; made by submit() when empty.
  std::string session_id;
  std::string command_id;
  std::string kind;  // command file network dns http_service db
  std::string target;
  std::string rule;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct PendingApproval {
  std::string id;
  WallTime created_at;
  WallTime expires_at;
  ApprovalRequest request;
};

enum class ApprovalOutcome { kApproved, kDenied, kTimedOut, kNoApprover, kAbandoned };
std::string_view to_string(ApprovalOutcome outcome);
std::string new_approval_id();

struct ApprovalAnswer {
  ApprovalOutcome outcome;
  std::string id;
  std::string reason;
  std::string resolved_by;
};

class ApprovalQueue {
 public:
  using Callback = std::function<void(ApprovalAnswer)>;
  struct Options {
    bool enabled = false;
    std::chrono::nanoseconds timeout = std::chrono::minutes(5);
    std::size_t max_pending =
        256;  // Beyond it, requests are denied: a flood of prompts is an attack.
  };

  explicit ApprovalQueue(Options options) : options_(options) {}
  ~ApprovalQueue();  // Abandons what is still open, which denies it.

  // Enqueues and returns the id; `done` may run before it returns (then nothing is pending).
  std::string submit(ApprovalRequest request, std::chrono::nanoseconds timeout, Callback done);

  // Answers one. Fails with no_such_file_or_directory when it is not pending (any more).
  Result<> resolve(std::string_view id, bool approve, std::string_view reason,
                   std::string_view resolved_by);

  // Takes a request back because its waiter is gone; its callback runs with kAbandoned.
  void abandon(std::string_view id);
  void abandon_session(std::string_view session_id);

  // Denies what has waited too long. Returns the time of the next expiry, time_point::max() when
  // nothing is pending. Driven by the owner's timer, which asks again after each submit().
  std::chrono::steady_clock::time_point expire(std::chrono::steady_clock::time_point now);

  std::vector<PendingApproval> pending() const;
  std::chrono::nanoseconds default_timeout() const { return options_.timeout; }
  bool enabled() const { return options_.enabled; }

 private:
  struct Entry {
    PendingApproval pending;
    std::chrono::steady_clock::time_point deadline;
    Callback done;
  };
  std::optional<Entry> take(std::string_view id);
  template <class Condition>
  std::vector<Entry> take_if(Condition condition);
  static void finish(Entry entry, ApprovalOutcome outcome, std::string_view reason,
                     std::string_view by);

  const Options options_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace agentsh::policy
