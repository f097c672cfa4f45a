// Encodings that tokens and addresses are written in, decoded into buffers of the caller, and the
// check sums that go with them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace agentsh::dlp {

// CRC-32 as in IEEE 802.3 and zlib.
std::uint32_t crc32(std::string_view bytes);
// CRC-16/XMODEM.
std::uint16_t crc16_xmodem(std::span<const std::uint8_t> bytes);

// `value` in base 62 (0-9 A-Z a-z), most significant first, padded with '0' to six.
std::array<char, 6> base62(std::uint32_t value);

// Base64 of either alphabet (RFC 4648 sections 4 and 5), padding optional. At most out.size() bytes
// are written; decoding stops there. Nothing for a byte outside of the alphabets.
std::optional<std::string_view> decode_base64(std::string_view text, std::span<char> out);

// RFC 4648 section 6, no padding; nothing when it does not fit or is malformed.
std::optional<std::size_t> decode_base32(std::string_view text, std::span<std::uint8_t> out);

// Base58 with the check of four bytes as in Bitcoin; gives the payload's size, version byte
// included. At most 112 characters.
std::optional<std::size_t> decode_base58check(std::string_view text, std::span<std::uint8_t> out);

// BIP 173 (Bech32) or BIP 350 (Bech32m): is the check right? One letter case only.
bool is_bech32(std::string_view text);

// Keccak-256 as Ethereum uses it (the padding before FIPS 202).
std::array<std::uint8_t, 32> keccak256(std::string_view bytes);

}  // namespace agentsh::dlp
