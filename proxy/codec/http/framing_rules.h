// The fields that say how long a message is, counted over a whole head, and the rule that they must
// say one thing (RFC 9112 §6.3, without its permissions to repair).
#pragma once

#include "proxy/codec/http/refusal.h"

#include <string_view>

namespace agentsh::http {

struct FramingFields {
  unsigned lengths = 0;    // Content-Length fields.
  unsigned encodings = 0;  // Transfer-Encoding fields.
  std::string_view length;
  std::string_view encoding;

  void add_length(std::string_view value) {
    ++lengths;
    length = value;
  }
  void add_encoding(std::string_view value) {
    ++encodings;
    encoding = value;
  }
};

Refusal judge_framing(const FramingFields& fields);

// Names that CGI-like servers fold into framing fields: Content_Length, Transfer_Encoding.
bool looks_like_framing_field(std::string_view name);

}  // namespace agentsh::http
