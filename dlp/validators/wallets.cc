// Addresses and private keys of chains.

#include "dlp/validators/encodings.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>

namespace agentsh::dlp {

namespace {

// The version byte of a Base58Check text with `size` bytes of payload behind it (0: any), or -1.
int base58_version(std::string_view value, std::size_t size) {
  std::array<std::uint8_t, 96> payload{};
  const auto length = decode_base58check(value, payload);
  if (!length || (size != 0 && *length != size + 1)) return -1;
  return payload[0];
}

// Base58Check, with one of the version bytes given.
bool base58check(std::string_view value, const ValidatorParameters& parameters) {
  const int version = base58_version(value, 0);
  if (version < 0) return false;
  return parameters.numbers.empty() ||
         std::ranges::find(parameters.numbers, version) != parameters.numbers.end();
}

bool bech32(std::string_view value, const ValidatorParameters&) {
  return is_bech32(value);
}

// P2PKH, P2SH or a segregated witness address.
bool bitcoin_address(std::string_view value, const ValidatorParameters&) {
  if (value.starts_with("bc1")) return is_bech32(value);
  const int version = base58_version(value, 20);
  return version == 0 || version == 5;
}

bool litecoin_address(std::string_view value, const ValidatorParameters&) {
  if (value.starts_with("ltc1")) return is_bech32(value);
  const int version = base58_version(value, 20);
  return version == 48 || version == 50 || version == 30;  // L, M; Dogecoin's D.
}

// EIP-55: the letters' case is a check sum. Without mixed case there is none.
bool ethereum_address(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 42) return false;
  std::array<char, 40> lower{};
  bool has_lower = false;
  bool has_upper = false;
  unsigned zeros = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    const char c = value[i + 2];
    has_lower = has_lower || (c >= 'a' && c <= 'f');
    has_upper = has_upper || (c >= 'A' && c <= 'F');
    zeros += c == '0' ? 1 : 0;
    lower[i] = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
  }
  if (zeros > 20) return false;  // 0x000...: the zero address, precompiled contracts, constants.
  if (!has_lower || !has_upper) return has_lower || has_upper;
  const auto digest = keccak256({lower.data(), lower.size()});
  for (std::size_t i = 0; i < 40; ++i) {
    if (lower[i] < 'a') continue;
    const int nibble = i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 15;
    if ((nibble >= 8) != (value[i + 2] != lower[i])) return false;
  }
  return true;
}

// SEP-23: version 18 (<< 3), 32 bytes and their CRC-16 in base32.
bool stellar_seed(std::string_view value, const ValidatorParameters&) {
  std::array<std::uint8_t, 40> bytes{};
  const auto size = decode_base32(value, bytes);
  if (!size || *size != 35 || bytes[0] != 18 << 3) return false;
  const unsigned crc = crc16_xmodem(std::span(bytes).first(33));
  return bytes[33] == (crc & 0xFF) && bytes[34] == crc >> 8;
}

constexpr std::array kEntries = {
    ValidatorEntry{"base58check", base58check, 0, 4, "Base58Check, with version byte N"},
    ValidatorEntry{"bech32", bech32, 0, 0, "the check of Bech32 or Bech32m"},
    ValidatorEntry{"bitcoin_address", bitcoin_address, 0, 0, "check of a Bitcoin address"},
    ValidatorEntry{"ethereum_address", ethereum_address, 0, 0, "EIP-55 where letter case is mixed"},
    ValidatorEntry{"litecoin_address", litecoin_address, 0, 0,
                   "check of a Litecoin or Dogecoin address"},
    ValidatorEntry{"stellar_seed", stellar_seed, 0, 0, "version and CRC-16 of a Stellar seed"},
};

}  // namespace

std::span<const ValidatorEntry> wallet_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
