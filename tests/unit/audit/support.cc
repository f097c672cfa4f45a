#include "tests/unit/audit/support.h"

#include "audit/line_fields.h"
#include "audit/segments.h"
#include "base/file_io.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agentsh::audit {

TempDirectory::TempDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "agentsh-audit-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RecorderOptions small_options(const std::string& directory) {
  RecorderOptions options;
  options.directory = directory + "/log";
  options.key_file = directory + "/audit.key";
  options.ring_bytes = 256 << 10;
  options.index = false;
  return options;
}

std::unique_ptr<Recorder> open_recorder(RecorderOptions options) {
  auto recorder = Recorder::open(std::move(options));
  if (!recorder) {
    ADD_FAILURE() << recorder.error().what;
    std::abort();
  }
  return std::move(*recorder);
}

Event numbered_event(std::string type, std::int64_t number) {
  Event event(std::move(type));
  event.session_id = "session-1";
  event.field("n", number);
  return event;
}

std::vector<std::string> log_lines(const std::string& directory) {
  std::vector<std::string> lines;
  for (const std::uint32_t segment : list_segments(directory).value()) {
    std::ifstream file(segment_path(directory, segment));
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  return lines;
}

std::vector<JsonDocument> events_of_type(const std::string& directory, std::string_view type) {
  std::vector<JsonDocument> events;
  for (const std::string& line : log_lines(directory)) {
    if (line.find(type) == std::string::npos) continue;
    auto document = JsonDocument::parse(line);
    if (!document) {
      ADD_FAILURE() << document.error().what << ": " << line;
    } else if (document->root().text("type") == type) {
      events.push_back(std::move(*document));
    }
  }
  return events;
}

// By hand and not by parsing each line: the tests with many events would take minutes.
std::vector<std::int64_t> numbers_in_log(const std::string& directory, std::string_view type) {
  std::vector<std::int64_t> numbers;
  const std::string wanted = "\"type\":\"" + std::string(type) + "\"";
  for (const std::string& line : log_lines(directory)) {
    const std::size_t start = line.find("\"fields\":{\"n\":");
    if (line.find(wanted) == std::string::npos || start == std::string::npos) continue;
    numbers.push_back(std::strtoll(line.c_str() + start + 14, nullptr, 10));
  }
  return numbers;
}

VerifyReport verify_with_key(const std::string& path, const std::string& key_file,
                             VerifyOptions options) {
  const auto key = ChainKey::load(key_file);
  EXPECT_TRUE(key) << key.error().what;
  auto report = verify_log(path, *key, options);
  if (!report) {
    ADD_FAILURE() << report.error().what;
    return {};
  }
  return std::move(*report);
}

std::string kinds(const VerifyReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) {
    text += (text.empty() ? "" : " ") + finding.kind;
  }
  return text;
}

std::string read_text(const std::string& path) {
  return read_file(path, SIZE_MAX).value_or("");
}

void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

int count_from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace agentsh::audit
