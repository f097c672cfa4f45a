// The two notes beside the log that tell where its chain ends, without which cutting off the last
// lines would leave a log that looks whole.
//
// audit-head.json, the side-car: {format_version, sequence, prev_hash, key_fingerprint, updated_at,
// mac}. prev_hash is the hash of the last entry, which the next one will name. `mac` authenticates
// the rest, so that nobody without the key can wind the side-car back to an earlier line. Replaced
// atomically after the lines it speaks of are on disk.
//
// audit-head.live, a page of shared memory: the head after each batch, at no cost. It is ahead of
// the side-car by at most one interval and counts only within the boot that wrote it, because after
// a power cut the page may have reached the disk before the lines.
//
// Threads: the writer writes; anyone may read, from another process too.
#pragma once

#include "audit/chain.h"
#include "audit/shared_mapping.h"
#include "base/result.h"
#include "base/time_format.h"

#include <optional>
#include <string>
#include <string_view>

namespace agentsh::audit {

struct SideCar {
  ChainHead head;
  std::string key_fingerprint;
  WallTime updated_at{};
  std::string mac;  // Empty when the file has none.
};

std::string side_car_path(const std::string& directory);

// Fails with bad_message when the text is not a side-car of our version.
Result<SideCar> parse_side_car(std::string_view text);
// Fails with no_such_file_or_directory when there is none, bad_message when it is damaged.
Result<SideCar> read_side_car(const std::string& directory);
// Whether its mac was made with `key`.
bool is_authentic(const ChainKey& key, const SideCar& side_car);
Result<> write_side_car(const std::string& directory, const ChainKey& key, const ChainHead& head);

class LiveHead {
 public:
  // Opens the directory's page for writing; a missing or unusable one is made anew.
  static Result<LiveHead> open_for_writing(const std::string& directory);
  // The newest head that was written in this boot and is authentic; nothing otherwise.
  static std::optional<ChainHead> read(const std::string& directory, const ChainKey& key);
  // Forgets what was written.
  static void remove(const std::string& directory);

  void write(const ChainKey& key, const ChainHead& head);

 private:
  explicit LiveHead(SharedMapping mapping) : mapping_(std::move(mapping)) {}
  SharedMapping mapping_;
  unsigned next_slot_ = 0;
};

}  // namespace agentsh::audit
