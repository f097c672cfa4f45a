#include "proxy/codec/http/head_parser.h"

#include "proxy/codec/http/field_splitter.h"
#include "proxy/codec/http/framing_rules.h"
#include "proxy/codec/http/limits.h"
#include "proxy/codec/http/text.h"

#include <algorithm>
#include <optional>

namespace agentsh::http {

// Draws the conclusions from the split fields.
class HeadBuilder {
 public:
  static Refusal request(std::string_view text, RequestHead& out);
  static Refusal response(std::string_view text, const ResponseContext& context, ResponseHead& out);

 private:
  static Refusal read_framing(Head& head);
  static Refusal read_connection(Head& head);
  static Refusal read_connection_token(Head& head, std::string_view token, bool& close, bool& keep);
  static Refusal read_target(RequestHead& head);
  static Refusal read_absolute_target(RequestHead& head);
  static Refusal read_host(RequestHead& head);
  static void read_body_hints(RequestHead& head);
  static bool upgrades_to_websocket(const Head& head);
  static Refusal finish_response(const ResponseContext& context, ResponseHead& head);
};

namespace {

bool is_method(std::string_view method) {
  return method.size() <= kMaxMethodBytes && std::ranges::all_of(method, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

}  // namespace

Refusal HeadBuilder::read_framing(Head& head) {
  FramingFields fields;
  for (const Field& field : head.fields_) {
    if (field.known == KnownField::kContentLength) fields.add_length(head.value(field));
    if (field.known == KnownField::kTransferEncoding) fields.add_encoding(head.value(field));
  }
  if (Refusal bad = judge_framing(fields); bad != Refusal::kNone) return bad;
  if (fields.encodings > 0) {
    if (head.minor_version_ == 0) return Refusal::kEncodingInHttp10;
    head.framing_ = {BodyKind::kChunked, 0};
  } else if (fields.lengths > 0) {
    // judge_framing() found it to be a number.
    head.framing_ = {BodyKind::kLength, parse_decimal(fields.length).value_or(0)};
  }
  return Refusal::kNone;
}

Refusal HeadBuilder::read_connection_token(Head& head, std::string_view token, bool& close,
                                           bool& keep) {
  if (equal_ignoring_case(token, "close")) {
    close = true;
  } else if (equal_ignoring_case(token, "keep-alive")) {
    keep = true;
  } else if (equal_ignoring_case(token, "upgrade")) {
    head.connection_upgrade_ = true;
  } else {
    for (Field& field : head.fields_) {
      if (!equal_ignoring_case(head.name(field), token)) continue;
      if (field.known == KnownField::kHost || field.known == KnownField::kContentLength ||
          field.known == KnownField::kTransferEncoding) {
        return Refusal::kConnectionNamesFraming;
      }
      field.named_by_connection = true;
    }
  }
  return Refusal::kNone;
}

Refusal HeadBuilder::read_connection(Head& head) {
  bool close = false;
  bool keep = false;
  unsigned tokens = 0;
  // By index: read_connection_token marks other fields.
  for (std::size_t i = 0; i < head.fields_.size(); ++i) {
    const Field field = head.fields_[i];
    const bool proxy = field.known == KnownField::kProxy &&
                       equal_ignoring_case(head.name(field), "proxy-connection");
    if (field.known != KnownField::kConnection && !proxy) continue;
    std::string_view rest = head.value(field);
    while (true) {
      const std::string_view token = next_list_element(rest);
      if (token.empty()) break;
      if (!is_token(token) || ++tokens > kMaxConnectionTokens) return Refusal::kBadConnection;
      const Refusal bad = read_connection_token(head, token, close, keep);
      if (bad != Refusal::kNone) return bad;
    }
  }
  head.keep_alive_ = !close && (head.minor_version_ == 1 || keep);
  return Refusal::kNone;
}

Refusal HeadBuilder::read_absolute_target(RequestHead& head) {
  std::string_view rest = head.target_;
  head.https_target_ = starts_ignoring_case(rest, "https://");
  if (!head.https_target_ && !starts_ignoring_case(rest, "http://")) return Refusal::kBadTarget;
  rest.remove_prefix(head.https_target_ ? 8 : 7);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const std::optional<Authority> authority = parse_authority(rest.substr(0, end));
  if (!authority) return Refusal::kBadHost;
  head.authority_ = *authority;
  head.path_ = rest.substr(end);
  if (head.path_.starts_with('?')) return Refusal::kBadTarget;
  if (head.path_.empty()) head.path_ = head.method_ == "OPTIONS" ? "*" : "/";
  head.form_ = TargetForm::kAbsolute;
  return Refusal::kNone;
}

Refusal HeadBuilder::read_target(RequestHead& head) {
  head.authority_ = {};
  head.path_ = {};
  head.https_target_ = false;
  if (head.target_.find('#') != std::string_view::npos) return Refusal::kBadTarget;
  if (head.method_ == "CONNECT") {
    const std::optional<Authority> authority = parse_authority(head.target_);
    if (!authority || authority->port == 0) return Refusal::kBadHost;
    head.authority_ = *authority;
    head.form_ = TargetForm::kAuthority;
    return Refusal::kNone;
  }
  if (head.target_.starts_with('/')) {
    head.path_ = head.target_;
    head.form_ = TargetForm::kOrigin;
    return Refusal::kNone;
  }
  if (head.target_ == "*" && head.method_ == "OPTIONS") {
    head.path_ = head.target_;
    head.form_ = TargetForm::kAsterisk;
    return Refusal::kNone;
  }
  return read_absolute_target(head);
}

Refusal HeadBuilder::read_host(RequestHead& head) {
  const Field* host = nullptr;
  for (const Field& field : head.fields_) {
    if (field.known != KnownField::kHost) continue;
    if (host != nullptr) return Refusal::kRepeatedHost;
    host = &field;
  }
  if (host == nullptr) {
    // Many clients send CONNECT without Host; its target is the authority.
    return head.is_connect() ? Refusal::kNone : Refusal::kMissingHost;
  }
  const std::optional<Authority> authority = parse_authority(head.value(*host));
  if (!authority) return Refusal::kBadHost;
  // Node and others name the proxy in the Host of a CONNECT. It goes no further than here, and what
  // the tunnel carries is judged by itself.
  if (head.is_connect()) return Refusal::kNone;
  if (head.form_ == TargetForm::kAbsolute) {
    const std::uint16_t standard = head.https_target_ ? 443 : 80;
    const Authority& target = head.authority_;
    const bool differs = !same_host(target.host, authority->host) ||
                         authority->port_or(standard) != target.port_or(standard);
    return differs ? Refusal::kHostDiffersFromTarget : Refusal::kNone;
  }
  head.authority_ = *authority;
  return Refusal::kNone;
}

bool HeadBuilder::upgrades_to_websocket(const Head& head) {
  if (!head.connection_upgrade_ || head.minor_version_ == 0) return false;
  const Field* upgrade = nullptr;
  for (const Field& field : head.fields_) {
    if (field.known != KnownField::kUpgrade) continue;
    if (upgrade != nullptr) return false;
    upgrade = &field;
  }
  return upgrade != nullptr && equal_ignoring_case(head.value(*upgrade), "websocket");
}

void HeadBuilder::read_body_hints(RequestHead& head) {
  const Field* expect = head.find(KnownField::kExpect);
  head.expects_continue_ = head.minor_version_ == 1 && expect != nullptr &&
                           !expect->named_by_connection &&
                           equal_ignoring_case(head.value(*expect), "100-continue");
  head.asks_for_websocket_ =
      upgrades_to_websocket(head) && head.method_ == "GET" && head.framing_.kind == BodyKind::kNone;
}

Refusal HeadBuilder::request(std::string_view text, RequestHead& out) {
  out.clear(text);
  StartLine start;
  if (Refusal bad = split_request(text, start, out.fields_); bad != Refusal::kNone) return bad;
  out.method_ = start.method;
  out.target_ = start.target;
  out.minor_version_ = static_cast<std::uint8_t>(start.minor_version);
  if (!is_method(out.method_)) return Refusal::kBadMethod;
  for (const Field& field : out.fields_) {
    if (looks_like_framing_field(out.name(field))) return Refusal::kLookAlikeField;
  }
  if (Refusal bad = read_framing(out); bad != Refusal::kNone) return bad;
  if (Refusal bad = read_connection(out); bad != Refusal::kNone) return bad;
  if (Refusal bad = read_target(out); bad != Refusal::kNone) return bad;
  if (Refusal bad = read_host(out); bad != Refusal::kNone) return bad;
  if (out.is_connect() && out.framing_.kind != BodyKind::kNone) return Refusal::kContentInConnect;
  read_body_hints(out);
  return Refusal::kNone;
}

Refusal HeadBuilder::finish_response(const ResponseContext& context, ResponseHead& head) {
  if (head.status_ < 100 || head.status_ > 599) return Refusal::kBadStatusLine;
  const bool no_content = head.status_ / 100 == 1 || head.status_ == 204;
  if (no_content && (head.framing_.kind == BodyKind::kChunked || head.framing_.length > 0)) {
    return Refusal::kContentForbidden;
  }
  if (head.status_ == 101 && !(context.websocket && upgrades_to_websocket(head))) {
    return Refusal::kUnexpectedUpgrade;
  }
  if (no_content || context.head || head.status_ == 304) {
    head.framing_ = {};
  } else if (head.framing_.kind == BodyKind::kNone) {
    head.framing_ = {BodyKind::kUntilClose, 0};
    head.keep_alive_ = false;
  }
  return Refusal::kNone;
}

Refusal HeadBuilder::response(std::string_view text, const ResponseContext& context,
                              ResponseHead& out) {
  out.clear(text);
  StartLine start;
  if (Refusal bad = split_response(text, start, out.fields_); bad != Refusal::kNone) return bad;
  out.status_ = start.status;
  out.reason_ = start.reason;
  out.minor_version_ = static_cast<std::uint8_t>(start.minor_version);
  if (Refusal bad = read_framing(out); bad != Refusal::kNone) return bad;
  if (Refusal bad = read_connection(out); bad != Refusal::kNone) return bad;
  return finish_response(context, out);
}

Refusal parse_request_head(std::string_view text, RequestHead& out) {
  return HeadBuilder::request(text, out);
}

Refusal parse_response_head(std::string_view text, const ResponseContext& context,
                            ResponseHead& out) {
  return HeadBuilder::response(text, context, out);
}

}  // namespace agentsh::http
