// HashiCorp Vault: secrets of its KV engines (v1 and v2), with a token or an AppRole.
//
// Options of a policy's provider of type vault:
//
//   address*          https://host:port
//   namespace         X-Vault-Namespace
//   ca_file           the authority of its certificate, PEM; else the system's
//   timeout           of one call; 10s
//   kv_version        2: "data/" is put into the path where it is missing; 1: never; else the path
//                     is taken as it is written
//   auth.method       token (default) or approle
//   auth.token_ref    where the token is: env:, file: or exec:
//   auth.mount        of the AppRole method; approle
//   auth.role_id, auth.role_id_ref, auth.secret_id_ref
//
// A token or secret_id is never written into the policy itself. Threads: any, one call at a time;
// calls block.
#pragma once

#include "appliance/secrets/reference.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "policies/model.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

namespace agentsh::secrets {

struct VaultOptions {
  std::string address;
  std::string vault_namespace;
  std::string ca_file;
  std::chrono::milliseconds timeout{10'000};
  int kv_version = 0;
  std::string method = "token";
  std::string token_ref;
  std::string mount = "approle";
  std::string role_id;
  std::string role_id_ref;
  std::string secret_id_ref;

  // Errors: an unknown option, one that is missing, a secret in the clear.
  static Result<VaultOptions> of(const policy::SecretProvider& provider);
};

class Vault {
 public:
  // `reader` is who the daemon is (see local_sources.h).
  Vault(VaultOptions options, uid_t reader) : options_(std::move(options)), reader_(reader) {}

  struct Value {
    std::string text;
    std::chrono::seconds lease{0};  // 0: Vault named none.
  };
  Result<Value> read(const Reference& reference);

 private:
  using Clock = std::chrono::steady_clock;
  struct Token {
    SecretText text;
    Clock::time_point renewed_at;
  };

  Result<std::string> local(const std::string& reference) const;
  Result<std::string> token(bool anew);
  Result<Token> log_in() const;

  const VaultOptions options_;
  const uid_t reader_;
  std::mutex mutex_;
  std::optional<Token> token_;
};

}  // namespace agentsh::secrets
