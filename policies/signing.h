// Signed policies: Ed25519 (RFC 8032), a detached signature in `<policy>.sig` beside the file.
//
// Keys and signatures are PEM and text files: a private key in PKCS#8 PEM (mode 0600), a public key
// in SubjectPublicKeyInfo PEM, a signature as one line of Base64 over the bytes of the policy file.
// A trust store is a directory of public keys, `*.pem`; a signature by any of them is good.
//
// Threads: any; no state. Errors name the file.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::policy {

enum class SigningMode { kOff, kWarn, kEnforce };

struct KeyPair {
  std::string private_key;  // PEM.
  std::string public_key;   // PEM.
};
Result<KeyPair> generate_signing_key();

// The text of a signature file.
Result<std::string> sign_policy(std::string_view policy, std::string_view private_key_pem);

// Verifies against one public key. `signature` is the text of a signature file.
Result<> verify_signature(std::string_view policy, std::string_view signature,
                          std::string_view public_key_pem);

// Verifies against every key of `trust_store`; returns the file name of the key that signed.
// Directories and keys that others than their owner can write are refused.
Result<std::string> verify_with_trust_store(std::string_view policy, std::string_view signature,
                                            const std::string& trust_store);

// "<policy file>.sig".
std::string signature_path(const std::string& policy_path);

}  // namespace agentsh::policy
