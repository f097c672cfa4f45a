// Checking a log against its key and its head notes, without changing anything: finds lines that
// were changed, removed, added or moved, segments that are missing, and an end that was cut off.
//
// It can run while the log is being written. Memory does not grow with the log.
#pragma once

#include "audit/chain_key.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace agentsh::audit {

struct VerifyOptions {
  bool tolerate_truncation = false;  // An end that is missing, or a half-written last line, is
                                     // noted but no fault.
  bool tolerate_unsigned = false;    // The same for lines, or a side-car, without integrity data.
  std::uint64_t from_sequence = 0;   // Entries before this one are not looked at.
  std::size_t max_findings = 100;    // More are counted only.
};

// kind: changed, missing, order, link, unsigned, malformed, half_line, cut_off, missing_segment,
// side_car, wrong_key, reset.
struct Finding {
  std::string file;
  std::uint64_t line = 0;  // From 1; 0 when it concerns the file as a whole.
  std::string kind;
  std::string what;
};

struct VerifyReport {
  std::vector<Finding> findings;
  std::vector<Finding> notices;  // Tolerated, or worth knowing.
  std::uint64_t uncounted = 0;   // Findings beyond max_findings.
  std::uint64_t segments = 0;
  std::uint64_t entries = 0;  // Whose hash was checked.
  std::uint64_t unsigned_lines = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  bool ok() const { return findings.empty(); }
};

// `path` is the log's directory, or one file: of one file only the links inside it can be checked,
// and its end when it is the newest segment beside its side-car. Fails when there is no log.
Result<VerifyReport> verify_log(const std::string& path, const ChainKey& key,
                                const VerifyOptions& options = {});

}  // namespace agentsh::audit
