#include "appliance/sessions/session_request.h"

#include "appliance/sessions/request_keys.h"
#include "base/random.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

using Type = RequestKey::Type;

constexpr RequestKey kKeys[] = {{"id"},
                                {"workspace"},
                                {"policy"},
                                {"home"},
                                {"project_root"},
                                {"detect_project_root", Type::kFlag},
                                {"real_paths", Type::kFlag},
                                {"host_ports", Type::kArray}};

constexpr std::string_view kMadePrefix = "session-";

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool valid_session_id(std::string_view id) {
  if (id.empty() || id.size() > 128 || !letter_or_digit(id.front())) return false;
  return std::ranges::all_of(id, [](char c) { return letter_or_digit(c) || c == '_' || c == '-'; });
}

std::string make_session_id() {
  return std::string(kMadePrefix) + random_uuid();
}

bool is_made_session_id(std::string_view id) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (!id.starts_with(kMadePrefix)) return false;
  const std::string_view uuid = id.substr(kMadePrefix.size());
  return std::ranges::equal(uuid, kShape, [](char c, char shape) {
    return shape == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

Result<SessionRequest> SessionRequest::parse(JsonValue body) {
  if (body.has("profile"))
    return fail("profile: mount profiles are not part of this version; give one workspace");
  if (auto checked = check_request_keys(body, kKeys); !checked)
    return std::unexpected(checked.error());
  SessionRequest request;
  request.id = body.text("id");
  if (!request.id.empty() && !valid_session_id(request.id)) {
    return fail(
        fmt::format("id: \"{}\" must be 1 to 128 letters, digits, hyphens and underscores, the "
                    "first a letter or "
                    "digit",
                    request.id));
  }
  request.workspace = body.text("workspace");
  if (!request.workspace.starts_with('/')) return fail("workspace: must be an absolute path");
  request.policy = body.text("policy");
  request.home = body.text("home");
  request.project_root = body.text("project_root");
  request.detect_project_root = body.flag("detect_project_root", true);
  if (body.has("real_paths")) request.real_paths = body.flag("real_paths");
  for (const JsonNode& node : body.member("host_ports").elements()) {
    const std::int64_t port = JsonValue(&node).as_integer();
    if (port < 1 || port > 65535) return fail("host_ports: must be numbers from 1 to 65535");
    request.host_ports.push_back(static_cast<std::uint16_t>(port));
  }
  return request;
}

}  // namespace agentsh
