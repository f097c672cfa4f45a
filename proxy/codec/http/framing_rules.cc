#include "proxy/codec/http/framing_rules.h"

#include "proxy/codec/http/text.h"

#include <algorithm>
#include <array>

namespace agentsh::http {

Refusal judge_framing(const FramingFields& fields) {
  if (fields.lengths > 0 && fields.encodings > 0) return Refusal::kLengthAndEncoding;
  if (fields.lengths > 1) return Refusal::kRepeatedLength;
  if (fields.encodings > 1) return Refusal::kRepeatedEncoding;
  if (fields.lengths == 1) {
    if (fields.length.find(',') != std::string_view::npos) return Refusal::kRepeatedLength;
    if (!parse_decimal(fields.length)) return Refusal::kBadLength;
  }
  if (fields.encodings == 1 && !equal_ignoring_case(fields.encoding, "chunked")) {
    return Refusal::kBadEncoding;
  }
  return Refusal::kNone;
}

bool looks_like_framing_field(std::string_view name) {
  if (name.find('_') == std::string_view::npos) return false;
  static constexpr std::array<std::string_view, 2> kNames = {"content-length", "transfer-encoding"};
  return std::ranges::any_of(kNames, [name](std::string_view known) {
    return std::ranges::equal(name, known, [](char a, char b) {
      return a == '_' ? b == '-' : equal_ignoring_case({&a, 1}, {&b, 1});
    });
  });
}

}  // namespace agentsh::http
