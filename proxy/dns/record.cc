#include "proxy/dns/record.h"

#include "proxy/dns/message_writer.h"
#include "proxy/dns/wire_cursor.h"

#include <algorithm>

namespace agentsh::dns {
namespace {

bool parse_text(WireCursor& in, TextData& out) {
  while (in.ok() && !in.at_end()) out.strings.emplace_back(in.text8());
  return !out.strings.empty();
}

bool parse_soa(WireCursor& in, SoaData& out) {
  out.primary = in.name();
  out.mailbox = in.name();
  out.serial = in.u32();
  out.refresh = in.u32();
  out.retry = in.u32();
  out.expire = in.u32();
  out.minimum = in.u32();
  return true;
}

bool parse_caa(WireCursor& in, CaaData& out) {
  out.flags = in.u8();
  out.tag = in.text8();
  out.value = in.text(in.remaining());
  return !out.tag.empty();
}

bool parse_naptr(WireCursor& in, NaptrData& out) {
  out.order = in.u16();
  out.preference = in.u16();
  out.flags = in.text8();
  out.services = in.text8();
  out.expression = in.text8();
  out.replacement = in.name();
  return true;
}

bool parse_svcb(WireCursor& in, SvcbData& out) {
  out.priority = in.u16();
  out.target = in.name();
  int last = -1;
  while (in.ok() && !in.at_end()) {
    const std::uint16_t key = in.u16();
    const std::uint16_t length = in.u16();
    if (key <= last) return false;  // Twice, or out of order.
    last = key;
    out.parameters.push_back({static_cast<SvcKey>(key), std::string(in.text(length))});
  }
  return out.priority > 0 || out.parameters.empty();
}

template <class Data, class Parse>
bool parse_as(WireCursor& in, RecordData& out, Parse parse) {
  Data data;
  if (!parse(in, data)) return false;
  out = std::move(data);
  return true;
}

bool parse_address(WireCursor& in, std::size_t width, RecordData& out) {
  const std::string_view bytes = in.text(width);
  if (!in.ok()) return false;
  out = IpAddress::from_network(bytes.data(), width);
  return true;
}

bool parse_any(WireCursor& in, RrType type, RecordData& out) {
  switch (type) {
    case RrType::kA:
      return parse_address(in, 4, out);
    case RrType::kAaaa:
      return parse_address(in, 16, out);
    case RrType::kCname:
    case RrType::kNs:
    case RrType::kPtr:
    case RrType::kDname:
      out = NameData{in.name()};
      return true;
    case RrType::kMx: {
      const std::uint16_t preference = in.u16();
      out = MxData{preference, in.name()};
      return true;
    }
    case RrType::kSrv: {
      SrvData srv{in.u16(), in.u16(), in.u16(), {}};
      srv.target = in.name();
      out = std::move(srv);
      return true;
    }
    case RrType::kSoa:
      return parse_as<SoaData>(in, out, parse_soa);
    case RrType::kTxt:
    case RrType::kSpf:
      return parse_as<TextData>(in, out, parse_text);
    case RrType::kCaa:
      return parse_as<CaaData>(in, out, parse_caa);
    case RrType::kNaptr:
      return parse_as<NaptrData>(in, out, parse_naptr);
    case RrType::kSvcb:
    case RrType::kHttps:
      return parse_as<SvcbData>(in, out, parse_svcb);
    default:
      out = OpaqueData{std::string(in.text(in.remaining()))};
      return true;
  }
}

// True when `bytes` begin with a name in full, without a pointer.
bool has_plain_name(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto length = static_cast<std::uint8_t>(bytes.front());
    if (length == 0) return true;
    if (length > Name::kMaxLabelBytes || bytes.size() < 1u + length) return false;
    bytes.remove_prefix(1u + length);
  }
  return false;
}

constexpr RrType kPlainTypes[] = {
    RrType::kHinfo, RrType::kKey,    RrType::kLoc,   RrType::kCert,    RrType::kDs,
    RrType::kSshfp, RrType::kDnskey, RrType::kDhcid, RrType::kNsec3,   RrType::kNsec3param,
    RrType::kTlsa,  RrType::kSmimea, RrType::kCds,   RrType::kCdnskey, RrType::kOpenpgpkey,
    RrType::kCsync, RrType::kZonemd, RrType::kUri,
};

// Before the signer's name: type covered, algorithm, labels, TTL, two times, key tag (RFC 4034
// §3.1).
constexpr std::size_t kRrsigFixedBytes = 18;

struct DataWriter {
  MessageWriter& out;
  RrType type;

