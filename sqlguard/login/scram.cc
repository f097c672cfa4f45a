#include "sqlguard/login/scram.h"

#include "base/encoding.h"
#include "base/random.h"
#include "base/secret_text.h"
#include "sqlguard/login/saslprep.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

namespace agentsh::sql {
namespace {

constexpr std::size_t kLongestSalt = 1024;
constexpr std::string_view kBindingName = "p=tls-server-end-point";

// OpenSSL has no reason to fail here but lack of memory.
void check(bool done) {
  if (!done) std::abort();
}

ScramHash hmac(Bytes key, std::string_view text) {
  ScramHash out{};
  const Bytes data = as_bytes(text);
  check(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
             out.data(), nullptr) != nullptr);
  return out;
}

ScramHash sha256(Bytes data) {
  ScramHash out{};
  SHA256(data.data(), data.size(), out.data());
  return out;
}

ScramHash exclusive_or(const ScramHash& a, const ScramHash& b) {
  ScramHash out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] ^ b[i];
  return out;
}

std::string base64(Bytes bytes) {
  return to_base64(as_text(bytes));
}

std::unexpected<Error> malformed(std::string_view what) {
  return fail(fmt::format("{} is malformed", what), std::errc::bad_message);
}

// "x=value" at the front, up to a comma or the end, which is taken too; nothing if another
// attribute stands there.
std::optional<std::string_view> take(std::string_view& rest, char attribute) {
  if (rest.size() < 2 || rest[0] != attribute || rest[1] != '=') return std::nullopt;
  const std::size_t end = rest.find(',');
  const std::string_view value = rest.substr(2, end == rest.npos ? rest.npos : end - 2);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return value;
}

// RFC 5802: printable ASCII but for the comma.
bool is_nonce(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

std::optional<ScramHash> hash_of(std::string_view encoded) {
  const auto decoded = from_base64(encoded);
  ScramHash hash{};
  if (!decoded || decoded->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*decoded, reinterpret_cast<char*>(hash.data()));
  return hash;
}

bool same(const ScramHash& a, const ScramHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// Extensions that a later version may add: "x=value", none of which we have to understand.
bool are_extensions(std::string_view rest) {
  while (!rest.empty()) {
    const char name = rest[0];
    const bool letter = (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
    if (!letter || name == 'm' || !take(rest, name)) return false;
  }
  return true;
}

}  // namespace

ScramKeys scram_keys(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  std::string prepared = prepared_password(password);
  ScramHash salted{};
  check(PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), as_bytes(salt).data(),
                          static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                          static_cast<int>(salted.size()), salted.data()) == 1);
  wipe(prepared);
  ScramKeys keys;
  keys.client_key = hmac(salted, "Client Key");
  keys.stored_key = sha256(keys.client_key);
  keys.server_key = hmac(salted, "Server Key");
  OPENSSL_cleanse(salted.data(), salted.size());
  return keys;
}

std::string scram_nonce() {
  std::array<std::uint8_t, 18> bytes{};
  fill_random(bytes);
  return base64(bytes);
}

// --- client --------------------------------------------------------------------------------------

ScramClient::ScramClient(Gs2Flag flag, Bytes end_point, std::string nonce, std::string user)
    : flag_(flag),
      end_point_(as_text(end_point)),
      nonce_(std::move(nonce)),
      user_(std::move(user)) {}

ScramClient::~ScramClient() {
  OPENSSL_cleanse(server_key_.data(), server_key_.size());
}

std::string ScramClient::gs2_header() const {
  if (flag_ == Gs2Flag::kBound) return fmt::format("{},,", kBindingName);
  return fmt::format("{},,", static_cast<char>(flag_));
}

std::string ScramClient::bare() const {
  return fmt::format("n={},r={}", user_, nonce_);
}

std::string ScramClient::first() const {
  return gs2_header() + bare();
}

Result<std::string> ScramClient::answer(std::string_view server_first, std::string_view password,
                                        std::uint32_t maximum_iterations) {
  std::string_view rest = server_first;
  const auto nonce = take(rest, 'r');
  const auto encoded_salt = take(rest, 's');
  const auto count = take(rest, 'i');
  if (!nonce || !encoded_salt || !count || !are_extensions(rest) || !is_nonce(*nonce))
    return malformed("the server's first message of SCRAM");
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size())
    return fail("the server's nonce does not continue ours", std::errc::bad_message);
  const auto salt = from_base64(*encoded_salt);
  if (!salt || salt->empty() || salt->size() > kLongestSalt) return malformed("the server's salt");
  std::uint32_t iterations = 0;
  const auto read = std::from_chars(count->data(), count->data() + count->size(), iterations);
  if (read.ec != std::errc() || read.ptr != count->data() + count->size() || iterations < 1)
    return malformed("the server's number of iterations");
  if (iterations > maximum_iterations)
    return fail(fmt::format("the server asks for {} iterations of SCRAM, at most {} are done",
                            iterations, maximum_iterations),
                std::errc::value_too_large);
  std::string bound = gs2_header();
  if (flag_ == Gs2Flag::kBound) bound += end_point_;
  const std::string without_proof = fmt::format("c={},r={}", to_base64(bound), *nonce);
  auth_message_ = fmt::format("{},{},{}", bare(), server_first, without_proof);
  ScramKeys keys = scram_keys(password, *salt, iterations);
  const ScramHash proof = exclusive_or(keys.client_key, hmac(keys.stored_key, auth_message_));
  server_key_ = keys.server_key;
  OPENSSL_cleanse(&keys, sizeof keys);
  return fmt::format("{},p={}", without_proof, base64(proof));
}

