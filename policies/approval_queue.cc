#include "policies/approval_queue.h"

#include "base/random.h"

#include <algorithm>
#include <tuple>

namespace agentsh::policy {
namespace {

std::string_view denial_reason(ApprovalOutcome outcome) {
  switch (outcome) {
    case ApprovalOutcome::kApproved:
      return "approved";
    case ApprovalOutcome::kDenied:
      return "the approver said no";
    case ApprovalOutcome::kTimedOut:
      return "nobody answered in time";
    case ApprovalOutcome::kNoApprover:
      return "it needs an approval, and there is nobody to give one: approvals are not enabled";
    case ApprovalOutcome::kAbandoned:
      return "it is no longer wanted";
  }
  return "denied";
}

}  // namespace

std::string_view to_string(ApprovalOutcome outcome) {
  switch (outcome) {
    case ApprovalOutcome::kApproved:
      return "approved";
    case ApprovalOutcome::kDenied:
      return "denied";
    case ApprovalOutcome::kTimedOut:
      return "timed_out";
    case ApprovalOutcome::kNoApprover:
      return "no_approver";
    case ApprovalOutcome::kAbandoned:
      return "abandoned";
  }
  return "denied";
}

std::string new_approval_id() {
  return "approval-" + random_uuid();
}

ApprovalQueue::~ApprovalQueue() {
  std::vector<Entry> open;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) open.push_back(std::move(entry));
    entries_.clear();
  }
  for (Entry& entry : open) finish(std::move(entry), ApprovalOutcome::kAbandoned, {}, {});
}

std::string ApprovalQueue::submit(ApprovalRequest request, std::chrono::nanoseconds timeout,
                                  Callback done) {
  const auto now = std::chrono::steady_clock::now();
  const WallTime wall = std::chrono::system_clock::now();
  // A longer wait than a year is a mistake, and would overflow the clocks.
  timeout = std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(24 * 365));
  if (request.id.empty()) request.id = new_approval_id();
  Entry entry{.pending = {.id = request.id,
                          .created_at = wall,
                          .expires_at = wall + timeout,
                          .request = std::move(request)},
              .deadline = now + timeout,
              .done = std::move(done)};
  std::string id = entry.pending.id;
  ApprovalOutcome refused = ApprovalOutcome::kNoApprover;
  std::string_view reason;
  if (options_.enabled) {
    std::lock_guard lock(mutex_);
    if (entries_.size() < options_.max_pending) {
      entries_.emplace(id, std::move(entry));
      return id;
    }
    refused = ApprovalOutcome::kDenied;
    reason = "too many approvals are waiting already";
  }
  finish(std::move(entry), refused, reason, {});
  return id;
}

Result<> ApprovalQueue::resolve(std::string_view id, bool approve, std::string_view reason,
                                std::string_view resolved_by) {
  auto taken = take(id);
  if (!taken) {
    return fail("approval " + std::string(id) + " is not pending (any more)",
                std::errc::no_such_file_or_directory);
  }
  finish(std::move(*taken), approve ? ApprovalOutcome::kApproved : ApprovalOutcome::kDenied, reason,
         resolved_by);
  return {};
}

void ApprovalQueue::abandon(std::string_view id) {
  if (auto taken = take(id)) finish(std::move(*taken), ApprovalOutcome::kAbandoned, {}, {});
}

void ApprovalQueue::abandon_session(std::string_view session_id) {
  auto taken =
      take_if([&](const Entry& entry) { return entry.pending.request.session_id == session_id; });
  for (Entry& entry : taken) finish(std::move(entry), ApprovalOutcome::kAbandoned, {}, {});
}

std::chrono::steady_clock::time_point ApprovalQueue::expire(
    std::chrono::steady_clock::time_point now) {
  auto taken = take_if([&](const Entry& entry) { return entry.deadline <= now; });
  for (Entry& entry : taken) finish(std::move(entry), ApprovalOutcome::kTimedOut, {}, {});
  auto next = std::chrono::steady_clock::time_point::max();
  std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) next = std::min(next, entry.deadline);
  return next;
}

std::vector<PendingApproval> ApprovalQueue::pending() const {
  std::vector<PendingApproval> result;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) result.push_back(entry.pending);
  }
  std::ranges::sort(result, [](const PendingApproval& a, const PendingApproval& b) {
    return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
  });
  return result;
}

std::optional<ApprovalQueue::Entry> ApprovalQueue::take(std::string_view id) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(std::string(id));
  if (found == entries_.end()) return {};
  std::optional<Entry> entry(std::move(found->second));
  entries_.erase(found);
  return entry;
}

template <class Condition>
std::vector<ApprovalQueue::Entry> ApprovalQueue::take_if(Condition condition) {
  std::vector<Entry> taken;
  std::lock_guard lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (!condition(it->second)) {
      ++it;
      continue;
    }
    taken.push_back(std::move(it->second));
    it = entries_.erase(it);
  }
  return taken;
}

void ApprovalQueue::finish(Entry entry, ApprovalOutcome outcome, std::string_view reason,
                           std::string_view by) {
  entry.done({.outcome = outcome,
              .id = entry.pending.id,
              .reason = std::string(reason.empty() ? denial_reason(outcome) : reason),
              .resolved_by = std::string(by)});
}

}  // namespace agentsh::policy
