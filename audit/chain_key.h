// The secret that the log is chained with, and HMAC-SHA256 under it (RFC 2104).
//
// The key lives in a file of its own, so that whoever can write the log cannot sign for it. The
// file must belong to us or to root and must not be accessible to anybody else; its content is the
// key, without a final line break.
//
// Threads: one object belongs to one thread; copy() for others. The bytes are wiped on destruction.
#pragma once

#include "base/result.h"

#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace agentsh::audit {

// A SHA-256 value in lower-case hexadecimal.
using HexHash = std::array<char, 64>;
inline std::string_view as_view(const HexHash& hash) {
  return {hash.data(), hash.size()};
}

class ChainKey {
 public:
  static constexpr std::size_t kMinBytes = 32;

  // Reads the key. Fails with no_such_file_or_directory when there is none, permission_denied when
  // others could read it, invalid_argument when it is shorter than kMinBytes.
  static Result<ChainKey> load(const std::string& path);
  // The same, but makes a random key (mode 0600, on disk before this returns) when there is none.
  static Result<ChainKey> load_or_create(const std::string& path);
  static Result<ChainKey> from_bytes(std::string_view secret);

  ChainKey(ChainKey&&) noexcept;
  ChainKey& operator=(ChainKey&&) noexcept;
  ~ChainKey();
  Result<ChainKey> copy() const;

  // Names the key without telling it: 32 hexadecimal digits.
  const std::string& fingerprint() const;

  // HMAC of the parts' concatenation.
  HexHash sign(std::initializer_list<std::string_view> parts) const;

 private:
  struct State;
  explicit ChainKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Comparison whose duration does not depend on where the texts differ.
bool same_hash(std::string_view a, std::string_view b);

}  // namespace agentsh::audit
