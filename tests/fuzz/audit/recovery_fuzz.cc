// A whole log that a crash, or somebody, left behind: recovered, then verified. Lines of the input
// that begin with '+' are chained properly; all else is written as it is.
#include "audit/log_recovery.h"
#include "audit/segments.h"
#include "audit/side_car.h"
#include "audit/verify.h"
#include "base/bytes.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace {

using namespace agentsh;
using namespace agentsh::audit;

void require(bool condition) {
  if (!condition) std::abort();
}

const ChainKey& key() {
  static const ChainKey kKey = ChainKey::from_bytes(std::string(32, 'k')).value();
  return kKey;
}

// Removed when the process ends by itself.
class Directory {
 public:
  Directory() : path_("/dev/shm/audit-recovery-fuzz-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string build_log(std::string_view input) {
  TextBuffer out;
  ChainHead head;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    if (line.size() > 3 && line.starts_with("+{")) {
      append_line(key(), head, line.substr(1), out);
    } else {
      out.raw(line);
      if (end < input.size()) out.raw('\n');
    }
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return std::string(out.view());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Directory kDirectory;
  const std::string& directory = kDirectory.path();
  static const bool kNoted = write_side_car(directory, key(), ChainHead{}).has_value();
  require(kNoted);
  std::ofstream(segment_path(directory, 1), std::ios::binary | std::ios::trunc)
      << build_log(as_text({data, size}));

  static_cast<void>(verify_log(directory, key()));
  const auto first = recover_log(directory, key(), {.wanted = true});
  if (!first) return 0;
  // What was mended stays mended, and is then as good as verification can tell.
  const auto second = recover_log(directory, key(), {.wanted = true});
  require(second && second->repairs.empty() && second->head == first->head);
  const auto report = verify_log(directory, key());
  require(report && report->ok() && report->last_sequence == first->head.sequence);
  return 0;
}
