#include "dlp/body_editor.h"

#include "dlp/body_form.h"
#include "dlp/body_multipart.h"

#include <algorithm>

namespace agentsh::dlp {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  });
  return result;
}

// RFC 2046, 5.1.1: one to seventy characters of this set, a blank not at the end.
bool is_boundary(std::string_view boundary) {
  static constexpr std::string_view kExtra = "'()+_,-./:=? ";
  return !boundary.empty() && boundary.size() <= 70 && boundary.back() != ' ' &&
         std::ranges::all_of(boundary, [](char byte) {
           return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                  (byte >= '0' && byte <= '9') || kExtra.contains(byte);
         });
}

class JsonBody final : public BodyEditor {
 public:
  JsonBody(TextEditor& editor, JsonFilter* filter) : editor_(editor, {.filter = filter}) {}
  Result<void> push(std::string_view chunk, std::string& out) override {
    return editor_.push(chunk, out);
  }
  Result<void> finish(std::string& out) override { return editor_.finish(out); }

 private:
  JsonEditor editor_;
};

}  // namespace

Result<void> PlainTextEditor::push(std::string_view chunk, std::string& out) {
  stream_.push(chunk, out);
  return {};
}

Result<void> PlainTextEditor::finish(std::string& out) {
  if (!stream_.finish(out)) return fail("the text was refused", std::errc::permission_denied);
  return {};
}

std::string media_type(std::string_view content_type) {
  return lower(trimmed(content_type.substr(0, content_type.find(';'))));
}

std::string media_parameter(std::string_view content_type, std::string_view name) {
  std::size_t at = content_type.find(';');
  while (at < content_type.size()) {
    const std::size_t equals = content_type.find('=', ++at);
    if (equals == std::string_view::npos) return {};
    const std::string key = lower(trimmed(content_type.substr(at, equals - at)));
    std::string value;
    at = equals + 1;
    if (at < content_type.size() && content_type[at] == '"') {
      for (++at; at < content_type.size() && content_type[at] != '"'; ++at) {
        if (content_type[at] == '\\' && at + 1 < content_type.size()) ++at;
        value += content_type[at];
      }
      at = std::min(content_type.find(';', at), content_type.size());
    } else {
      const std::size_t end = std::min(content_type.find(';', at), content_type.size());
      value = trimmed(content_type.substr(at, end - at));
      at = end;
    }
    if (key == name) return value;
  }
  return {};
}

Result<std::unique_ptr<BodyEditor>> make_body_editor(std::string_view content_type,
                                                     TextEditor& editor, JsonFilter* filter) {
  const std::string type = media_type(content_type);
  if (type == "application/json" || type.ends_with("+json")) {
    return std::make_unique<JsonBody>(editor, filter);
  }
  if (type == "application/x-www-form-urlencoded") return std::make_unique<FormEditor>(editor);
  if (type.starts_with("multipart/")) {
    std::string boundary = media_parameter(content_type, "boundary");
    if (!is_boundary(boundary)) return fail("a multipart body without a good boundary");
    return std::make_unique<MultipartEditor>(std::move(boundary), editor);
  }
  return std::make_unique<PlainTextEditor>(editor);
}

}  // namespace agentsh::dlp
