#include "proxy/codec/http/head_scanner.h"

#include "proxy/codec/http/limits.h"

#include <algorithm>
#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace agentsh::http {
namespace {

bool is_control(std::uint8_t byte) {
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

// The index of the first control byte at or after `from`, or the size.
std::size_t find_control(Bytes input, std::size_t from) {
  std::size_t i = from;
#if defined(__SSE2__)
  const __m128i highest = _mm_set1_epi8(0x1f);
  const __m128i del = _mm_set1_epi8(0x7f);
  const __m128i tab = _mm_set1_epi8('\t');
  for (; i + 16 <= input.size(); i += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(input.data() + i));
    const __m128i low = _mm_cmpeq_epi8(_mm_max_epu8(block, highest), highest);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low), _mm_cmpeq_epi8(block, del));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return i + static_cast<std::size_t>(std::countr_zero(mask));
  }
#endif
  while (i < input.size() && !is_control(input[i])) ++i;
  return i;
}

}  // namespace

Refusal HeadScanner::finish_line(Bytes input, std::size_t end) {
  const bool first = line_start_ == 0;
  if (end == line_start_) return Refusal::kEmptyFirstLine;  // Later empty lines end the head.
  if (!first && (input[line_start_] == ' ' || input[line_start_] == '\t')) {
    return Refusal::kObsoleteFolding;
  }
  if (++lines_ > kMaxFields + 1) return Refusal::kTooManyFields;
  return Refusal::kNone;
}

HeadScanner::Step HeadScanner::scan(Bytes input) {
  // Bytes beyond the limit are not looked at, so the answer is the same for any cut.
  const bool at_limit = input.size() >= kMaxHeadBytes;
  input = input.first(std::min(input.size(), kMaxHeadBytes));
  while (true) {
    position_ = find_control(input, position_);
    if (position_ == input.size()) break;
    if (input[position_] == '\n') return {0, Refusal::kBareLineFeed};
    if (input[position_] != '\r') return {0, Refusal::kControlByte};
    if (position_ + 1 == input.size()) break;
    if (input[position_ + 1] != '\n') return {0, Refusal::kBareCarriageReturn};
    if (position_ == line_start_ && line_start_ > 0) return {position_ + 2, Refusal::kNone};
    if (Refusal bad = finish_line(input, position_); bad != Refusal::kNone) return {0, bad};
    position_ += 2;
    line_start_ = position_;
  }
  return {0, at_limit ? Refusal::kHeadTooLarge : Refusal::kNone};
}

}  // namespace agentsh::http
