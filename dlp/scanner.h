// Finds what detectors describe in text: one Vectorscan automaton for all patterns of all
// detectors, then, at its hits only, RE2 for the exact match, validators, context words.
//
//   auto scanner = Scanner::build(*builtin_catalogue());
//   auto profile = Profile::make(*scanner, {.mode = Mode::kAudit});
//   for (const Hit& hit : (*scanner)->scan(text, **profile)) ...
//
// The rule for hits that overlap, which makes the result a function of the text alone: those whose
// mode changes the text (redact, tokenize, block) go before those that only count. Values that
// share a byte are one hit over all of their bytes, named after the one with the highest
// confidence, then the longest, then the earliest, then the first in the catalogue; if any of them
// blocks, it blocks.
//
// A scanner is immutable and shared by all threads; what a scan needs beside it (scratch space, the
// lazily built automaton of open matches) is leased from a pool inside. Building takes a second or
// so with the whole catalogue: do it once, at start.
#pragma once

#include "base/result.h"
#include "dlp/detector.h"
#include "dlp/held_secret.h"
#include "dlp/hit.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class Profile;
class ScanEngine;

class Scanner {
 public:
  // Errors name the detector and what is wrong with its pattern; duplicate ids. With a directory,
  // automata are kept there for the next time (database_cache.h).
  static Result<std::shared_ptr<const Scanner>> build(std::vector<Detector> detectors,
                                                      std::string cache_directory = {});

  // The same detectors and one for each secret that we hold, found in any common encoding. The
  // automaton of the others is shared, so this takes milliseconds: do it when a session gets its
  // credentials. Errors: a secret that is too short or too long.
  Result<std::shared_ptr<const Scanner>> with_secrets(std::span<const HeldSecret> secrets) const;

  std::span<const Detector> detectors() const;
  // An index into detectors().
  std::optional<std::uint32_t> find(std::string_view id) const;

  // Hits in a whole text, in order, those of disabled detectors and below the profile's confidence
  // left out. Precondition: the profile was made for this scanner.
  std::vector<Hit> scan(std::string_view text, const Profile& profile) const;

  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  const ScanEngine& engine() const { return *engine_; }  // For ScanStream.

 private:
  explicit Scanner(std::unique_ptr<ScanEngine> engine);
  std::unique_ptr<ScanEngine> engine_;
};

}  // namespace agentsh::dlp
