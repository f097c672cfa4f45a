#include "proxy/codec/tls/client_hello.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::tls {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHelloMessage = 1;
constexpr std::size_t kHeaderSize = 5;
constexpr std::size_t kMessageHeaderSize = 4;
constexpr std::size_t kMaxRecord = 16384;  // RFC 8446 §5.1.

class HelloCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls-hello"; }
  std::string message(int code) const override {
    switch (static_cast<HelloErrc>(code)) {
      case HelloErrc::kNotTls:
        return "not a TLS handshake";
      case HelloErrc::kMalformed:
        return "malformed ClientHello";
      case HelloErrc::kTooLarge:
        return "ClientHello too large";
      case HelloErrc::kBadServerName:
        return "unusable server name";
    }
    return "unknown";
  }
};

}  // namespace

std::error_code make_error_code(HelloErrc code) {
  static const HelloCategory category;
  return {static_cast<int>(code), category};
}

bool ClientHello::offers_protocol(std::string_view name) const {
  return std::ranges::find(alpn, name) != alpn.end();
}

std::size_t ClientHelloParser::feed(Bytes bytes) {
  std::size_t used = 0;
  while (state_ == State::kNeedMore && used < bytes.size()) {
    const Bytes rest = bytes.subspan(used);
    used += record_left_ == 0 ? take_header(rest) : take_payload(rest);
  }
  return used;
}

std::size_t ClientHelloParser::take_header(Bytes bytes) {
  const std::size_t count = std::min(bytes.size(), kHeaderSize - header_size_);
  std::copy_n(bytes.begin(), count, header_ + header_size_);
  header_size_ += count;
  check_header();
  return count;
}

// Says no at the first byte that is wrong, so that nobody waits for more of what is not TLS.
void ClientHelloParser::check_header() {
  if (header_[0] != kHandshakeRecord) {
    return refuse(
        HelloErrc::kNotTls,
        fmt::format("the first byte of a record is 0x{:02x}, a handshake begins with 0x16",
                    header_[0]));
  }
  if (header_size_ >= 2 && header_[1] != 3) {
    return refuse(HelloErrc::kNotTls, fmt::format("record version {}.x, TLS has 3.x", header_[1]));
  }
  if (header_size_ < kHeaderSize) return;
  record_left_ = static_cast<std::size_t>(header_[3]) << 8 | header_[4];
  if (record_left_ == 0) return refuse(HelloErrc::kMalformed, "an empty handshake record");
  if (record_left_ > kMaxRecord) {
    return refuse(HelloErrc::kMalformed, fmt::format("a record of {} bytes", record_left_));
  }
  wire_bytes_ += kHeaderSize + record_left_;
  header_size_ = 0;
}

std::size_t ClientHelloParser::take_payload(Bytes bytes) {
  std::size_t wanted = message_size_ == 0 ? kMessageHeaderSize : message_size_;
  wanted -= message_.size();
  const std::size_t count = std::min({bytes.size(), record_left_, wanted});
  message_.insert(message_.end(), bytes.begin(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(count));
  record_left_ -= count;
  if (message_size_ == 0) check_message_start();
  if (state_ != State::kNeedMore) return count;
  if (message_size_ != 0 && message_.size() == message_size_) {
    finish();
  } else if (wire_bytes_ > kMaxWireBytes) {
    refuse(HelloErrc::kTooLarge, fmt::format("cut into records of {} bytes in all", wire_bytes_));
  }
  return count;
}

void ClientHelloParser::check_message_start() {
  if (message_[0] != kClientHelloMessage) {
    return refuse(HelloErrc::kNotTls,
                  fmt::format("handshake message {} where ClientHello is due", message_[0]));
  }
  if (message_.size() < kMessageHeaderSize) return;
  const std::size_t body = static_cast<std::size_t>(message_[1]) << 16 |
                           static_cast<std::size_t>(message_[2]) << 8 | message_[3];
  if (body > kMaxMessage) {
    return refuse(HelloErrc::kTooLarge, fmt::format("{} bytes", body));
  }
  message_size_ = kMessageHeaderSize + body;
}

void ClientHelloParser::finish() {
  Result<ClientHello> parsed = parse_client_hello_body(Bytes(message_).subspan(kMessageHeaderSize));
  message_ = {};
  if (!parsed) {
    refusal_ = std::move(parsed.error());
    state_ = State::kRefused;
    return;
  }
  hello_ = std::move(*parsed);
  state_ = State::kDone;
}

void ClientHelloParser::refuse(HelloErrc code, std::string why) {
  const std::error_code error = code;
  refusal_ = Error{error, error.message() + ": " + std::move(why)};
  message_ = {};
  state_ = State::kRefused;
}

}  // namespace agentsh::tls
