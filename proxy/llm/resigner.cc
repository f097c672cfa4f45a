#include "proxy/llm/resigner.h"

#include <algorithm>
#include <array>

namespace agentsh::llm {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// "Credential=KEY/DATE/REGION/SERVICE/aws4_request" of an Authorization.
struct Scope {
  std::string_view region;
  std::string_view service;
};

std::optional<Scope> scope_of(std::string_view authorization) {
  constexpr std::string_view kCredential = "Credential=";
  const std::size_t at = authorization.find(kCredential);
  if (!authorization.starts_with("AWS4-HMAC-SHA256") || at == std::string_view::npos) return {};
  std::string_view rest = authorization.substr(at + kCredential.size());
  rest = rest.substr(0, rest.find_first_of(", "));
  // From the end: a key may have slashes in it.
  std::array<std::string_view, 4> parts;
  for (std::size_t i = parts.size(); i-- > 0;) {
    const std::size_t slash = rest.rfind('/');
    if (slash == std::string_view::npos) return {};
    parts[i] = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
  }
  if (parts[3] != "aws4_request" || parts[1].empty() || parts[2].empty()) return {};
  return Scope{.region = parts[1], .service = parts[2]};
}

constexpr std::string_view kDate = "x-amz-date";
constexpr std::string_view kToken = "x-amz-security-token";
constexpr std::string_view kHash = "x-amz-content-sha256";

}  // namespace

std::optional<Resigner> Resigner::of(std::string_view method, std::string_view path,
                                     const Fields& fields) {
  std::optional<Scope> scope;
  Resigner signer;
  for (const auto& [name, value] : fields) {
    const std::string key = lower(name);
    if (key == "authorization") scope = scope_of(value);
    if (key == kHash) signer.sends_hash_ = true;
    const bool ours = key == kDate || key == kToken || key == kHash;
    const bool theirs = key == "host" || key == "content-type" || key.starts_with("x-amz-");
    if (theirs && !ours) signer.fields_.emplace_back(key, value);
  }
  if (!scope) return {};
  signer.method_ = method;
  signer.path_ = path;
  signer.region_ = scope->region;
  signer.service_ = scope->service;
  return signer;
}

Resigner::Fields Resigner::sign(std::string_view content, const AwsCredentials& keys,
                                std::chrono::sys_seconds now) const {
  const SignedFields made = sign_v4(
      {.method = method_, .path = path_, .fields = fields_, .region = region_, .service = service_},
      keys, sha256_hex(content), now, sends_hash_);
  Fields set = {{"Authorization", made.authorization}, {"X-Amz-Date", made.date}};
  if (!made.security_token.empty()) set.emplace_back("X-Amz-Security-Token", made.security_token);
  if (!made.content_sha256.empty()) set.emplace_back("X-Amz-Content-Sha256", made.content_sha256);
  return set;
}

}  // namespace agentsh::llm
