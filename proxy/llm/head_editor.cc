#include "proxy/llm/head_editor.h"

#include "base/encoding.h"
#include "dlp/text_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentsh::llm {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Credentials of the provider, and fields that say how the message is to be read.
bool is_exempt(std::string_view name) {
  static constexpr std::array<std::string_view, 28> kExempt = {"authorization",
                                                               "proxy-authorization",
                                                               "x-api-key",
                                                               "x-goog-api-key",
                                                               "api-key",
                                                               "ocp-apim-subscription-key",
                                                               "cookie",
                                                               "x-amz-security-token",
                                                               "x-amz-date",
                                                               "x-amz-content-sha256",
                                                               "host",
                                                               "connection",
                                                               "upgrade",
                                                               "te",
                                                               "transfer-encoding",
                                                               "content-length",
                                                               "content-type",
                                                               "content-encoding",
                                                               "content-md5",
                                                               "accept",
                                                               "accept-encoding",
                                                               "accept-language",
                                                               "expect",
                                                               "sec-websocket-key",
                                                               "sec-websocket-accept",
                                                               "sec-websocket-version",
                                                               "sec-websocket-extensions",
                                                               "sec-websocket-protocol"};
  return std::ranges::any_of(
      kExempt, [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

// Google's key, and signatures.
bool is_exempt_parameter(std::string_view name) {
  return name == "key" || name == "access_token" || name.starts_with("X-Amz-");
}

// A query's text as a form has it.
std::string form_decoded(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  return percent_decoded(spaced);
}

struct Parameter {
  std::string_view name;
  std::string_view value;
  std::string_view text;  // All of it.
};

// The next parameter of a query, taken off.
Parameter next_parameter(std::string_view& query) {
  Parameter parameter;
  parameter.text = query.substr(0, query.find('&'));
  query.remove_prefix(std::min(parameter.text.size() + 1, query.size()));
  const std::size_t mark = std::min(parameter.text.find('='), parameter.text.size());
  parameter.name = parameter.text.substr(0, mark);
  parameter.value = parameter.text.substr(std::min(mark + 1, parameter.text.size()));
  return parameter;
}

std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

class Place final : public dlp::FieldName {
 public:
  Place(std::string_view kind, std::string_view name) : kind_(kind), name_(name) {}
  std::string text() const override { return fmt::format("{}.{}", kind_, name_); }

 private:
  std::string_view kind_;
  std::string_view name_;
};

}  // namespace

HeadEditor::HeadEditor(std::shared_ptr<const dlp::Profile> profile,
                       std::shared_ptr<dlp::Vault> vault)
    : probe_(profile, vault), redactor_(std::move(profile), std::move(vault)) {}

// One scan of everything costs less than one of each; mostly nothing is found.
bool HeadEditor::finds_anything(std::string_view target, std::span<const HeadField> fields) {
  std::string all;
  std::string_view query = query_of(target);
  while (!query.empty()) {
    const Parameter parameter = next_parameter(query);
    if (is_exempt_parameter(parameter.name)) continue;
    all.append(form_decoded(parameter.name)).append(": ");
    all.append(form_decoded(parameter.value)).append("\n");
  }
  for (const HeadField& field : fields) {
    if (!is_exempt(field.name))
      all.append(field.name).append(": ").append(field.value).append("\n");
  }
  if (all.empty()) return false;
  dlp::TextStream stream(probe_);
  std::string unused;
  stream.push(all, unused);
  stream.finish(unused);
  return probe_.blocked() || !probe_.findings().entries().empty();
}

std::string HeadEditor::edit_value(std::string_view place, std::string_view name,
                                   std::string_view text) {
  const Place where(place, name);
  const std::string context = name.empty() ? std::string() : std::string(name) + ": ";
  dlp::TextStream stream(redactor_, {.left_context = context, .field = &where});
  std::string out;
  stream.push(text, out);
  stream.finish(out);
  return out;
}

// Parameters in which nothing is replaced keep their bytes. A name is no place for a value: what
// is found in one is in the value's context, and in the parameter without "=".
void HeadEditor::edit_query(std::string_view target, HeadChanges& changes) {
  std::string_view query = query_of(target);
  std::string edited(target.substr(0, target.size() - query.size()));
  bool changed = false;
  for (bool first = true; !query.empty(); first = false) {
    const Parameter parameter = next_parameter(query);
    if (!first) edited += '&';
    if (is_exempt_parameter(parameter.name)) {
      edited += parameter.text;
      continue;
    }
    const bool bare = parameter.text.size() == parameter.name.size();
    const std::string text = form_decoded(bare ? parameter.name : parameter.value);
    const std::string name = form_decoded(parameter.name);
    const std::string after = edit_value("query", bare ? std::string_view() : name, text);
    if (after == text) {
      edited += parameter.text;
      continue;
    }
    changed = true;
    if (!bare) edited.append(parameter.name).append("=");
    edited += percent_encoded(after);
  }
  if (changed) changes.target = std::move(edited);
}

std::optional<Refusal> HeadEditor::edit(std::string_view target, std::span<const HeadField> fields,
                                        HeadChanges& changes) {
  if (!finds_anything(target, fields)) return {};
  edit_query(target, changes);
  for (std::size_t i = 0; i < fields.size() && !redactor_.blocked(); ++i) {
    if (is_exempt(fields[i].name)) continue;
    std::string edited = edit_value("header", fields[i].name, fields[i].value);
    if (edited != fields[i].value) changes.values.emplace_back(i, std::move(edited));
  }
  if (!redactor_.blocked()) return {};
  return Refusal{.status = 403,
                 .code = "dlp_blocked",
                 .message = fmt::format("The request was not sent: its query or a header field "
                                        "holds data that must not leave ({}).",
                                        redactor_.blocked_by().id)};
}

}  // namespace agentsh::llm
