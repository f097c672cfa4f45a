// What the tests of audit/ share: a directory of their own, a recorder in it, and a look at the
// lines that it wrote.
#pragma once

#include "audit/recorder.h"
#include "audit/verify.h"
#include "base/json_reader.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::audit {

// A directory that is removed with everything in it.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// Options for a log in `directory`, small enough for a test, with the key beside it.
RecorderOptions small_options(const std::string& directory);
// Opens a recorder and fails the test when that does not work.
std::unique_ptr<Recorder> open_recorder(RecorderOptions options);

Event numbered_event(std::string type, std::int64_t number);

// All complete lines of all segments, in order.
std::vector<std::string> log_lines(const std::string& directory);
// The events of one type among them, parsed.
std::vector<JsonDocument> events_of_type(const std::string& directory, std::string_view type);
// The values of fields.n of the events of one type, in log order.
std::vector<std::int64_t> numbers_in_log(const std::string& directory, std::string_view type);

VerifyReport verify_with_key(const std::string& path, const std::string& key_file,
                             VerifyOptions options = {});
// "kind kind ..." of the findings, for comparisons.
std::string kinds(const VerifyReport& report);

std::string read_text(const std::string& path);
void write_text(const std::string& path, std::string_view text);

// The number that the environment variable `name` states, else `otherwise`.
int count_from_environment(const char* name, int otherwise);

}  // namespace agentsh::audit
