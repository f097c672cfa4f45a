#include "proxy/llm/body_hash.h"

#include "base/encoding.h"

#include <openssl/evp.h>

#include <array>

namespace agentsh::llm {

struct BodyHash::State {
  struct Free {
    void operator()(EVP_MD_CTX* raw) const { EVP_MD_CTX_free(raw); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

BodyHash::BodyHash() : state_(std::make_unique<State>()) {
  // Fetched once: looking an algorithm up by name costs more than hashing a small body.
  static EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_DigestInit_ex(state_->context.get(), kSha256, nullptr);
}
BodyHash::~BodyHash() = default;
BodyHash::BodyHash(BodyHash&&) noexcept = default;
BodyHash& BodyHash::operator=(BodyHash&&) noexcept = default;

void BodyHash::add(std::string_view bytes) {
  EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

std::string BodyHash::finish() {
  std::array<std::uint8_t, 32> digest{};
  EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr);
  return to_hex(digest);
}

}  // namespace agentsh::llm
