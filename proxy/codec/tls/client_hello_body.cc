// The fields of a ClientHello and those of its extensions that matter to us.
#include "base/domain.h"
#include "base/encoding.h"
#include "base/ip.h"
#include "proxy/codec/tls/client_hello.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace agentsh::tls {
namespace {

enum Extension : std::uint16_t {
  kServerName = 0,
  kAlpn = 16,
  kPreSharedKey = 41,
  kEarlyData = 42,
  kSupportedVersions = 43,
  kEncryptedClientHello = 0xfe0d,
};

std::unexpected<Error> refused(HelloErrc code, std::string why) {
  const std::error_code error = code;
  return std::unexpected(Error{error, error.message() + ": " + std::move(why)});
}
std::unexpected<Error> malformed(std::string why) {
  return refused(HelloErrc::kMalformed, std::move(why));
}

// RFC 8701: values that clients sprinkle in so that servers learn to ignore unknown ones.
bool is_grease(std::uint16_t value) {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

// A name whose last label is a number is an IPv4 address to inet_aton(3) and to browsers ("127.1",
// "0x7f000001"): never a host name.
bool ends_in_number(std::string_view name) {
  const std::string_view label = name.substr(name.rfind('.') + 1);
  if (std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; })) return true;
  return label.starts_with("0x") && std::ranges::all_of(label.substr(2), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<std::string> checked_name(Bytes raw) {
  const std::string_view text = as_text(raw);
  std::optional<std::string> name = canonical_host(text);
  if (!name) {
    return refused(HelloErrc::kBadServerName,
                   fmt::format("'{}' is not a host name", printable(text.substr(0, 300))));
  }
  if (ends_in_number(*name)) {
    return refused(HelloErrc::kBadServerName,
                   fmt::format("'{}' is an address; RFC 6066 allows host names only", *name));
  }
  return std::move(*name);
}

Result<> read_server_name(Bytes data, ClientHello& hello) {
  ByteReader outer(data);
  ByteReader list(outer.vector16());
  const std::uint8_t type = list.u8();
  const Bytes name = list.vector16();
  if (!outer.ok() || !list.ok()) return malformed("server_name is cut short");
  if (type != 0) return malformed(fmt::format("server_name of type {}", type));
  if (list.remaining() > 0 || outer.remaining() > 0) {
    return malformed("server_name holds more than one name");
  }
  Result<std::string> checked = checked_name(name);
  if (!checked) return std::unexpected(checked.error());
  hello.server_name = std::move(*checked);
  return {};
}

Result<> read_alpn(Bytes data, ClientHello& hello) {
  ByteReader outer(data);
  ByteReader list(outer.vector16());
  if (!outer.ok() || outer.remaining() > 0)
    return malformed("the protocol list has a wrong length");
  while (list.remaining() > 0) {
    const Bytes name = list.vector8();
    if (!list.ok() || name.empty()) return malformed("a protocol name is empty or cut short");
    hello.alpn.emplace_back(as_text(name));
  }
  if (hello.alpn.empty()) return malformed("the protocol list is empty");
  return {};
}

Result<> read_versions(Bytes data, ClientHello& hello) {
  ByteReader outer(data);
  ByteReader list(outer.vector8());
  if (!outer.ok() || outer.remaining() > 0 || list.remaining() < 2 || list.remaining() % 2 != 0) {
    return malformed("supported_versions has a wrong length");
  }
  hello.versions.clear();
  while (list.remaining() > 0) {
    const std::uint16_t version = list.u16();
    if (!is_grease(version)) hello.versions.push_back(version);
  }
  return {};
}

Result<> read_extension(std::uint16_t type, Bytes data, ClientHello& hello) {
  switch (type) {
    case kServerName:
      return read_server_name(data, hello);
    case kAlpn:
      return read_alpn(data, hello);
    case kSupportedVersions:
      return read_versions(data, hello);
    case kEncryptedClientHello:
      hello.encrypted_client_hello = true;
      return {};
    case kEarlyData:
      hello.early_data = true;
      return {};
    default:
      return {};
  }
}

Result<> read_extensions(Bytes block, ClientHello& hello) {
  ByteReader reader(block);
  std::set<std::uint16_t> seen;
  while (reader.remaining() > 0) {
    const std::uint16_t type = reader.u16();
    const Bytes data = reader.vector16();
    if (!reader.ok()) return malformed("an extension is cut short");
    // Which of two would count is up to the reader.
    if (!seen.insert(type).second) return malformed(fmt::format("extension {} twice", type));
    if (type == kPreSharedKey && reader.remaining() > 0) {
      return malformed("pre_shared_key is not the last extension");
    }
    Result<> read = read_extension(type, data, hello);
    if (!read) return read;
  }
  return {};
}

}  // namespace

Result<ClientHello> parse_client_hello_body(Bytes body) {
  ClientHello hello;
  ByteReader reader(body);
  const std::uint16_t version = reader.u16();
  reader.skip(32);  // Random.
  const Bytes session = reader.vector8();
  const Bytes ciphers = reader.vector16();
  const Bytes compressions = reader.vector8();
  if (!reader.ok()) return malformed("it ends before its extensions");
  if (version >> 8 != 3) return malformed(fmt::format("version 0x{:04x}", version));
  if (session.size() > 32) return malformed("a session id of more than 32 bytes");
  if (ciphers.empty() || ciphers.size() % 2 != 0) return malformed("a cipher list of odd length");
  if (std::ranges::find(compressions, 0) == compressions.end()) {
    return malformed("it does not offer to go without compression");
  }
  hello.versions = {version};
  if (reader.remaining() == 0) return hello;  // TLS 1.2 and older may have no extensions.

  const Bytes extensions = reader.vector16();
  if (!reader.ok() || reader.remaining() > 0) return malformed("bytes behind its extensions");
  Result<> read = read_extensions(extensions, hello);
  if (!read) return std::unexpected(read.error());
  return hello;
}

}  // namespace agentsh::tls
