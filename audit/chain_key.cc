#include "audit/chain_key.h"

#include "base/encoding.h"
#include "base/file_io.h"
#include "base/random.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/stat.h>

#include <cstdlib>

namespace agentsh::audit {
namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

// The key file is opened once and judged by its descriptor: the file that is checked is the one
// that is read.
Result<std::string> read_secret(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return std::unexpected(errno_error("open audit key", path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(errno_error("stat", path));
  if (!S_ISREG(info.st_mode)) return fail("audit key " + path + ": not a regular file");
  if ((info.st_mode & 077) != 0) {
    return fail("audit key " + path + ": accessible to other users; chmod 600 it",
                std::errc::permission_denied);
  }
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return fail("audit key " + path + ": belongs to another user", std::errc::permission_denied);
  }
  return read_all(fd.get(), 64 << 10, path);
}

}  // namespace

struct ChainKey::State {
  std::string secret;
  std::string fingerprint;
  std::unique_ptr<EVP_MAC, FreeMac> mac;
  std::unique_ptr<EVP_MAC_CTX, FreeMac> context;
  ~State() { OPENSSL_cleanse(secret.data(), secret.size()); }
};

ChainKey::ChainKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChainKey::ChainKey(ChainKey&&) noexcept = default;
ChainKey& ChainKey::operator=(ChainKey&&) noexcept = default;
ChainKey::~ChainKey() = default;

Result<ChainKey> ChainKey::from_bytes(std::string_view secret) {
  if (secret.size() < kMinBytes) {
    return fail("an audit key needs at least 32 bytes, this one has " +
                std::to_string(secret.size()));
  }
  auto state = std::make_unique<State>();
  state->secret = secret;
  state->mac.reset(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (state->mac) state->context.reset(EVP_MAC_CTX_new(state->mac.get()));
  std::string digest = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
      OSSL_PARAM_construct_end()};
  if (!state->context || EVP_MAC_init(state->context.get(),
                                      reinterpret_cast<const unsigned char*>(state->secret.data()),
                                      state->secret.size(), parameters) != 1) {
    return fail("OpenSSL offers no HMAC-SHA256", std::errc::not_supported);
  }
  ChainKey key(std::move(state));
  const HexHash name = key.sign({"agentsh audit key fingerprint"});
  key.state_->fingerprint = as_view(name).substr(0, 32);
  return key;
}

Result<ChainKey> ChainKey::load(const std::string& path) {
  auto secret = read_secret(path);
  if (!secret) return std::unexpected(secret.error());
  std::string_view text = *secret;
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  auto key = from_bytes(text);
  OPENSSL_cleanse(secret->data(), secret->size());
  if (!key) return std::unexpected(with_context(key.error(), "audit key " + path));
  return key;
}

Result<ChainKey> ChainKey::load_or_create(const std::string& path) {
  auto key = load(path);
  if (key || key.error().code != std::errc::no_such_file_or_directory) return key;
  if (const std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    if (auto made = make_directories(path.substr(0, slash)); !made) {
      return std::unexpected(made.error());
    }
  }
  std::array<std::uint8_t, 32> bytes;
  fill_random(bytes);
  std::string text = to_hex(bytes) + "\n";
  const auto written = write_file_atomic(path, text, 0600);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  OPENSSL_cleanse(text.data(), text.size());
  if (!written) return std::unexpected(written.error());
  return load(path);
}

Result<ChainKey> ChainKey::copy() const {
  return from_bytes(state_->secret);
}

const std::string& ChainKey::fingerprint() const {
  return state_->fingerprint;
}

HexHash ChainKey::sign(std::initializer_list<std::string_view> parts) const {
  EVP_MAC_CTX* context = state_->context.get();
  std::array<unsigned char, 32> digest;
  std::size_t length = 0;
  // A null key starts over with the one that the context has.
  bool done = EVP_MAC_init(context, nullptr, 0, nullptr) == 1;
  for (const std::string_view part : parts) {
    done = done && EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(part.data()),
                                  part.size()) == 1;
  }
  done = done && EVP_MAC_final(context, digest.data(), &length, digest.size()) == 1;
  // It fails only when memory is out; an entry with a made-up hash must never be written.
  if (!done || length != digest.size()) std::abort();
  HexHash hash;
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < digest.size(); ++i) {
    hash[2 * i] = kDigits[digest[i] >> 4];
    hash[2 * i + 1] = kDigits[digest[i] & 15];
  }
  return hash;
}

bool same_hash(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace agentsh::audit
