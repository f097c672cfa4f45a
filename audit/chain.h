// The hash chain: each line of the log carries its number, the hash of the line before and an HMAC
// over all of that and its own content, so that no line can be changed, removed or moved without
// the key.
//
//   {"id":...,"fields":{},"integrity":{"format_version":2,"sequence":7,"prev_hash":"<64 hex>",
//    "entry_hash":"<64 hex>"}}
//
// entry_hash = HMAC-SHA256(key, "2|<sequence>|<prev_hash>|<the event's JSON as it was rendered>").
// The first line of a chain has 64 zeros as prev_hash.
#pragma once

#include "audit/chain_key.h"
#include "audit/text_buffer.h"

#include <cstdint>
#include <string_view>

namespace agentsh::audit {

inline constexpr int kIntegrityFormat = 2;

inline constexpr HexHash zero_hash() {
  HexHash hash{};
  for (char& digit : hash) digit = '0';
  return hash;
}

// Where a chain stands: the number and hash of its last entry.
struct ChainHead {
  std::uint64_t sequence = 0;
  HexHash hash = zero_hash();
  friend bool operator==(const ChainHead&, const ChainHead&) = default;
};

// Appends `json` to `out` as the line that follows `head`, with its line break, and moves `head`.
// Precondition: `json` is an object with at least one member and no line break.
void append_line(const ChainKey& key, ChainHead& head, std::string_view json, TextBuffer& out);

// A line of the log taken apart; views into it.
struct ParsedLine {
  std::string_view payload;  // The event's JSON without its closing brace.
  std::uint64_t sequence = 0;
  std::string_view sequence_text;
  std::string_view previous_hash;
  std::string_view entry_hash;
};
enum class LineKind {
  kSigned,
  kUnsigned,   // A JSON object, as far as its braces tell, without an integrity member of ours.
  kMalformed,  // Anything else.
};
// `line` is without its line break and may be anything.
LineKind parse_line(std::string_view line, ParsedLine& out);

// Whether the line's HMAC is right. Says nothing about its place in the chain.
bool is_authentic(const ChainKey& key, const ParsedLine& line);

}  // namespace agentsh::audit
