#include "policies/signing.h"

#include "base/encoding.h"
#include "base/file_io.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

namespace agentsh::policy {
namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kKeyFileLimit = 16 << 10;

template <auto free_function>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    free_function(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;

// The oldest error in OpenSSL's queue, which is emptied.
Error openssl_error(std::string_view what) {
  char text[256] = "unknown error";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return make_error(fmt::format("{}: {}", what, text));
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<std::string> pem_of(EVP_PKEY* key, bool private_part) {
  Bio memory(BIO_new(BIO_s_mem()));
  if (!memory) return std::unexpected(openssl_error("write key"));
  const int written = private_part ? PEM_write_bio_PKCS8PrivateKey(memory.get(), key, nullptr,
                                                                   nullptr, 0, nullptr, nullptr)
                                   : PEM_write_bio_PUBKEY(memory.get(), key);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  if (written != 1 || size <= 0) return std::unexpected(openssl_error("write key"));
  return std::string(data, static_cast<std::size_t>(size));
}

Result<Key> read_key(std::string_view pem, bool private_part) {
  Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min(pem.size(), kKeyFileLimit))));
  if (!memory) return std::unexpected(openssl_error("read key"));
  // An encrypted key must not make OpenSSL ask for a password on the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  Key key(private_part ? PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr)
                       : PEM_read_bio_PUBKEY(memory.get(), nullptr, no_password, nullptr));
  if (!key) {
    return std::unexpected(openssl_error(
        private_part ? "is no private key in PEM without a password" : "is no public key in PEM"));
  }
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) return fail("is no Ed25519 key");
  return key;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  return text;
}

Result<> check_not_writable_by_others(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(errno_error("stat", path));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(fmt::format("{} can be written by others than its owner (mode {:04o})", path,
                            status.st_mode & 07777U),
                std::errc::permission_denied);
  }
  return {};
}

Result<std::vector<std::string>> trusted_keys(const std::string& trust_store) {
  if (auto good = check_not_writable_by_others(trust_store); !good) {
    return std::unexpected(good.error());
  }
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator it(trust_store, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".pem") paths.push_back(it->path().string());
  }
  if (error) return fail(fmt::format("read {}: {}", trust_store, error.message()));
  std::ranges::sort(paths);
  if (paths.empty()) return fail(fmt::format("{} holds no keys (*.pem)", trust_store));
  return paths;
}

}  // namespace

Result<KeyPair> generate_signing_key() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return std::unexpected(openssl_error("generate key"));
  auto private_key = pem_of(key.get(), true);
  if (!private_key) return std::unexpected(private_key.error());
  auto public_key = pem_of(key.get(), false);
  if (!public_key) return std::unexpected(public_key.error());
  return KeyPair{std::move(*private_key), std::move(*public_key)};
}

Result<std::string> sign_policy(std::string_view policy, std::string_view private_key_pem) {
  auto key = read_key(private_key_pem, true);
  if (!key) return std::unexpected(key.error());
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  const bool good =
      context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key->get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes(policy), policy.size()) == 1;
  if (!good || size != kSignatureBytes) return std::unexpected(openssl_error("sign"));
  return to_base64(signature) + "\n";
}

Result<> verify_signature(std::string_view policy, std::string_view signature,
                          std::string_view public_key_pem) {
  auto key = read_key(public_key_pem, false);
  if (!key) return std::unexpected(key.error());
  auto raw = from_base64(trimmed(signature));
  if (!raw || raw->size() != kSignatureBytes) {
    return fail("the signature is not 64 bytes in Base64");
  }
  const DigestContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key->get()) != 1) {
    return std::unexpected(openssl_error("verify"));
  }
  const int result =
      EVP_DigestVerify(context.get(), bytes(*raw), raw->size(), bytes(policy), policy.size());
  ERR_clear_error();
  if (result != 1) {
    return fail(
        "the signature does not fit: the policy was changed after it was signed, or "
        "another key signed it",
        std::errc::bad_message);
  }
  return {};
}

Result<std::string> verify_with_trust_store(std::string_view policy, std::string_view signature,
                                            const std::string& trust_store) {
  auto paths = trusted_keys(trust_store);
  if (!paths) return std::unexpected(paths.error());
  for (const std::string& path : *paths) {
    if (auto good = check_not_writable_by_others(path); !good) {
      return std::unexpected(good.error());
    }
    auto pem = read_file(path, kKeyFileLimit);
    if (!pem) return std::unexpected(pem.error());
    auto verified = verify_signature(policy, signature, *pem);
    if (verified) return std::filesystem::path(path).filename().string();
    if (verified.error().code != std::errc::bad_message) {
      return std::unexpected(with_context(verified.error(), path));
    }
  }
  return fail(fmt::format("no key of {} signed it as it is now", trust_store),
              std::errc::bad_message);
}

std::string signature_path(const std::string& policy_path) {
  return policy_path + ".sig";
}

}  // namespace agentsh::policy
