// What a TLS client asks for, read from its first flight without answering (RFC 8446 §4.1.2, RFC
// 6066 §3, RFC 7301): the name, the protocols, the versions.
//
// The parser takes bytes as they come, over any number of TCP segments and TLS records, and keeps
// nothing but the message. It is strict: what two parsers could read differently (duplicate
// extensions, trailing bytes, a second name) is refused, because the name decides what the
// connection may do and the TLS library behind us, or the server in passthrough, reads it again.
//
//   ClientHelloParser parser;
//   while (parser.state() == ClientHelloParser::State::kNeedMore) parser.feed(read_some());
//   if (parser.state() == ClientHelloParser::State::kRefused) return parser.refusal();
//   use(parser.hello().server_name);
//
// Memory: at most kMaxMessage bytes. Threads: one at a time.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace agentsh::tls {

// Post-quantum key shares make hellos of some 2 KB; nobody sends 64 KB.
inline constexpr std::size_t kMaxMessage = 64 << 10;
// Record headers included: a hello cut into one-byte records is six times as long on the wire.
inline constexpr std::size_t kMaxWireBytes = 128 << 10;

struct ClientHello {
  // Canonical (base/domain.h); empty when the client named no host.
  std::string server_name;
  // In the client's order, as sent; unknown and GREASE values included.
  std::vector<std::string> alpn;
  // As 0x0303, 0x0304 ..., in the client's order, GREASE left out. A client without the
  // supported_versions extension offers the one version of its hello and whatever is below.
  std::vector<std::uint16_t> versions;
  // An encrypted_client_hello extension is there (a real one and one sent as GREASE look the same):
  // then server_name is the outer name, which the client means only as a cover.
  bool encrypted_client_hello = false;
  // The client may send application data before it hears from the server.
  bool early_data = false;

  bool offers_protocol(std::string_view name) const;
};

enum class HelloErrc {
  kNotTls = 1,     // The first bytes are no TLS handshake.
  kMalformed,      // TLS, but broken; or a form that is ambiguous.
  kTooLarge,       // More than kMaxMessage or kMaxWireBytes.
  kBadServerName,  // The server name is none that a resolver takes, or an IP address.
};
std::error_code make_error_code(HelloErrc code);

class ClientHelloParser {
 public:
  enum class State : std::uint8_t { kNeedMore, kDone, kRefused };

  // Takes the next bytes of the stream; those behind the hello are left alone. Returns how many
  // belonged to it.
  std::size_t feed(Bytes bytes);

  State state() const { return state_; }
  // Precondition: kDone.
  const ClientHello& hello() const { return hello_; }
  // Precondition: kRefused. What is wrong, in a sentence for the log; its code is a HelloErrc.
  const Error& refusal() const { return refusal_; }

 private:
  std::size_t take_header(Bytes bytes);
  std::size_t take_payload(Bytes bytes);
  void check_header();
  void check_message_start();
  void finish();
  void refuse(HelloErrc code, std::string why);

  State state_ = State::kNeedMore;
  std::uint8_t header_[5] = {};
  std::size_t header_size_ = 0;
  std::size_t record_left_ = 0;
  std::size_t wire_bytes_ = 0;
  std::size_t message_size_ = 0;  // With its 4-byte header; 0 until that is there.
  std::vector<std::uint8_t> message_;
  ClientHello hello_;
  Error refusal_;
};

// The body of a ClientHello message, without its 4-byte handshake header.
Result<ClientHello> parse_client_hello_body(Bytes body);

}  // namespace agentsh::tls

template <>
struct std::is_error_code_enum<agentsh::tls::HelloErrc> : std::true_type {};
