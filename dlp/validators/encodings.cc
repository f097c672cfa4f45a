#include "dlp/validators/encodings.h"

#include <openssl/sha.h>

#include <bit>
#include <cstring>
#include <utility>

namespace agentsh::dlp {

namespace {

constexpr std::array<std::uint32_t, 256> make_crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t n = 0; n < 256; ++n) {
    std::uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
    table[n] = c;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrc32 = make_crc32_table();

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

int base58_value(char c) {
  static constexpr std::string_view kAlphabet =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const auto at = kAlphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

int bech32_value(char c) {
  static constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  const auto at = kAlphabet.find(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::uint32_t bech32_step(std::uint32_t state, int value) {
  constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2U, 0x26508e6dU, 0x1ea119faU,
                                                       0x3d4233ddU, 0x2a1462b3U};
  const std::uint32_t top = state >> 25;
  state = (state & 0x1ffffffU) << 5 ^ static_cast<std::uint32_t>(value);
  for (std::size_t i = 0; i < kGenerator.size(); ++i) {
    if ((top >> i & 1) != 0) state ^= kGenerator[i];
  }
  return state;
}

// One permutation of Keccak-f[1600].
void keccak_f(std::array<std::uint64_t, 25>& a) {
  constexpr std::array<std::uint64_t, 24> kRound = {
      0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
      0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
      0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
      0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
      0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
      0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
  constexpr std::array<int, 24> kRotation = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                             27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};
  constexpr std::array<std::size_t, 24> kLane = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                                 15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
  for (const std::uint64_t constant : kRound) {
    std::array<std::uint64_t, 5> column{};
    for (std::size_t x = 0; x < 5; ++x) {
      column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    }
    for (std::size_t x = 0; x < 5; ++x) {
      const std::uint64_t mix = column[(x + 4) % 5] ^ std::rotl(column[(x + 1) % 5], 1);
      for (std::size_t y = 0; y < 25; y += 5) a[y + x] ^= mix;
    }
    std::uint64_t carried = a[1];
    for (std::size_t i = 0; i < 24; ++i) {
      carried = std::exchange(a[kLane[i]], std::rotl(carried, kRotation[i]));
    }
    for (std::size_t y = 0; y < 25; y += 5) {
      std::array<std::uint64_t, 5> row{};
      for (std::size_t x = 0; x < 5; ++x) row[x] = a[y + x];
      for (std::size_t x = 0; x < 5; ++x)
        a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
    a[0] ^= constant;
  }
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = kCrc32[(crc ^ static_cast<std::uint8_t>(c)) & 0xFF] ^ crc >> 8;
  return ~crc;
}

std::uint16_t crc16_xmodem(std::span<const std::uint8_t> bytes) {
  unsigned crc = 0;
  for (const std::uint8_t byte : bytes) {
    crc ^= static_cast<unsigned>(byte) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? crc << 1 ^ 0x1021U : crc << 1;
  }
  return static_cast<std::uint16_t>(crc);
}

std::array<char, 6> base62(std::uint32_t value) {
  static constexpr std::string_view kAlphabet =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<char, 6> text{};
  for (std::size_t i = text.size(); i-- > 0; value /= 62) text[i] = kAlphabet[value % 62];
  return text;
}

std::optional<std::string_view> decode_base64(std::string_view text, std::span<char> out) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t size = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    if (size == out.size()) break;
    out[size++] = static_cast<char>(bits >> held & 0xFF);
  }
  return std::string_view(out.data(), size);
}

std::optional<std::size_t> decode_base32(std::string_view text, std::span<std::uint8_t> out) {
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t size = 0;
  for (const char c : text) {
    int value = -1;
    if (c >= 'A' && c <= 'Z') value = c - 'A';
    if (c >= '2' && c <= '7') value = c - '2' + 26;
    if (value < 0) return std::nullopt;
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    held += 5;
    if (held < 8) continue;
    held -= 8;
    if (size == out.size()) return std::nullopt;
    out[size++] = static_cast<std::uint8_t>(bits >> held & 0xFF);
  }
  return size;
}

std::optional<std::size_t> decode_base58check(std::string_view text, std::span<std::uint8_t> out) {
  constexpr std::size_t kMaxCharacters = 112;
  if (text.size() > kMaxCharacters) return std::nullopt;
  std::array<std::uint8_t, 96> number{};  // Big-endian, as much of its end as is used.
  std::size_t used = 0;
  for (const char c : text) {
    int carry = base58_value(c);
    if (carry < 0) return std::nullopt;
    for (std::size_t i = 0; i < used || carry != 0; ++i) {
      if (i == number.size()) return std::nullopt;
      std::uint8_t& byte = number[number.size() - 1 - i];
      carry += 58 * byte;
      byte = static_cast<std::uint8_t>(carry & 0xFF);
      carry >>= 8;
      if (i == used) ++used;
    }
  }
  std::size_t zeros = 0;
  while (zeros < text.size() && text[zeros] == '1') ++zeros;
  const std::size_t size = zeros + used;
  if (size < 5 || size > number.size() || size - 4 > out.size()) return std::nullopt;
  const std::uint8_t* bytes = number.data() + number.size() - size;
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes, size - 4, digest.data());
  SHA256(digest.data(), digest.size(), digest.data());
  if (std::memcmp(digest.data(), bytes + size - 4, 4) != 0) return std::nullopt;
  std::memcpy(out.data(), bytes, size - 4);
  return size - 4;
}

bool is_bech32(std::string_view text) {
  const auto separator = text.rfind('1');
  if (separator == std::string_view::npos || separator == 0 || text.size() - separator < 7) {
    return false;
  }
  bool lower = false;
  bool upper = false;
  for (const char c : text) {
    lower = lower || (c >= 'a' && c <= 'z');
    upper = upper || (c >= 'A' && c <= 'Z');
  }
  if (lower && upper) return false;
  const auto prefix = [&](std::size_t i) {
    return upper && text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i];
  };
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < separator; ++i) state = bech32_step(state, prefix(i) >> 5);
  state = bech32_step(state, 0);
  for (std::size_t i = 0; i < separator; ++i) state = bech32_step(state, prefix(i) & 31);
  for (const char c : text.substr(separator + 1)) {
    const int value = bech32_value(c);
    if (value < 0) return false;
    state = bech32_step(state, value);
  }
  return state == 1 || state == 0x2bc830a3U;
}

std::array<std::uint8_t, 32> keccak256(std::string_view bytes) {
  constexpr std::size_t kRate = 136;
  std::array<std::uint64_t, 25> state{};
  const auto absorb = [&](std::size_t at, std::uint8_t byte) {
    state[at / 8] ^= static_cast<std::uint64_t>(byte) << at % 8 * 8;
  };
  std::size_t at = 0;
  for (const char c : bytes) {
    absorb(at++, static_cast<std::uint8_t>(c));
    if (at == kRate) {
      keccak_f(state);
      at = 0;
    }
  }
  absorb(at, 0x01);
  absorb(kRate - 1, 0x80);
  keccak_f(state);
  std::array<std::uint8_t, 32> digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(state[i / 8] >> i % 8 * 8 & 0xFF);
  }
  return digest;
}

}  // namespace agentsh::dlp