Result<> ScramClient::verify(std::string_view server_final) const {
  std::string_view rest = server_final;
  if (const auto error = take(rest, 'e'))
    return fail(fmt::format("the server ended SCRAM: {}", printable(error->substr(0, 100))),
                std::errc::permission_denied);
  const auto signature = take(rest, 'v');
  if (!signature || !are_extensions(rest)) return malformed("the server's last message of SCRAM");
  const auto hash = hash_of(*signature);
  if (!hash || auth_message_.empty() || !same(*hash, hmac(server_key_, auth_message_)))
    return fail("the server did not show that it knows the password", std::errc::permission_denied);
  return {};
}

// --- server --------------------------------------------------------------------------------------

ScramServer::ScramServer(bool offered, bool plus, Bytes end_point, std::string nonce)
    : offered_(offered), plus_(plus), end_point_(as_text(end_point)), nonce_(std::move(nonce)) {}

Result<std::string> ScramServer::answer(std::string_view client_first, std::string_view salt,
                                        std::uint32_t iterations) {
  constexpr std::string_view kWhat = "the first message of SCRAM";
  const std::size_t flag_end = client_first.find(',');
  const std::size_t header_end =
      flag_end == client_first.npos ? flag_end : client_first.find(',', flag_end + 1);
  if (header_end == client_first.npos) return malformed(kWhat);
  const std::string_view flag = client_first.substr(0, flag_end);
  if (header_end != flag_end + 1)
    return fail("SCRAM with an authorization identity is not supported", std::errc::not_supported);
  if (flag == "y" && offered_)
    return fail("the client believes that channel binding was not offered, though it was",
                std::errc::permission_denied);
  if (flag.starts_with("p=") && flag != kBindingName)
    return fail("the only channel binding is tls-server-end-point", std::errc::not_supported);
  if (plus_ != (flag == kBindingName) || (flag != kBindingName && flag != "y" && flag != "n"))
    return malformed(kWhat);
  gs2_header_ = client_first.substr(0, header_end + 1);
  const std::string_view bare = client_first.substr(header_end + 1);
  std::string_view rest = bare;
  const auto user = take(rest, 'n');  // PostgreSQL's is the StartupMessage's.
  const auto nonce = take(rest, 'r');
  if (!user || !nonce || !is_nonce(*nonce) || !are_extensions(rest)) return malformed(kWhat);
  both_nonce_ = fmt::format("{}{}", *nonce, nonce_);
  std::string first = fmt::format("r={},s={},i={}", both_nonce_, to_base64(salt), iterations);
  messages_ = fmt::format("{},{},", bare, first);
  return first;
}

Result<std::optional<std::string>> ScramServer::finish(std::string_view client_final,
                                                       const ScramHash& stored_key,
                                                       const ScramHash& server_key) const {
  constexpr std::string_view kWhat = "the last message of SCRAM";
  const std::size_t proof_at = client_final.rfind(",p=");
  if (proof_at == client_final.npos || messages_.empty()) return malformed(kWhat);
  const std::string_view without_proof = client_final.substr(0, proof_at);
  std::string_view rest = without_proof;
  const auto binding = take(rest, 'c');
  const auto nonce = take(rest, 'r');
  const auto proof = hash_of(client_final.substr(proof_at + 3));
  if (!binding || !nonce || !proof || !are_extensions(rest)) return malformed(kWhat);
  if (*nonce != both_nonce_)
    return fail("the nonce of SCRAM changed", std::errc::permission_denied);
  std::string bound = gs2_header_;
  if (plus_) bound += end_point_;
  if (from_base64(*binding) != bound)
    return fail("the channel binding does not fit this connection", std::errc::permission_denied);
  const std::string auth_message = messages_ + std::string(without_proof);
  const ScramHash client_key = exclusive_or(*proof, hmac(stored_key, auth_message));
  if (!same(sha256(client_key), stored_key)) return std::nullopt;
  return fmt::format("v={}", base64(hmac(server_key, auth_message)));
}

}  // namespace agentsh::sql
