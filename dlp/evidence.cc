#include "dlp/evidence.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace agentsh::dlp {
namespace {

struct Kind {
  std::size_t count;  // Counted bytes
  std::size_t span;   // within so many.
  bool capitals;      // What is counted beside digits.
  bool small_letters;
};
constexpr Kind kKinds[kEvidenceKinds] = {
    {5, 16, false, false}, {6, 20, true, false}, {20, 20, true, true}};
constexpr std::size_t kMaxCount = 20;

ByteSet counted_bytes(const Kind& kind) {
  ByteSet set;
  for (unsigned byte = '0'; byte <= '9'; ++byte) set.set(byte);
  for (unsigned letter = 0; letter < 26; ++letter) {
    if (kind.capitals) set.set('A' + letter);
    if (kind.small_letters) set.set('a' + letter);
  }
  return set;
}

// The longest way from a set of positions to the last counted byte of the evidence.
class LongestWay {
 public:
  LongestWay(const PatternShape& shape, const Kind& kind) : shape_(shape), kind_(kind) {
    const ByteSet counted = counted_bytes(kind);
    next_.resize(shape.positions.size());
    for (std::uint32_t i = 0; i < shape.positions.size(); ++i) {
      is_counted_.push_back((shape.positions[i].bytes & ~counted).none());
      for (const std::uint32_t before : shape.positions[i].previous) next_[before].push_back(i);
    }
    known_.resize(shape.positions.size());
  }

  // kUnboundedWidth when a match may end, or go round in a circle, before.
  std::size_t from(const std::vector<std::uint32_t>& gate) {
    std::size_t longest = 0;
    for (const std::uint32_t position : gate) longest = std::max(longest, from(position, 0));
    return longest;
  }

 private:
  enum : std::size_t { kUnknown = 0, kInProgress = kUnboundedWidth - 1 };

  std::size_t from(std::uint32_t position, std::size_t count) {
    const std::size_t known = known_[position][count];
    if (known == kInProgress) return kUnboundedWidth;
    if (known != kUnknown) return known;
    const std::size_t after = count + (is_counted_[position] ? 1 : 0);
    std::size_t longest = 0;
    if (after < kind_.count) {
      if (shape_.positions[position].is_last) longest = kUnboundedWidth;
      known_[position][count] = kInProgress;
      for (const std::uint32_t next : next_[position]) {
        longest = std::max(longest, from(next, after));
      }
    }
    if (longest != kUnboundedWidth) ++longest;
    return known_[position][count] = longest;
  }

  const PatternShape& shape_;
  const Kind& kind_;
  std::vector<std::vector<std::uint32_t>> next_;
  std::vector<bool> is_counted_;
  std::vector<std::array<std::size_t, kMaxCount>> known_;
};

// A bit for each of 64 bytes: is it counted?
#if defined(__SSE2__)
__m128i within(__m128i bytes, char first, char count) {
  // byte - first < count, unsigned: the smaller of it and count - 1 is itself.
  const __m128i offset = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(count - 1))), offset);
}

std::uint64_t counted_bits(const Kind& kind, const char* text) {
  std::uint64_t bits = 0;
  for (unsigned part = 0; part < 4; ++part) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * part));
    __m128i counted = within(bytes, '0', 10);
    if (kind.capitals) counted = _mm_or_si128(counted, within(bytes, 'A', 26));
    if (kind.small_letters) counted = _mm_or_si128(counted, within(bytes, 'a', 26));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(counted));
    bits |= static_cast<std::uint64_t>(mask) << (16 * part);
  }
  return bits;
}
#else
std::uint64_t counted_bits(const Kind& kind, const char* text) {
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 64; ++i) {
    const auto within = [&](char first, unsigned count) {
      return static_cast<unsigned char>(text[i] - first) < count;
    };
    const bool counted = within('0', 10) || (kind.capitals && within('A', 26)) ||
                         (kind.small_letters && within('a', 26));
    bits |= static_cast<std::uint64_t>(counted) << i;
  }
  return bits;
}
#endif

// The places of the last counted bytes.
class Recent {
 public:
  explicit Recent(const Kind& kind) : kind_(kind) {}
  // Whether the one at `place` completes the evidence.
  bool add(std::size_t place) {
    places_[next_] = place;
    next_ = next_ + 1 == kind_.count ? 0 : next_ + 1;
    if (seen_ < kind_.count) ++seen_;
    return seen_ == kind_.count && place - places_[next_] < kind_.span;
  }

 private:
  const Kind& kind_;
  std::array<std::size_t, kMaxCount> places_{};
  std::size_t next_ = 0;  // The oldest.
  std::size_t seen_ = 0;
};

}  // namespace

std::optional<Evidence> evidence_of(const PatternShape& shape) {
  for (std::size_t i = 0; i < kEvidenceKinds; ++i) {
    LongestWay way(shape, kKinds[i]);
    for (const auto& gate : shape.gates) {
      if (way.from(gate) <= kKinds[i].span) return static_cast<Evidence>(i);
    }
  }
  return std::nullopt;
}

void evidence_ranges(Evidence which, std::string_view text, std::size_t floor, std::size_t reach,
                     std::vector<EvidenceRange>& ranges) {
  const Kind& kind = kKinds[static_cast<std::size_t>(which)];
  Recent recent(kind);
  const std::size_t least = floor > 0 ? floor - 1 : 0;
  char tail[64];
  for (std::size_t at = floor; at < text.size(); at += 64) {
    const char* block = text.data() + at;
    if (text.size() - at < 64) {
      std::memset(tail, 0, sizeof tail);
      std::memcpy(tail, block, text.size() - at);
      block = tail;
    }
    for (std::uint64_t bits = counted_bits(kind, block); bits != 0; bits &= bits - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(bits));
      if (!recent.add(place)) continue;
      const std::size_t begin = place > least + reach ? place - reach : least;
      const std::size_t end = std::min(text.size(), place + reach + 1);
      if (!ranges.empty() && begin <= ranges.back().end) {
        ranges.back().end = end;
      } else {
        ranges.push_back({begin, end});
      }
    }
  }
}

}  // namespace agentsh::dlp