  void operator()(const IpAddress& address) const {
    const auto& bytes = address.bytes();
    out.bytes(type == RrType::kA ? Bytes(bytes).subspan(12) : Bytes(bytes));
  }
  void operator()(const NameData& data) const { out.name(data.target, type != RrType::kDname); }
  void operator()(const MxData& data) const {
    out.u16(data.preference);
    out.name(data.exchange, true);
  }
  void operator()(const SrvData& data) const {
    out.u16(data.priority);
    out.u16(data.weight);
    out.u16(data.port);
    out.name(data.target, false);
  }
  void operator()(const SoaData& data) const {
    out.name(data.primary, true);
    out.name(data.mailbox, true);
    for (std::uint32_t number :
         {data.serial, data.refresh, data.retry, data.expire, data.minimum}) {
      out.u32(number);
    }
  }
  void operator()(const TextData& data) const {
    for (const std::string& text : data.strings) out.text8(text);
  }
  void operator()(const CaaData& data) const {
    out.u8(data.flags);
    out.text8(data.tag);
    out.text(data.value);
  }
  void operator()(const NaptrData& data) const {
    out.u16(data.order);
    out.u16(data.preference);
    out.text8(data.flags);
    out.text8(data.services);
    out.text8(data.expression);
    out.name(data.replacement, false);
  }
  void operator()(const SvcbData& data) const {
    out.u16(data.priority);
    out.name(data.target, false);
    for (const SvcParameter& parameter : data.parameters) {
      out.u16(static_cast<std::uint16_t>(parameter.key));
      out.u16(static_cast<std::uint16_t>(parameter.value.size()));
      out.text(parameter.value);
    }
  }
  void operator()(const OpaqueData& data) const { out.text(data.bytes); }
};

}  // namespace

bool parse_record_data(Bytes message, std::size_t position, std::size_t length, RrType type,
                       RecordData& out) {
  WireCursor in(message, position, position + length);
  return parse_any(in, type, out) && in.ok() && in.at_end();
}

void write_record_data(MessageWriter& out, RrType type, const RecordData& data) {
  std::visit(DataWriter{out, type}, data);
}

bool may_copy(const Record& record) {
  const auto* opaque = std::get_if<OpaqueData>(&record.data);
  if (opaque == nullptr) return true;
  const std::string_view bytes = opaque->bytes;
  if (record.type == RrType::kRrsig) {
    return bytes.size() > kRrsigFixedBytes && has_plain_name(bytes.substr(kRrsigFixedBytes));
  }
  if (record.type == RrType::kNsec) return has_plain_name(bytes);
  return std::find(std::begin(kPlainTypes), std::end(kPlainTypes), record.type) !=
         std::end(kPlainTypes);
}

std::size_t Record::memory() const {
  struct Size {
    std::size_t operator()(const IpAddress&) const { return 0; }
    std::size_t operator()(const NameData& d) const { return d.target.wire().size(); }
    std::size_t operator()(const MxData& d) const { return d.exchange.wire().size(); }
    std::size_t operator()(const SrvData& d) const { return d.target.wire().size(); }
    std::size_t operator()(const SoaData& d) const {
      return d.primary.wire().size() + d.mailbox.wire().size();
    }
    std::size_t operator()(const TextData& d) const {
      std::size_t size = 0;
      for (const std::string& text : d.strings) size += sizeof(text) + text.size();
      return size;
    }
    std::size_t operator()(const CaaData& d) const { return d.tag.size() + d.value.size(); }
    std::size_t operator()(const NaptrData& d) const {
      return d.flags.size() + d.services.size() + d.expression.size() + d.replacement.wire().size();
    }
    std::size_t operator()(const SvcbData& d) const {
      std::size_t size = d.target.wire().size();
      for (const SvcParameter& p : d.parameters) size += sizeof(p) + p.value.size();
      return size;
    }
    std::size_t operator()(const OpaqueData& d) const { return d.bytes.size(); }
  };
  return sizeof(Record) + owner.wire().size() + std::visit(Size{}, data);
}

}  // namespace agentsh::dns
