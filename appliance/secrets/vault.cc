#include "appliance/secrets/vault.h"

#include "appliance/secrets/https_call.h"
#include "appliance/secrets/local_sources.h"
#include "base/json_reader.h"
#include "base/json_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace agentsh::secrets {
namespace {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc{} || number <= 0) return {};
  if (unit == "ms") return std::chrono::milliseconds(number);
  if (unit == "s") return std::chrono::seconds(number);
  if (unit == "m") return std::chrono::minutes(number);
  return {};
}

// Vault's own sentence, or the status: never more of an answer, which may hold secrets.
Error refusal_of(const HttpsResponse& response, std::string_view what) {
  std::string reason;
  if (const auto document = JsonDocument::parse(response.body)) {
    for (const std::string& one : document->root().texts("errors")) {
      if (!reason.empty()) reason += "; ";
      reason += one.substr(0, 200);
    }
  }
  return make_error(fmt::format("{}: Vault answers {}{}{}", what, response.status,
                                reason.empty() ? "" : ": ", reason));
}

}  // namespace

Result<VaultOptions> VaultOptions::of(const policy::SecretProvider& provider) {
  VaultOptions options;
  for (const auto& [key, value] : provider.options) {
    if (key == "address") {
      options.address = value;
    } else if (key == "namespace") {
      options.vault_namespace = value;
    } else if (key == "ca_file") {
      options.ca_file = value;
    } else if (key == "timeout") {
      const auto timeout = parse_duration(value);
      if (!timeout) return fail("timeout: must be a duration such as 10s");
      options.timeout = *timeout;
    } else if (key == "kv_version") {
      if (value != "1" && value != "2") return fail("kv_version: must be 1 or 2");
      options.kv_version = value[0] - '0';
    } else if (key == "auth.method") {
      options.method = value;
    } else if (key == "auth.token_ref") {
      options.token_ref = value;
    } else if (key == "auth.mount") {
      options.mount = value;
    } else if (key == "auth.role_id") {
      options.role_id = value;
    } else if (key == "auth.role_id_ref") {
      options.role_id_ref = value;
    } else if (key == "auth.secret_id_ref") {
      options.secret_id_ref = value;
    } else if (key == "auth.token" || key == "auth.secret_id") {
      return fail(fmt::format("{}: a policy holds no secrets; give {}_ref (env:, file: or exec:)",
                              key, key));
    } else {
      return fail(fmt::format("{}: unknown option of a vault provider", key));
    }
  }
  while (options.address.ends_with('/')) options.address.pop_back();
  if (options.address.empty()) return fail("address: is missing");
  if (options.method == "token") {
    if (options.token_ref.empty()) return fail("auth.token_ref: is missing");
  } else if (options.method == "approle") {
    if (options.role_id.empty() && options.role_id_ref.empty()) {
      return fail("auth.role_id: is missing");
    }
    if (options.secret_id_ref.empty()) return fail("auth.secret_id_ref: is missing");
  } else {
    return fail(fmt::format("auth.method: \"{}\" is not among token, approle", options.method));
  }
  return options;
}

Result<std::string> Vault::local(const std::string& reference) const {
  const auto parsed = parse_reference(reference);
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->scheme == "vault") return fail("Vault's own credentials cannot be in Vault");
  return read_local(*parsed, reader_, options_.timeout);
}

