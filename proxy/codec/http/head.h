// The head of an HTTP/1 message (RFC 9112): start line and header fields as they came, plus what
// was concluded from them about framing, addressing and the connection.
//
// Nothing is copied: fields are offsets into the raw head, the other parts are views of it. A head
// is meant to be kept and parsed into again, then it does not allocate.
//
// Lifetime: text() must outlive the head, or rather every use before the next parse.
#pragma once

#include "proxy/codec/http/authority.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace agentsh::http {

enum class KnownField : std::uint8_t {
  kOther,
  kConnection,
  kContentLength,
  kExpect,
  kHost,
  kKeepAlive,
  kProxy,  // Every Proxy-* field.
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
};

struct Field {
  std::uint32_t name = 0;
  std::uint32_t value = 0;
  std::uint16_t name_size = 0;
  std::uint16_t value_size = 0;
  KnownField known = KnownField::kOther;
  bool named_by_connection = false;
};

enum class BodyKind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

struct Framing {
  BodyKind kind = BodyKind::kNone;
  std::uint64_t length = 0;  // Of kLength; 0 is possible and means what kNone does.
  friend bool operator==(const Framing&, const Framing&) = default;
};

class Head {
 public:
  std::string_view text() const { return text_; }  // With the empty line that ends it.
  std::string_view start_line() const;             // With its CR LF.
  std::span<const Field> fields() const { return fields_; }
  std::string_view name(const Field& field) const {
    return text_.substr(field.name, field.name_size);
  }
  std::string_view value(const Field& field) const {
    return text_.substr(field.value, field.value_size);
  }
  // The whole line with its CR LF.
  std::string_view line(const Field& field) const;

  // The first field of that kind or name (letter case is ignored), or nullptr.
  const Field* find(KnownField known) const;
  const Field* find(std::string_view name) const;
  std::string_view value_of(std::string_view name) const;  // Empty when there is none.

  int minor_version() const { return minor_version_; }  // 0 or 1.
  const Framing& framing() const { return framing_; }
  // Does this message let the connection live on? (Connection and the version.)
  bool keep_alive() const { return keep_alive_; }

 protected:
  friend class HeadBuilder;
  void clear(std::string_view text);

  std::string_view text_;
  std::vector<Field> fields_;
  Framing framing_;
  std::uint8_t minor_version_ = 1;
  bool keep_alive_ = true;
  bool connection_upgrade_ = false;
};

enum class TargetForm : std::uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

class RequestHead : public Head {
 public:
  std::string_view method() const { return method_; }
  std::string_view target() const { return target_; }  // As on the wire.
  TargetForm form() const { return form_; }
  // What goes to an origin server: the path with its query, or "*". Empty for CONNECT.
  std::string_view path() const { return path_; }
  // Whom the request is for: the target where it names a host (Host agrees with it, but for
  // CONNECT, which goes without or names the proxy there), else Host. The port is absent when the
  // client did not write one.
  const Authority& authority() const { return authority_; }
  // The same as written, with port and brackets.
  std::string_view host_text() const;
  bool https_target() const { return https_target_; }  // Absolute form with https://.

  bool is_head() const { return method_ == "HEAD"; }
  bool is_connect() const { return form_ == TargetForm::kAuthority; }
  bool expects_continue() const { return expects_continue_; }
  // A well-formed request to go over to the WebSocket protocol (RFC 6455).
  bool asks_for_websocket() const { return asks_for_websocket_; }

 private:
  friend class HeadBuilder;
  std::string_view method_;
  std::string_view target_;
  std::string_view path_;
  Authority authority_;
  TargetForm form_ = TargetForm::kOrigin;
  bool https_target_ = false;
  bool expects_continue_ = false;
  bool asks_for_websocket_ = false;
};

// What has to be known of a request to read its response.
struct ResponseContext {
  bool head = false;       // The request was HEAD: no content whatever the head says.
  bool websocket = false;  // It asked for WebSocket: 101 is a possible answer.
};

class ResponseHead : public Head {
 public:
  int status() const { return status_; }
  std::string_view reason() const { return reason_; }
  bool interim() const { return status_ / 100 == 1 && status_ != 101; }
  bool switches_protocols() const { return status_ == 101; }

 private:
  friend class HeadBuilder;
  std::string_view reason_;
  int status_ = 0;
};

}  // namespace agentsh::http
