// Resource records, parsed. Types that may carry names, addresses or parameters which matter here
// are taken apart, so that an answer is built anew from what was understood; the rest is opaque,
// and may_copy() says whether its bytes may go into another message.
#pragma once

#include "base/ip.h"
#include "proxy/dns/name.h"
#include "proxy/dns/wire_types.h"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace agentsh::dns {

class MessageWriter;

// CNAME, NS, PTR, DNAME.
struct NameData {
  Name target;
  bool operator==(const NameData&) const = default;
};
struct MxData {
  std::uint16_t preference = 0;
  Name exchange;
  bool operator==(const MxData&) const = default;
};
struct SrvData {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  Name target;
  bool operator==(const SrvData&) const = default;
};
struct SoaData {
  Name primary;
  Name mailbox;
  std::uint32_t serial = 0;
  std::uint32_t refresh = 0;
  std::uint32_t retry = 0;
  std::uint32_t expire = 0;
  std::uint32_t minimum = 0;  // The negative TTL's bound (RFC 2308 §4).
  bool operator==(const SoaData&) const = default;
};
// TXT and SPF: one or more character strings.
struct TextData {
  std::vector<std::string> strings;
  bool operator==(const TextData&) const = default;
};
struct CaaData {
  std::uint8_t flags = 0;
  std::string tag;
  std::string value;
  bool operator==(const CaaData&) const = default;
};
struct NaptrData {
  std::uint16_t order = 0;
  std::uint16_t preference = 0;
  std::string flags;
  std::string services;
  std::string expression;
  Name replacement;
  bool operator==(const NaptrData&) const = default;
};

// SVCB and HTTPS (RFC 9460 §2.2). Priority 0 is the alias form.
enum class SvcKey : std::uint16_t {
  kMandatory = 0,
  kAlpn = 1,
  kNoDefaultAlpn = 2,
  kPort = 3,
  kIpv4Hint = 4,
  kEch = 5,
  kIpv6Hint = 6,
};
struct SvcParameter {
  SvcKey key;
  std::string value;
  bool operator==(const SvcParameter&) const = default;
};
struct SvcbData {
  std::uint16_t priority = 0;
  Name target;
  std::vector<SvcParameter> parameters;  // In ascending order of their keys, as the RFC demands.
  bool operator==(const SvcbData&) const = default;
};

struct OpaqueData {
  std::string bytes;
  bool operator==(const OpaqueData&) const = default;
};

// Empty RDATA of a type that cannot be empty does not parse, so each alternative is complete. A and
// AAAA hold an IpAddress; a mapped AAAA is an IPv4 address there, written as it came.
using RecordData = std::variant<IpAddress, NameData, MxData, SrvData, SoaData, TextData, CaaData,
                                NaptrData, SvcbData, OpaqueData>;

struct Record {
  Name owner;
  RrType type = RrType::kA;
  std::uint32_t ttl = 0;  // Seconds.
  RecordData data;
  bool operator==(const Record&) const = default;

  const IpAddress* address() const { return std::get_if<IpAddress>(&data); }
  // Bytes in memory, about, for the cache's budget.
  std::size_t memory() const;
};

// Parses the RDATA of `type` at `position` of `message`, `length` bytes that are there. Names
// inside may be compressed where RFC 1035 types allow it. False when it is malformed.
bool parse_record_data(Bytes message, std::size_t position, std::size_t length, RrType type,
                       RecordData& out);

// Appends the RDATA without its length; names of RFC 1035 types are compressed.
void write_record_data(MessageWriter& out, RrType type, const RecordData& data);

// True for records that were taken apart, and for opaque ones whose type is known to hold no name
// that could be compressed (RFC 3597 §4): bytes that point into one message mean something else in
// another.
bool may_copy(const Record& record);

}  // namespace agentsh::dns
