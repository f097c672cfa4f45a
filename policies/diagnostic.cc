#include "policies/diagnostic.h"

#include "base/json_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

void write(const Diagnostic& diagnostic, JsonWriter& json) {
  json.begin_object()
      .field("file", diagnostic.file)
      .field("line", diagnostic.where.line)
      .field("column", diagnostic.where.column)
      .field("severity", to_string(diagnostic.severity))
      .field("key", diagnostic.key)
      .field("message", diagnostic.message)
      .optional_field("suggestion", diagnostic.suggestion)
      .optional_field("check", diagnostic.check)
      .end_object();
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = diagnostic.file;
  if (diagnostic.where.line > 0) {
    text += fmt::format(":{}:{}", diagnostic.where.line, diagnostic.where.column);
  }
  text += ": ";
  if (diagnostic.severity != Severity::kError) {
    text += fmt::format("{}: ", to_string(diagnostic.severity));
  }
  if (!diagnostic.key.empty()) text += diagnostic.key + ": ";
  text += diagnostic.message;
  if (!diagnostic.suggestion.empty()) {
    text += fmt::format("; did you mean \"{}\"?", diagnostic.suggestion);
  }
  if (!diagnostic.check.empty()) text += fmt::format(" [{}]", diagnostic.check);
  return text;
}

std::string to_json(std::span<const Diagnostic> diagnostics) {
  JsonWriter json(2);
  json.begin_array();
  for (const Diagnostic& diagnostic : diagnostics) write(diagnostic, json);
  json.end_array();
  return json.take();
}

void Diagnostics::error(SourcePosition where, std::string_view key, std::string message,
                        std::string suggestion) {
  add({.severity = Severity::kError,
       .where = where,
       .key = std::string(key),
       .message = std::move(message),
       .suggestion = std::move(suggestion)});
}

void Diagnostics::warning(SourcePosition where, std::string_view key, std::string message,
                          std::string suggestion) {
  add({.severity = Severity::kWarning,
       .where = where,
       .key = std::string(key),
       .message = std::move(message),
       .suggestion = std::move(suggestion)});
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::kError) ++errors_;
  if (found_.size() >= kMaximum) return;
  if (diagnostic.file.empty()) diagnostic.file = file_;
  auto place = std::ranges::upper_bound(found_, diagnostic.where, {}, &Diagnostic::where);
  found_.insert(place, std::move(diagnostic));
}

Error Diagnostics::to_error() const {
  std::string text;
  std::size_t shown = 0;
  for (const Diagnostic& diagnostic : found_) {
    if (diagnostic.severity != Severity::kError) continue;
    if (!text.empty()) text += '\n';
    text += to_text(diagnostic);
    ++shown;
  }
  if (shown < errors_) text += fmt::format("\n{}: and {} more errors", file_, errors_ - shown);
  return make_error(std::move(text));
}

}  // namespace agentsh::policy
