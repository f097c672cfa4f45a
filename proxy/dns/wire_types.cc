#include "proxy/dns/wire_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentsh::dns {
namespace {

constexpr std::pair<RrType, std::string_view> kTypeNames[] = {
    {RrType::kA, "A"},
    {RrType::kNs, "NS"},
    {RrType::kMd, "MD"},
    {RrType::kMf, "MF"},
    {RrType::kCname, "CNAME"},
    {RrType::kSoa, "SOA"},
    {RrType::kMb, "MB"},
    {RrType::kMg, "MG"},
    {RrType::kMr, "MR"},
    {RrType::kNull, "NULL"},
    {RrType::kPtr, "PTR"},
    {RrType::kHinfo, "HINFO"},
    {RrType::kMinfo, "MINFO"},
    {RrType::kMx, "MX"},
    {RrType::kTxt, "TXT"},
    {RrType::kKey, "KEY"},
    {RrType::kAaaa, "AAAA"},
    {RrType::kLoc, "LOC"},
    {RrType::kSrv, "SRV"},
    {RrType::kNaptr, "NAPTR"},
    {RrType::kCert, "CERT"},
    {RrType::kDname, "DNAME"},
    {RrType::kOpt, "OPT"},
    {RrType::kDs, "DS"},
    {RrType::kSshfp, "SSHFP"},
    {RrType::kRrsig, "RRSIG"},
    {RrType::kNsec, "NSEC"},
    {RrType::kDnskey, "DNSKEY"},
    {RrType::kDhcid, "DHCID"},
    {RrType::kNsec3, "NSEC3"},
    {RrType::kNsec3param, "NSEC3PARAM"},
    {RrType::kTlsa, "TLSA"},
    {RrType::kSmimea, "SMIMEA"},
    {RrType::kCds, "CDS"},
    {RrType::kCdnskey, "CDNSKEY"},
    {RrType::kOpenpgpkey, "OPENPGPKEY"},
    {RrType::kCsync, "CSYNC"},
    {RrType::kZonemd, "ZONEMD"},
    {RrType::kSvcb, "SVCB"},
    {RrType::kHttps, "HTTPS"},
    {RrType::kSpf, "SPF"},
    {RrType::kTkey, "TKEY"},
    {RrType::kTsig, "TSIG"},
    {RrType::kIxfr, "IXFR"},
    {RrType::kAxfr, "AXFR"},
    {RrType::kMailb, "MAILB"},
    {RrType::kMaila, "MAILA"},
    {RrType::kAny, "ANY"},
    {RrType::kUri, "URI"},
    {RrType::kCaa, "CAA"},
};

bool equal_ignoring_case(std::string_view upper, std::string_view text) {
  return std::equal(upper.begin(), upper.end(), text.begin(), text.end(), [](char a, char b) {
    return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 'a' + 'A') : b);
  });
}

}  // namespace

std::string to_string(RrType type) {
  for (const auto& [value, name] : kTypeNames) {
    if (value == type) return std::string(name);
  }
  return fmt::format("TYPE{}", static_cast<unsigned>(type));
}

std::optional<RrType> parse_rr_type(std::string_view text) {
  for (const auto& [value, name] : kTypeNames) {
    if (equal_ignoring_case(name, text)) return value;
  }
  return {};
}

std::string to_string(Rcode rcode) {
  switch (rcode) {
    case Rcode::kNoError:
      return "NOERROR";
    case Rcode::kFormErr:
      return "FORMERR";
    case Rcode::kServFail:
      return "SERVFAIL";
    case Rcode::kNxDomain:
      return "NXDOMAIN";
    case Rcode::kNotImp:
      return "NOTIMP";
    case Rcode::kRefused:
      return "REFUSED";
    case Rcode::kBadVers:
      return "BADVERS";
  }
  return fmt::format("RCODE{}", static_cast<unsigned>(rcode));
}

}  // namespace agentsh::dns
