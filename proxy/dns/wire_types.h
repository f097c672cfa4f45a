// Numbers of the DNS protocol that have a name here: record types, classes, response codes,
// extended error codes. The enumerations are open: any 16-bit type is a valid value, named or not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::dns {

// IANA "Domain Name System (DNS) Parameters", resource record types.
enum class RrType : std::uint16_t {
  kA = 1,
  kNs = 2,
  kMd = 3,
  kMf = 4,
  kCname = 5,
  kSoa = 6,
  kMb = 7,
  kMg = 8,
  kMr = 9,
  kNull = 10,
  kPtr = 12,
  kHinfo = 13,
  kMinfo = 14,
  kMx = 15,
  kTxt = 16,
  kKey = 25,
  kAaaa = 28,
  kLoc = 29,
  kSrv = 33,
  kNaptr = 35,
  kCert = 37,
  kDname = 39,
  kOpt = 41,
  kDs = 43,
  kSshfp = 44,
  kRrsig = 46,
  kNsec = 47,
  kDnskey = 48,
  kDhcid = 49,
  kNsec3 = 50,
  kNsec3param = 51,
  kTlsa = 52,
  kSmimea = 53,
  kCds = 59,
  kCdnskey = 60,
  kOpenpgpkey = 61,
  kCsync = 62,
  kZonemd = 63,
  kSvcb = 64,
  kHttps = 65,
  kSpf = 99,
  kTkey = 249,
  kTsig = 250,
  kIxfr = 251,
  kAxfr = 252,
  kMailb = 253,
  kMaila = 254,
  kAny = 255,
  kUri = 256,
  kCaa = 257,
};

// "AAAA", or "TYPE65280" (RFC 3597 §5) for types without a name here.
std::string to_string(RrType type);
// The inverse, case-insensitive; nothing for unknown words.
std::optional<RrType> parse_rr_type(std::string_view text);

inline constexpr std::uint16_t kClassInternet = 1;

// The 12-bit code: four bits of the header and eight of the OPT record (RFC 6891 §6.1.3).
enum class Rcode : std::uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVers = 16,
};
// "NXDOMAIN", or "RCODE11".
std::string to_string(Rcode rcode);

// RFC 8914, the ones that we give.
enum class ErrorInfo : std::uint16_t {
  kOther = 0,
  kForged = 4,
  kBlocked = 15,     // A rule of the policy names it.
  kFiltered = 17,    // Part of the answer was taken out.
  kProhibited = 18,  // No rule allows it.
  kNotReady = 14,
  kNotSupported = 21,
  kNoReachableAuthority = 22,
  kNetworkError = 23,
  kInvalidData = 24,
};

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kMaxMessageBytes = 65535;
// What every client accepts over UDP without EDNS (RFC 1035 §4.2.1).
inline constexpr std::size_t kPlainUdpBytes = 512;
// Fits the IPv6 minimum MTU, so that no answer depends on IP fragments (DNS flag day 2020).
inline constexpr std::size_t kMaxUdpBytes = 1232;

}  // namespace agentsh::dns
