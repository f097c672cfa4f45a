// What an operator does to a chain from outside: look where it stands, and begin a new one after
// something happened to the old one that cannot be undone (the key was changed, lines were lost).
//
// Threads: any; a reset takes the directory's lock, so no recorder can be running.
#pragma once

#include "audit/chain.h"
#include "audit/side_car.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agentsh::audit {

struct ChainStatus {
  std::string directory;
  bool recorder_running = false;
  std::uint64_t segments = 0;
  std::string first_segment;
  std::string last_segment;
  std::uint64_t log_bytes = 0;
  std::optional<SideCar> side_car;
  std::string side_car_problem;     // Why there is none to read.
  std::uint64_t last_sequence = 0;  // The newest of what side-car and live page tell.
  std::string key_fingerprint;      // Of the key given; empty without one.
  std::uint64_t waiting_rings = 0;  // Rings with events that are not yet in the log.
};

// `key` may be null: then the live page cannot be read. Fails when there is no such directory.
Result<ChainStatus> chain_status(const std::string& directory, const ChainKey* key);

// The reasons that `chain reset` knows.
std::span<const std::string_view> reset_reason_codes();

struct ResetOptions {
  std::string directory;
  std::string key_file;         // Made when it does not exist.
  std::string reason;           // For people; required.
  std::string reason_code;      // One of reset_reason_codes().
  bool legacy_archive = false;  // Move the old segments into archive-<time>/.
  bool force = false;           // Also when the chain is intact.
};
struct ResetResult {
  std::string segment;            // The new one.
  std::uint64_t sequence = 0;     // Of its first entry, integrity_chain_reset.
  std::string archive;            // Where the old segments went; empty when they stay.
  std::string previous_problems;  // What verification said about the old chain, in short.
};

// Begins a new chain in a new segment; sequences go on, so that no two entries ever share one. Old
// segments stay as they are, faults and all. Fails with device_or_resource_busy while a recorder
// runs, operation_not_permitted when the chain is intact and `force` is not set.
Result<ResetResult> reset_chain(const ResetOptions& options);

}  // namespace agentsh::audit
