#include "sqlguard/codec/startup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentsh::sql {
namespace {

// In place of a version: 1234 and a number.
constexpr std::uint32_t kCancelCode = 1234u << 16 | 5678;
constexpr std::uint32_t kSslCode = 1234u << 16 | 5679;
constexpr std::uint32_t kGssEncCode = 1234u << 16 | 5680;
constexpr std::uint8_t kTlsHandshake = 0x16;

// Up to the next NUL; nothing when there is none.
std::optional<std::string_view> take_string(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view text = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return text;
}

Result<StartupPacket> read_parameters(std::uint32_t version, Bytes body) {
  StartupMessage message{.major = static_cast<std::uint16_t>(version >> 16),
                         .minor = static_cast<std::uint16_t>(version)};
  if (message.major != 3)
    return fail(
        fmt::format("protocol version {}.{} is not spoken here", message.major, message.minor),
        std::errc::protocol_not_supported);
  std::string_view rest = as_text(body);
  while (true) {
    const auto name = take_string(rest);
    if (!name) return fail("the startup message does not end", std::errc::bad_message);
    if (name->empty()) break;
    const auto value = take_string(rest);
    if (!value) return fail("a startup parameter has no value", std::errc::bad_message);
    message.parameters.emplace_back(*name, *value);
  }
  if (!rest.empty()) return fail("there is more in the startup message", std::errc::bad_message);
  return message;
}

Result<StartupPacket> read_packet(std::uint32_t code, Bytes body) {
  const auto empty = [&](StartupPacket packet) -> Result<StartupPacket> {
    if (!body.empty()) return fail("a request has a body", std::errc::bad_message);
    return packet;
  };
  if (code == kSslCode) return empty(SslRequest{});
  if (code == kGssEncCode) return empty(GssEncRequest{});
  if (code != kCancelCode) return read_parameters(code, body);
  if (body.size() < 8 || body.size() > 4 + kMaximumCancelKey)
    return fail("a cancel request has no key of a known length", std::errc::bad_message);
  ByteReader reader(body);
  CancelRequest request{.process = reader.u32()};
  const Bytes key = reader.bytes(reader.remaining());
  request.key.assign(key.begin(), key.end());
  return request;
}

void write_request(std::uint32_t code, ByteWriter& out) {
  out.u32(8);
  out.u32(code);
}

}  // namespace

std::string_view StartupMessage::parameter(std::string_view name) const {
  const auto found = std::find_if(parameters.rbegin(), parameters.rend(),
                                  [&](const auto& p) { return p.first == name; });
  return found == parameters.rend() ? std::string_view() : std::string_view(found->second);
}

bool StartupMessage::is_replication() const {
  static constexpr std::array<std::string_view, 7> kNo = {"", "false", "off", "no", "0", "f", "n"};
  return std::ranges::any_of(parameters, [](const auto& p) {
    if (p.first != "replication") return false;
    std::string value = p.second;
    for (char& c : value) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return std::ranges::find(kNo, value) == kNo.end();
  });
}

Result<std::optional<ReadStartup>> read_startup(Bytes bytes) {
  if (bytes.empty()) return std::nullopt;
  // The first byte of a length is 0; of a TLS record with a handshake 22.
  if (bytes[0] == kTlsHandshake) return ReadStartup{DirectTls{}, 0};
  if (bytes[0] != 0) return fail("this is no PostgreSQL client", std::errc::bad_message);
  if (bytes.size() < 4) return std::nullopt;
  ByteReader reader(bytes);
  const std::uint32_t length = reader.u32();
  if (length < 8 || length > kMaximumStartup)
    return fail(fmt::format("a startup packet cannot be {} bytes long", length),
                std::errc::message_size);
  if (bytes.size() < length) return std::nullopt;
  const std::uint32_t code = reader.u32();
  auto packet = read_packet(code, bytes.subspan(8, length - 8));
  if (!packet) return std::unexpected(packet.error());
  return ReadStartup{std::move(*packet), length};
}

void write(const SslRequest&, ByteWriter& out) {
  write_request(kSslCode, out);
}
void write(const GssEncRequest&, ByteWriter& out) {
  write_request(kGssEncCode, out);
}

void write(const CancelRequest& request, ByteWriter& out) {
  out.u32(static_cast<std::uint32_t>(12 + request.key.size()));
  out.u32(kCancelCode);
  out.u32(request.process);
  out.bytes(request.key);
}

void write(const StartupMessage& message, ByteWriter& out) {
  std::size_t length = 9;
  for (const auto& [name, value] : message.parameters) length += name.size() + value.size() + 2;
  out.u32(static_cast<std::uint32_t>(length));
  out.u16(message.major);
  out.u16(message.minor);
  for (const auto& [name, value] : message.parameters) {
    out.text(name);
    out.u8(0);
    out.text(value);
    out.u8(0);
  }
  out.u8(0);
}

}  // namespace agentsh::sql
