#include "audit/chain.h"

#include <algorithm>
#include <charconv>

namespace agentsh::audit {
namespace {

constexpr std::string_view kVersionPrefix = "2|";
constexpr std::string_view kOpening = ",\"integrity\":{\"format_version\":2,\"sequence\":";
constexpr std::string_view kPrevious = ",\"prev_hash\":\"";
constexpr std::string_view kEntry = "\",\"entry_hash\":\"";
constexpr std::string_view kClosing = "\"}}";
constexpr std::size_t kMaxSequenceDigits = 20;

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

bool take_hash(std::string_view& text, std::string_view& hash) {
  if (text.size() < sizeof(HexHash)) return false;
  hash = text.substr(text.size() - sizeof(HexHash));
  text.remove_suffix(sizeof(HexHash));
  return std::ranges::all_of(
      hash, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool take_sequence(std::string_view& text, ParsedLine& out) {
  std::size_t digits = 0;
  while (digits < kMaxSequenceDigits && digits < text.size() &&
         text[text.size() - 1 - digits] >= '0' && text[text.size() - 1 - digits] <= '9') {
    ++digits;
  }
  out.sequence_text = text.substr(text.size() - digits);
  text.remove_suffix(digits);
  if (digits == 0 || (digits > 1 && out.sequence_text.front() == '0')) return false;
  const char* end = out.sequence_text.data() + out.sequence_text.size();
  const auto parsed = std::from_chars(out.sequence_text.data(), end, out.sequence);
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

HexHash entry_hash(const ChainKey& key, std::string_view sequence, std::string_view previous,
                   std::string_view payload) {
  return key.sign({kVersionPrefix, sequence, "|", previous, "|", payload, "}"});
}

}  // namespace

void append_line(const ChainKey& key, ChainHead& head, std::string_view json, TextBuffer& out) {
  const std::string_view payload = json.substr(0, json.size() - 1);
  ++head.sequence;
  std::array<char, kMaxSequenceDigits> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), head.sequence).ptr;
  const std::string_view sequence(digits.data(), static_cast<std::size_t>(end - digits.data()));
  const HexHash hash = entry_hash(key, sequence, as_view(head.hash), payload);
  out.raw(payload);
  out.raw(kOpening);
  out.raw(sequence);
  out.raw(kPrevious);
  out.raw(as_view(head.hash));
  out.raw(kEntry);
  out.raw(as_view(hash));
  out.raw(kClosing);
  out.raw('\n');
  head.hash = hash;
}

// From the end: everything after the sequence has a fixed form and length, and no text inside the
// event can look like it, because quotes inside a JSON string are escaped.
LineKind parse_line(std::string_view line, ParsedLine& out) {
  if (line.size() < 2 || line.front() != '{' || line.back() != '}') return LineKind::kMalformed;
  std::string_view rest = line;
  const bool is_signed = take_suffix(rest, kClosing) && take_hash(rest, out.entry_hash) &&
                         take_suffix(rest, kEntry) && take_hash(rest, out.previous_hash) &&
                         take_suffix(rest, kPrevious) && take_sequence(rest, out) &&
                         take_suffix(rest, kOpening) && rest.size() > 1;
  out.payload = rest;
  return is_signed ? LineKind::kSigned : LineKind::kUnsigned;
}

bool is_authentic(const ChainKey& key, const ParsedLine& line) {
  const HexHash expected = entry_hash(key, line.sequence_text, line.previous_hash, line.payload);
  return same_hash(as_view(expected), line.entry_hash);
}

}  // namespace agentsh::audit
