#include "proxy/codec/http/chunked_decoder.h"

#include "base/encoding.h"
#include "proxy/codec/http/framing_rules.h"
#include "proxy/codec/http/limits.h"
#include "proxy/codec/http/text.h"

#include <algorithm>
#include <array>
#include <limits>

namespace agentsh::http {
namespace {

constexpr std::size_t kMaxSizeDigits = 16;

struct SizeLine {
  std::uint64_t size = 0;
  std::size_t extension_bytes = 0;
  Refusal refusal = Refusal::kNone;
};

// The bytes that a token at the start of `text` takes; 0 when there is none.
std::size_t token_size(std::string_view text) {
  const auto* end = std::ranges::find_if_not(text, is_token_char);
  return static_cast<std::size_t>(end - text.begin());
}

// The bytes that a quoted-string at the start of `text` takes; 0 when it is malformed. Control
// bytes were excluded before.
std::size_t quoted_size(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return 0;
}

// *( ";" token [ "=" ( token / quoted-string ) ] ), without white space between the parts.
bool is_extension(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    const std::size_t name = token_size(text);
    if (name == 0) return false;
    text.remove_prefix(name);
    if (!text.starts_with('=')) continue;
    text.remove_prefix(1);
    const std::size_t value = text.starts_with('"') ? quoted_size(text) : token_size(text);
    if (value == 0) return false;
    text.remove_prefix(value);
  }
  return true;
}

SizeLine parse_size_line(std::string_view line) {
  SizeLine result;
  std::size_t digits = 0;
  for (; digits < line.size() && hex_digit(line[digits]) >= 0; ++digits) {
    if (digits == kMaxSizeDigits) return {.refusal = Refusal::kChunkSizeOverflow};
    result.size = result.size << 4 | static_cast<std::uint64_t>(hex_digit(line[digits]));
  }
  if (digits == 0) return {.refusal = Refusal::kBadChunkSize};
  if (result.size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return {.refusal = Refusal::kChunkSizeOverflow};
  }
  const std::string_view extension = line.substr(digits);
  if (!extension.empty() && extension.front() != ';') return {.refusal = Refusal::kBadChunkSize};
  if (!is_extension(extension)) return {.refusal = Refusal::kBadChunkExtension};
  result.extension_bytes = extension.size();
  return result;
}

bool is_forbidden_trailer(std::string_view name) {
  static constexpr std::array<std::string_view, 20> kForbidden = {
      "authorization", "cache-control",     "connection",   "content-encoding", "content-length",
      "content-range", "content-type",      "cookie",       "expect",           "host",
      "keep-alive",    "location",          "max-forwards", "set-cookie",       "te",
      "trailer",       "transfer-encoding", "upgrade",      "www-authenticate", "vary"};
  return starts_ignoring_case(name, "proxy-") || looks_like_framing_field(name) ||
         std::ranges::any_of(kForbidden, [name](std::string_view forbidden) {
           return equal_ignoring_case(name, forbidden);
         });
}

}  // namespace

Refusal check_trailers(std::string_view section) {
  while (!section.empty() && !section.starts_with('\r')) {
    const std::size_t end = section.find('\r');
    const std::string_view line = section.substr(0, end);
    section.remove_prefix(std::min(end + 2, section.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return Refusal::kBadTrailer;
    }
    if (is_forbidden_trailer(line.substr(0, colon))) return Refusal::kForbiddenTrailer;
  }
  return Refusal::kNone;
}

BodyStep ChunkedDecoder::next(Bytes input) {
  switch (state_) {
    case State::kData:
      return read_data(input);
    case State::kDataEnd:
      return read_data_end(input);
    case State::kSize:
      break;
  }
  return read_size(input);
}

BodyStep ChunkedDecoder::read_size(Bytes input) {
  const Bytes window = input.first(std::min(input.size(), kMaxChunkLineBytes));
  const auto end = std::ranges::find_if(
      window, [](std::uint8_t byte) { return (byte < 0x20 && byte != '\t') || byte == 0x7f; });
  const auto size = static_cast<std::size_t>(end - window.begin());
  const std::string_view line = as_text(window.first(size));
  if (size + 1 >= window.size()) {  // The line end is not there, or only half.
    if (window.size() < kMaxChunkLineBytes) {
      if (end != window.end() && *end != '\r') return {.refusal = Refusal::kBadChunkSize};
      return {};
    }
    return {.refusal = Refusal::kChunkExtensionsTooLong};
  }
  if (window[size] != '\r' || window[size + 1] != '\n') return {.refusal = Refusal::kBadChunkSize};

  const SizeLine parsed = parse_size_line(line);
  if (parsed.refusal != Refusal::kNone) return {.refusal = parsed.refusal};
  // The last line may be looked at several times, until its trailers have come: counted then.
  if (extension_bytes_ + parsed.extension_bytes > kMaxChunkExtensionTotal) {
    return {.refusal = Refusal::kChunkExtensionsTooLong};
  }
  if (parsed.size == 0) return read_last(input, size + 2);
  extension_bytes_ += parsed.extension_bytes;
  remaining_ = parsed.size;
  state_ = State::kData;
  return {.consumed = size + 2};
}

BodyStep ChunkedDecoder::read_data(Bytes input) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
  remaining_ -= size;
  if (remaining_ == 0) state_ = State::kDataEnd;
  return {.consumed = size, .data = input.first(size)};
}

BodyStep ChunkedDecoder::read_data_end(Bytes input) {
  if (input.empty() || (input.size() == 1 && input[0] == '\r')) return {};
  if (input[0] != '\r' || input[1] != '\n') return {.refusal = Refusal::kChunkNotTerminated};
  state_ = State::kSize;
  return {.consumed = 2};
}

BodyStep ChunkedDecoder::read_last(Bytes input, std::size_t line_size) {
  const Bytes rest = input.subspan(line_size);
  const std::string_view start = as_text(rest.first(std::min<std::size_t>(rest.size(), 2)));
  if (start == "\r\n") return {.consumed = line_size + 2, .end = true};
  if (start.empty() || start == "\r") return {};
  const Bytes window = rest.first(std::min(rest.size(), kMaxTrailerBytes));
  const HeadScanner::Step step = trailers_.scan(window);
  if (step.refusal != Refusal::kNone) return {.refusal = step.refusal};
  if (step.size == 0) {
    if (window.size() < kMaxTrailerBytes) return {};
    return {.refusal = Refusal::kTrailersTooLarge};
  }
  const Refusal bad = check_trailers(as_text(rest.first(step.size)));
  if (bad != Refusal::kNone) return {.refusal = bad};
  return {.consumed = line_size + step.size, .end = true};
}

}  // namespace agentsh::http
