#include "dlp/body_multipart.h"

#include <algorithm>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kMaxHeader = 16 << 10;
constexpr std::size_t kMaxPadding = 256;
constexpr std::string_view kLineEnd = "\r\n";

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The value of a field in a header block of lines that end in CRLF; folded lines are joined.
std::string header_field(std::string_view block, std::string_view name) {
  std::string value;
  bool found = false;
  while (!block.empty()) {
    const std::size_t end = std::min(block.find(kLineEnd), block.size());
    const std::string_view line = block.substr(0, end);
    block.remove_prefix(std::min(block.size(), end + kLineEnd.size()));
    if (!line.empty() && (line.front() == ' ' || line.front() == '\t')) {
      if (found) value.append(" ").append(trimmed(line));
      continue;
    }
    if (found) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || lower(trimmed(line.substr(0, colon))) != name) continue;
    value = trimmed(line.substr(colon + 1));
    found = true;
  }
  return value;
}

bool is_text(std::string_view type) {
  return type.empty() || type.starts_with("text/") || type == "application/json" ||
         type.ends_with("+json") || type == "application/x-www-form-urlencoded" ||
         type == "application/xml" || type.ends_with("+xml") || type == "application/x-ndjson" ||
         type == "application/yaml" || type == "application/javascript";
}

}  // namespace

// One part: an editor for text, nothing for what passes through.
class MultipartEditor::Part final : public FieldName {
 public:
  std::string text() const override { return name; }

  // Errors: text that cannot be looked at.
  Result<void> open(std::string_view header, TextEditor& editor) {
    const std::string type = header_field(header, "content-type");
    name = media_parameter(header_field(header, "content-disposition"), "name");
    if (!is_text(media_type(type))) return {};
    const std::string coding = lower(header_field(header, "content-transfer-encoding"));
    if (!coding.empty() && coding != "7bit" && coding != "8bit" && coding != "binary") {
      return fail("a text part is encoded as " + coding);
    }
    if (media_type(type).starts_with("text/") || type.empty()) {
      context = name.empty() ? "" : name + ": ";
      body = std::make_unique<PlainTextEditor>(editor, TextOrigin{context, this});
      return {};
    }
    auto made = make_body_editor(type, editor);
    if (!made) return std::unexpected(made.error());
    body = std::move(*made);
    return {};
  }

  std::string name;
  std::string context;
  std::unique_ptr<BodyEditor> body;
};

MultipartEditor::MultipartEditor(std::string boundary, TextEditor& editor)
    : delimiter_("\r\n--" + std::move(boundary)), editor_(editor), pending_(kLineEnd) {}

MultipartEditor::~MultipartEditor() = default;

Result<void> MultipartEditor::push(std::string_view chunk, std::string& out) {
  if (failed_) return std::unexpected(*failed_);
  pending_.append(chunk);
  while (true) {
    auto more = step(out);
    if (!more) {
      failed_ = more.error();
      return std::unexpected(more.error());
    }
    if (!*more) return {};
  }
}

Result<void> MultipartEditor::finish(std::string& out) {
  if (failed_) return std::unexpected(*failed_);
  if (state_ != State::kEpilogue) return fail("the multipart body has no closing delimiter");
  take(pending_.size(), out);
  return {};
}

// Does what can be done with what is there; false when more is needed.
Result<bool> MultipartEditor::step(std::string& out) {
  switch (state_) {
    case State::kPreamble:
    case State::kContent:
      return content(out);
    case State::kDelimiter:
      return after_delimiter(out);
    case State::kHeader:
      return header(out);
    case State::kEpilogue:
      take(pending_.size(), out);
      return false;
  }
  return false;
}

void MultipartEditor::take(std::size_t size, std::string& out) {
  const std::size_t missing = std::min(size, phantom_);
  out.append(pending_, missing, size - missing);
  phantom_ -= missing;
  pending_.erase(0, size);
}

Result<void> MultipartEditor::take_content(std::size_t size, std::string& out) {
  if (!part_ || !part_->body) {
    take(size, out);
    return {};
  }
  auto ok = part_->body->push(std::string_view(pending_).substr(0, size), out);
  pending_.erase(0, size);
  return ok;
}

// Up to the next delimiter.
Result<bool> MultipartEditor::content(std::string& out) {
  const std::size_t found = pending_.find(delimiter_);
  std::size_t size = found;
  if (found == std::string::npos) {
    // The end could be the beginning of a delimiter.
    size = pending_.size() - std::min(pending_.size(), delimiter_.size() - 1);
    while (!delimiter_.starts_with(std::string_view(pending_).substr(size))) ++size;
  }
  if (auto ok = take_content(size, out); !ok) return std::unexpected(ok.error());
  if (found == std::string::npos) return false;
  if (part_ && part_->body) {
    if (auto ok = part_->body->finish(out); !ok) return std::unexpected(ok.error());
  }
  part_.reset();
  take(delimiter_.size(), out);
  state_ = State::kDelimiter;
  return true;
}

// Two hyphens end the body; white space and a line end begin a part.
Result<bool> MultipartEditor::after_delimiter(std::string& out) {
  if (pending_.size() < 2) return false;
  if (pending_.starts_with("--")) {
    state_ = State::kEpilogue;
    return true;
  }
  const std::size_t end = std::min(pending_.find(kLineEnd), pending_.size());
  const std::string_view padding = std::string_view(pending_).substr(0, end);
  if (padding.size() > kMaxPadding || padding.find_first_not_of(" \t\r") != std::string::npos) {
    return fail("a multipart delimiter goes on");
  }
  if (end == pending_.size()) return false;
  // The line end stays: an empty header is two of them.
  take(end, out);
  state_ = State::kHeader;
  return true;
}

Result<bool> MultipartEditor::header(std::string& out) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t end = pending_.find(kEnd);
  if (std::min(end, pending_.size()) > kMaxHeader) return fail("the header of a part is too long");
  if (end == std::string::npos) return false;
  part_ = std::make_unique<Part>();
  if (auto ok = part_->open(std::string_view(pending_).substr(0, end), editor_); !ok) {
    return std::unexpected(ok.error());
  }
  take(end + kEnd.size(), out);
  state_ = State::kContent;
  return true;
}

}  // namespace agentsh::dlp
