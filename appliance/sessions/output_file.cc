#include "appliance/sessions/output_file.h"

#include "base/file_io.h"
#include "base/json_writer.h"
#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <ctime>

namespace agentsh {
namespace {

// Where the last, perhaps unfinished, character of `text` begins: a piece may end in the middle of
// one.
std::size_t whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

OutputFile::OutputFile(std::string path, UniqueFd file, bool cast)
    : path_(std::move(path)), file_(std::move(file)), cast_(cast) {}

Result<UniqueFd> OutputFile::open(const std::string& path) {
  UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return std::unexpected(errno_error("open", path));
  return file;
}

Result<std::unique_ptr<OutputFile>> OutputFile::plain(std::string path) {
  auto file = open(path);
  if (!file) return std::unexpected(file.error());
  return std::unique_ptr<OutputFile>(new OutputFile(std::move(path), std::move(*file), false));
}

Result<std::unique_ptr<OutputFile>> OutputFile::terminal(std::string path, std::uint16_t rows,
                                                         std::uint16_t columns,
                                                         std::string_view command) {
  auto file = open(path);
  if (!file) return std::unexpected(file.error());
  std::unique_ptr<OutputFile> recording(new OutputFile(std::move(path), std::move(*file), true));
  JsonWriter head;
  head.begin_object().field("version", 2).field("width", columns).field("height", rows);
  head.field("timestamp", static_cast<std::int64_t>(std::time(nullptr)));
  head.field("command", command).end_object();
  recording->write(head.take() + "\n");
  return recording;
}

bool OutputFile::truncated() const {
  std::lock_guard lock(mutex_);
  return truncated_;
}

void OutputFile::append(std::string_view data) {
  std::lock_guard lock(mutex_);
  if (!cast_) {
    write(data);
    return;
  }
  const std::string text = std::move(partial_) + std::string(data);
  const std::size_t whole = whole_characters(text);
  partial_ = text.substr(whole);
  if (whole > 0) write_cast_line("o", std::string_view(text).substr(0, whole));
}

void OutputFile::resized(std::uint16_t rows, std::uint16_t columns) {
  std::lock_guard lock(mutex_);
  if (cast_) write_cast_line("r", fmt::format("{}x{}", columns, rows));
}

void OutputFile::write_cast_line(std::string_view kind, std::string_view data) {
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - started_;
  JsonWriter line;
  line.begin_array().value(time.count()).value(kind).value(data).end_array();
  write(line.take() + "\n");
}

void OutputFile::write(std::string_view bytes) {
  if (truncated_) return;
  if (size_ + bytes.size() > kLargest) {
    truncated_ = true;
    return;
  }
  if (auto written = write_all(file_.get(), bytes, path_); !written) {
    log_error("session", "recording: {}", written.error().what);
    truncated_ = true;
    return;
  }
  size_ += bytes.size();
}

}  // namespace agentsh
