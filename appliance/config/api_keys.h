// The keys that clients of the control API on TCP authenticate with, from auth.api_key.keys_file:
//
//   - id: ci
//     key: 6f1c0b...                 # At least 24 characters: openssl rand -hex 32
//     description: build servers
//     role: approver                 # agent (also when it is left out), approver or admin
//
// Only digests of the keys are kept. Immutable after loading, so find() may be called from any
// thread. Errors: every problem with file, line and column; keys are never repeated in messages.
#pragma once

#include "base/result.h"
#include "policies/diagnostic.h"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::config {

// From the least to the most: an approver may do what an agent may and answer approvals, an admin
// everything.
enum class Role { kAgent, kApprover, kAdmin };
std::string_view to_string(Role role);

struct ApiKey {
  std::string id;
  std::string description;
  Role role = Role::kAgent;
};

class ApiKeys {
 public:
  static constexpr std::size_t kShortestKey = 24;

  // Reads a file that `reader` may trust and nobody else can read (trusted_file.h).
  static Result<ApiKeys> load(const std::string& path, uid_t reader);

  // Nothing when `problems` got an error.
  static std::optional<ApiKeys> parse(std::string_view text, policy::Diagnostics& problems);

  // The entry that `key` belongs to; null when there is none. The time it takes depends neither on
  // how much of a key is right nor on which one it is.
  const ApiKey* find(std::string_view key) const;

  std::size_t size() const { return entries_.size(); }

 private:
  using Digest = std::array<std::uint8_t, 32>;
  struct Entry {
    ApiKey key;
    Digest digest;
  };
  static Digest digest_of(std::string_view key);

  std::vector<Entry> entries_;
};

}  // namespace agentsh::config