Result<Vault::Token> Vault::log_in() const {
  if (options_.method == "token") {
    auto text = local(options_.token_ref);
    if (!text) return std::unexpected(with_context(text.error(), "auth.token_ref"));
    auto kept = SecretText::copy_of(*text);
    wipe(*text);
    if (!kept) return std::unexpected(kept.error());
    return Token{std::move(*kept), Clock::now() + std::chrono::minutes(5)};
  }
  auto role = options_.role_id_ref.empty() ? Result<std::string>(options_.role_id)
                                           : local(options_.role_id_ref);
  if (!role) return std::unexpected(with_context(role.error(), "auth.role_id_ref"));
  auto secret = local(options_.secret_id_ref);
  if (!secret) return std::unexpected(with_context(secret.error(), "auth.secret_id_ref"));
  JsonWriter body;
  body.begin_object().field("role_id", *role).field("secret_id", *secret).end_object();
  HttpsRequest request{.url = fmt::format("{}/v1/auth/{}/login", options_.address, options_.mount),
                       .ca_file = options_.ca_file,
                       .method = "POST",
                       .fields = {{"Content-Type", "application/json"}},
                       .body = body.take(),
                       .timeout = options_.timeout};
  if (!options_.vault_namespace.empty()) {
    request.fields.emplace_back("X-Vault-Namespace", options_.vault_namespace);
  }
  auto response = call(request);
  wipe(request.body);
  wipe(*secret);
  if (!response) return std::unexpected(response.error());
  if (response->status != 200) return std::unexpected(refusal_of(*response, "AppRole log-in"));
  const auto document = JsonDocument::parse(response->body);
  wipe(response->body);
  if (!document) return fail("AppRole log-in: the answer is no JSON");
  const JsonValue auth = document->root().member("auth");
  if (auth.text("client_token").empty()) return fail("AppRole log-in: the answer has no token");
  auto kept = SecretText::copy_of(auth.text("client_token"));
  if (!kept) return std::unexpected(kept.error());
  const std::chrono::seconds lease(
      std::clamp<std::int64_t>(auth.integer("lease_duration"), 0, std::int64_t{30} * 24 * 3600));
  const auto use = lease.count() == 0 ? std::chrono::seconds(3600) : lease * 2 / 3;
  return Token{std::move(*kept), Clock::now() + use};
}

Result<std::string> Vault::token(bool anew) {
  std::lock_guard lock(mutex_);
  if (anew) token_.reset();
  if (!token_ || token_->renewed_at <= Clock::now()) {
    auto fresh = log_in();
    if (!fresh) return std::unexpected(fresh.error());
    token_.emplace(std::move(*fresh));
  }
  return std::string(token_->text.view());
}

Result<Vault::Value> Vault::read(const Reference& reference) {
  std::string path = reference.location;
  const std::size_t slash = path.find('/');
  if (options_.kv_version == 2 && !path.substr(slash + 1).starts_with("data/")) {
    path.insert(slash + 1, "data/");
  }
  // A token that Vault no longer knows is asked for once more.
  for (const bool again : {false, true}) {
    auto token = this->token(again);
    if (!token) return std::unexpected(token.error());
    HttpsRequest request{.url = fmt::format("{}/v1/{}", options_.address, path),
                         .ca_file = options_.ca_file,
                         .method = "GET",
                         .fields = {{"X-Vault-Token", *token}, {"X-Vault-Request", "true"}},
                         .body = {},
                         .timeout = options_.timeout};
    if (!options_.vault_namespace.empty()) {
      request.fields.emplace_back("X-Vault-Namespace", options_.vault_namespace);
    }
    auto response = call(request);
    wipe(request.fields.front().second);
    wipe(*token);
    if (!response) return std::unexpected(response.error());
    if (response->status == 403 && !again) continue;
    if (response->status != 200) return std::unexpected(refusal_of(*response, path));
    const auto document = JsonDocument::parse(response->body);
    wipe(response->body);
    if (!document) return fail(path + ": the answer is no JSON");
    JsonValue data = document->root().member("data");
    // Of the second version: data.data, beside data.metadata.
    if (data.member("data").is_object() && data.member("metadata").is_object()) {
      data = data.member("data");
    }
    if (!data.member(reference.field).is_string()) {
      return fail(fmt::format("{}: it has no text under \"{}\"", path, reference.field));
    }
    auto text = select_value({reference.scheme, reference.location, {}},
                             std::string(data.text(reference.field)));
    if (!text) return std::unexpected(text.error());
    return Value{std::move(*text),
                 std::chrono::seconds(std::clamp<std::int64_t>(
                     document->root().integer("lease_duration"), 0, std::int64_t{30} * 24 * 3600))};
  }
  return fail(path + ": Vault refuses the token");
}

}  // namespace agentsh::secrets
