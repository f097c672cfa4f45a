#include "proxy/flows/sniffer.h"

#include "proxy/codec/http/text.h"

#include <algorithm>
#include <array>

namespace agentsh::flows {
namespace {

// A hello as SSL 2 had it, which OpenSSL still takes for TLS 1.2. Those are shorter than 512 bytes.
Match match_old_hello(Bytes start) {
  constexpr std::uint8_t kHello = 0x01;
  if (start[0] != 0x80 && start[0] != 0x81) return Match::kNo;
  if (start.size() > 2 && start[2] != kHello) return Match::kNo;
  if (start.size() > 3 && start[3] != 0x03 && start[3] != 0x00) return Match::kNo;
  return start.size() > 3 ? Match::kYes : Match::kMore;
}

// Whatever some server takes for the beginning of TLS: the TLS engine refuses what is not well
// formed. A raw relay would carry a handshake that nobody saw to whatever name is in it. Servers
// differ in what they make of a handshake record's version (RFC 8446 section 5.1 says ignore it),
// and some skip other records in front of it.
Match match_tls(Bytes start) {
  constexpr std::uint8_t kChangeCipherSpec = 0x14, kHandshake = 0x16, kApplicationData = 0x17;
  if (start[0] == kHandshake) return Match::kYes;
  if (start[0] < kChangeCipherSpec || start[0] > kApplicationData) return match_old_hello(start);
  if (start.size() < 2) return Match::kMore;
  return start[1] == 0x03 ? Match::kYes : Match::kNo;
}

// What begins a connection of the PostgreSQL protocol: a length, then a version 3.x or the code of
// a request.
Match match_postgres(Bytes start) {
  constexpr std::uint32_t kCancel = 80877102, kGssEncryption = 80877104;
  constexpr std::uint32_t kShortest = 8, kLongest = 10'000;
  for (std::size_t i = 0; i < 2 && i < start.size(); ++i) {
    if (start[i] != 0) return Match::kNo;
  }
  if (start.size() < 4) return Match::kMore;
  ByteReader reader(start);
  const std::uint32_t length = reader.u32();
  if (length < kShortest || length > kLongest) return Match::kNo;
  if (start.size() < 8) return Match::kMore;
  const std::uint32_t code = reader.u32();
  return (code >= kCancel && code <= kGssEncryption) || (code >> 16) == 3 ? Match::kYes
                                                                          : Match::kNo;
}

bool contains_http(std::string_view line) {
  constexpr std::string_view kMark = "http/";
  for (std::size_t i = 0; i + kMark.size() <= line.size(); ++i) {
    if (http::equal_ignoring_case(line.substr(i, kMark.size()), kMark)) return true;
  }
  return false;
}

bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 ? byte != 0x7f : c == '\t' || c == '\r' || c == '\n';
}

// A first line that names an HTTP version, whatever else is wrong with it.
Match match_http(Bytes start) {
  std::string_view text = as_text(start);
  const std::size_t begin = std::min(text.find_first_not_of("\r\n\t "), text.size());
  text.remove_prefix(begin);
  if (text.empty()) return Match::kMore;
  if (!http::is_token_char(text.front())) return Match::kNo;
  static constexpr std::array<std::string_view, 9> kMethods = {
      "GET ", "POST ", "PUT ", "DELETE ", "HEAD ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "};
  if (std::ranges::any_of(kMethods, [text](auto method) { return text.starts_with(method); })) {
    return Match::kYes;
  }
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  if (!std::ranges::all_of(line, is_text)) return Match::kNo;
  if (contains_http(line)) return Match::kYes;
  return end < text.size() ? Match::kNo : Match::kMore;
}

struct Entry {
  Protocol protocol;
  Match (*match)(Bytes start);
};

constexpr std::array<Entry, 3> kTable = {{
    {Protocol::kTls, match_tls},
    {Protocol::kHttp, match_http},
    {Protocol::kPostgres, match_postgres},
}};

}  // namespace

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTls:
      return "tls";
    case Protocol::kHttp:
      return "http";
    case Protocol::kPostgres:
      return "postgres";
    case Protocol::kRaw:
      break;
  }
  return "tcp";
}

Sniffed sniff(Bytes start) {
  bool undecided = false;
  for (const Entry& entry : kTable) {
    const Match match = entry.match(start);
    if (match == Match::kYes) return {Match::kYes, entry.protocol};
    undecided = undecided || match == Match::kMore;
  }
  if (!undecided) return {Match::kYes, Protocol::kRaw};
  if (start.size() >= kMaxSniffBytes) return {Match::kYes, Protocol::kHttp};
  return {Match::kMore, Protocol::kRaw};
}

}  // namespace agentsh::flows
