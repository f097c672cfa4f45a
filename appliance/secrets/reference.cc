#include "appliance/secrets/reference.h"

#include "base/json_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::secrets {
namespace {

Result<> check_characters(std::string_view value) {
  if (value.empty()) return fail("the secret is empty");
  const bool good = std::ranges::all_of(
      value, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  if (!good) return fail("the secret holds a control character or several lines");
  return {};
}

}  // namespace

Result<Reference> parse_reference(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return fail("a reference to a secret begins with env:, file:, exec: or vault:");
  }
  Reference reference;
  reference.scheme = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  if (rest.starts_with("//")) rest.remove_prefix(2);
  const bool known = reference.scheme == "env" || reference.scheme == "file" ||
                     reference.scheme == "exec" || reference.scheme == "vault";
  if (!known) {
    return fail(
        fmt::format("{} is not among this version's sources of secrets: env, file, exec, "
                    "vault",
                    reference.scheme));
  }
  if (const std::size_t mark = rest.rfind('#'); mark != std::string_view::npos) {
    reference.field = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
    if (reference.field.empty())
      return fail("a # at the end of a reference is followed by a field");
  }
  reference.location = rest;
  const bool wants_path = reference.scheme == "file" || reference.scheme == "exec";
  if (rest.empty() || (wants_path && !rest.starts_with('/'))) {
    return fail(fmt::format("{}: must be followed by {}", reference.scheme,
                            wants_path ? "an absolute path" : "a name"));
  }
  if (reference.scheme == "vault") {
    if (reference.field.empty()) return fail("vault:// needs the field's name behind a #");
    if (rest.find('/') == std::string_view::npos) return fail("vault:// needs mount/path");
    const bool odd = std::ranges::any_of(
        rest, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == '?' || c == '%'; });
    if (odd || ("/" + std::string(rest) + "/").find("/../") != std::string::npos) {
      return fail("the path behind vault:// must be a plain one");
    }
  }
  return reference;
}

namespace {

// Every reference of the policy of one scheme: where it points to.
std::vector<std::string> locations_of(const policy::Policy& policy, std::string_view scheme) {
  std::vector<std::string> locations;
  const auto add = [&](const std::string& text) {
    const auto reference = parse_reference(text);
    if (reference && reference->scheme == scheme) locations.push_back(reference->location);
  };
  for (const policy::HttpService& service : policy.http_services) {
    if (service.secret) add(service.secret->ref);
  }
  for (const policy::DbService& service : policy.database.services) {
    if (service.credentials) add(service.credentials->password_ref);
  }
  for (const policy::SecretProvider& provider : policy.providers) {
    for (const auto& [key, value] : provider.options) {
      if (key.ends_with("_ref")) add(value);
    }
  }
  return locations;
}

}  // namespace

std::vector<std::string> files_of(const policy::Policy& policy) {
  std::vector<std::string> files = locations_of(policy, "file");
  for (const policy::DbService& service : policy.database.services) {
    if (service.credentials && !service.credentials->key_file.empty())
      files.push_back(service.credentials->key_file);
  }
  return files;
}

std::vector<std::string> variables_of(const policy::Policy& policy) {
  return locations_of(policy, "env");
}

Result<std::string> select_value(const Reference& reference, std::string content) {
  if (!reference.field.empty()) {
    auto document = JsonDocument::parse(content);
    if (!document) return fail("it is no JSON document, so it has no fields");
    const JsonValue value = document->root().member(reference.field);
    if (!value.is_string()) {
      return fail(fmt::format("it has no text under \"{}\"", reference.field));
    }
    content = std::string(value.as_text());
  } else {
    if (content.ends_with('\n')) content.pop_back();
    if (content.ends_with('\r')) content.pop_back();
  }
  if (auto good = check_characters(content); !good) return std::unexpected(good.error());
  return content;
}

}  // namespace agentsh::secrets
