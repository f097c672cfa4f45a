// Vehicles (ISO 3779), mobile equipment (3GPP TS 23.003), network addresses, positions.

#include "base/ip.h"
#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace agentsh::dlp {

namespace {

// 49 CFR 565: letters as numbers, weights, modulus 11, the check in the ninth place.
bool vin(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 17) return false;
  static constexpr std::array<int, 26> kLetters = {1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4,
                                                   5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9};
  static constexpr std::array<int, 17> kWeights = {8, 7, 6, 5, 4, 3, 2, 10, 0,
                                                   9, 8, 7, 6, 5, 4, 3, 2};
  int sum = 0;
  std::size_t letters = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'A' || c > 'Z')) return false;
    letters += digit ? 0 : 1;
    sum += (digit ? c - '0' : kLetters[static_cast<std::size_t>(c - 'A')]) * kWeights[i];
  }
  const int check = sum % 11;
  return letters >= 3 && letters < 17 &&
         value[8] == (check == 10 ? 'X' : static_cast<char>('0' + check));
}

// The reporting body identifiers that have been in use, and Luhn.
bool imei(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.size() != 15 || digits.is_sequence() || !luhn(digits)) return false;
  const auto body = digits.number(0, 2);
  return body == 1 || body == 10 || body == 30 || body == 33 || body == 35 || body == 44 ||
         body == 45 || body == 49 || (body >= 50 && body <= 54) || body == 86 || body == 91 ||
         (body >= 97 && body <= 99);
}

bool is_reserved_ipv4(const std::array<int, 4>& part) {
  return part[0] == 0 || part[0] == 10 || part[0] == 127 || part[0] >= 224 ||
         (part[0] == 100 && part[1] >= 64 && part[1] < 128) || (part[0] == 169 && part[1] == 254) ||
         (part[0] == 172 && part[1] >= 16 && part[1] < 32) || (part[0] == 192 && part[1] == 168) ||
         (part[0] == 192 && part[1] == 0 && part[2] <= 2) ||
         (part[0] == 198 && (part[1] == 18 || part[1] == 19)) ||
         (part[0] == 198 && part[1] == 51 && part[2] == 100) ||
         (part[0] == 203 && part[1] == 0 && part[2] == 113);
}

// An address that is routed, and no version number: three parts below 20 or all below 32 are (and
// the well-known resolvers 1.1.1.1 and 8.8.8.8, which are nobody's personal data).
bool public_ipv4(std::string_view value, const ValidatorParameters&) {
  std::array<int, 4> part{};
  std::size_t small = 0;
  const char* at = value.data();
  const char* const end = at + value.size();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return false;
    if (at == end) return false;
    const char first = *at;
    const auto [next, error] = std::from_chars(at, end, part[i]);
    if (error != std::errc() || part[i] > 255 || (first == '0' && next - at > 1)) return false;
    at = next;
    small += part[i] < 20 ? 1 : 0;
  }
  const bool version = small >= 3 || std::ranges::max(part) < 32;
  return at == end && !version && !is_reserved_ipv4(part);
}

// A global unicast address that is not for documentation (2001:db8::/32, 3fff::/20).
bool public_ipv6(std::string_view value, const ValidatorParameters&) {
  if (!IpAddress::parse(value)) return false;
  const auto colons = std::ranges::count(value, ':');
  if (colons < 7 && !value.contains("::")) return false;
  return !value.starts_with("2001:db8") && !value.starts_with("2001:DB8") &&
         !value.starts_with("2001:0db8") && !value.starts_with("3fff:");
}

// Some device's: not all zeros or ones, not the same byte six times, not 00:11:22:33:44:55.
bool mac_address(std::string_view value, const ValidatorParameters&) {
  std::array<char, 12> text{};
  std::size_t size = 0;
  bool digit = false;
  for (const char c : value) {
    if (c == ':' || c == '-' || c == '.') continue;
    if (size == text.size()) return false;
    digit = digit || (c >= '0' && c <= '9');
    text[size++] = static_cast<char>(c | 32);
  }
  if (size != 12 || !digit) return false;
  bool same = true;
  bool steps = true;
  for (std::size_t i = 2; i < 12; i += 2) {
    same = same && text[i] == text[0] && text[i + 1] == text[1];
    steps = steps && text[i] == text[i + 1];
  }
  return !same && !steps;
}

bool coordinates(std::string_view value, const ValidatorParameters&) {
  double latitude = 0;
  const char* const end = value.data() + value.size();
  const auto [next, error] = std::from_chars(value.data(), end, latitude);
  if (error != std::errc()) return false;
  const auto second =
      value.find_first_of("-0123456789", static_cast<std::size_t>(next - value.data()));
  double longitude = 0;
  if (second == std::string_view::npos ||
      std::from_chars(value.data() + second, end, longitude).ec != std::errc()) {
    return false;
  }
  return latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180 &&
         (latitude > 1 || latitude < -1 || longitude > 1 || longitude < -1);
}

constexpr std::array kEntries = {
    ValidatorEntry{"coordinates", coordinates, 0, 0, "latitude and longitude in their ranges"},
    ValidatorEntry{"imei", imei, 0, 0, "reporting body and Luhn sum of an IMEI"},
    ValidatorEntry{"mac_address", mac_address, 0, 0, "an address that some device can have"},
    ValidatorEntry{"public_ipv4", public_ipv4, 0, 0, "an IPv4 address that is routed"},
    ValidatorEntry{"public_ipv6", public_ipv6, 0, 0, "an IPv6 address that is routed"},
    ValidatorEntry{"vin", vin, 0, 0, "check digit of a VIN"},
};

}  // namespace

std::span<const ValidatorEntry> device_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
