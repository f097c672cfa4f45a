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
  bool letters;       // Letters are counted beside digits.
};
constexpr Kind kKinds[kEvidenceKinds] = {{20, 20, true}, {5, 16, false}, {4, 8, false}};
constexpr std::size_t kMaxCount = 20;

ByteSet counted_bytes(const Kind& kind) {
  ByteSet set;
  for (unsigned byte = '0'; byte <= '9'; ++byte) set.set(byte);
  for (unsigned letter = 0; letter < 26; ++letter) {
    if (!kind.letters) break;
    set.set('A' + letter).set('a' + letter);
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
    if (kind.letters) {
      // Bit 5 tells capitals from small letters.
      const __m128i small = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
      counted = _mm_or_si128(counted, within(small, 'a', 26));
    }
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
    const bool counted = within('0', 10) || (kind.letters && (within('A', 26) || within('a', 26)));
    bits |= static_cast<std::uint64_t>(counted) << i;
  }
  return bits;
}
#endif

// Calls take(place of the first, bits) for each 64 bytes of text[floor...].
template <class Take>
void each_block(const Kind& kind, std::string_view text, std::size_t floor, Take take) {
  std::size_t at = floor;
  for (; at + 64 <= text.size(); at += 64) take(at, counted_bits(kind, text.data() + at));
  if (at == text.size()) return;
  char tail[64] = {};
  std::memcpy(tail, text.data() + at, text.size() - at);
  take(at, counted_bits(kind, tail));
}

void add_place(std::size_t place, std::vector<EvidenceRange>& places) {
  if (!places.empty() && places.back().end == place) {
    ++places.back().end;
  } else {
    places.push_back({place, place + 1});
  }
}

void find_digits(const Kind& kind, std::string_view text, std::size_t floor,
                 std::vector<EvidenceRange>& places) {
  // Of 64 bytes with so many digits all are taken, which is faster than to look at each.
  constexpr int kMany = 16;
  std::array<std::size_t, kMaxCount> last{};  // A ring of the last places.
  std::size_t oldest = 0;
  std::size_t seen = 0;
  each_block(kind, text, floor, [&](std::size_t at, std::uint64_t bits) {
    if (std::popcount(bits) >= kMany) {
      const std::size_t end = std::min(at + 64, text.size());
      if (!places.empty() && places.back().end == at) {
        places.back().end = end;
      } else {
        places.push_back({at, end});
      }
      // As if its last bytes were digits.
      last.fill(end - 1);
      seen = kind.count;
      return;
    }
    for (; bits != 0; bits &= bits - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(bits));
      last[oldest] = place;
      oldest = oldest + 1 == kind.count ? 0 : oldest + 1;
      if (++seen >= kind.count && place - last[oldest] < kind.span) add_place(place, places);
    }
  });
}

void find_runs(const Kind& kind, std::string_view text, std::size_t floor,
               std::vector<EvidenceRange>& places) {
  static_assert(kKinds[0].count == 20);
  std::uint64_t before = 0;
  each_block(kind, text, floor, [&](std::size_t at, std::uint64_t bits) {
    // A bit stays where the 19 bits before it are set too.
    unsigned __int128 runs = (static_cast<unsigned __int128>(bits) << 64) | before;
    before = bits;
    runs &= runs << 1;
    runs &= runs << 2;
    runs &= runs << 4;
    runs &= runs << 8;
    runs &= runs << 4;
    for (auto ends = static_cast<std::uint64_t>(runs >> 64); ends != 0; ends &= ends - 1) {
      add_place(at + static_cast<std::size_t>(std::countr_zero(ends)), places);
    }
  });
}

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

void find_evidence(Evidence which, std::string_view text, std::size_t floor,
                   std::vector<EvidenceRange>& places) {
  places.clear();
  const Kind& kind = kKinds[static_cast<std::size_t>(which)];
  if (kind.letters) {
    find_runs(kind, text, floor, places);
  } else {
    find_digits(kind, text, floor, places);
  }
}

void ranges_around(const std::vector<EvidenceRange>& places, std::size_t text_size,
                   std::size_t floor, std::size_t reach, std::vector<EvidenceRange>& ranges) {
  ranges.clear();
  const std::size_t least = floor > 0 ? floor - 1 : 0;
  for (const EvidenceRange& place : places) {
    const std::size_t begin = place.begin > least + reach ? place.begin - reach : least;
    const std::size_t end = std::min(text_size, place.end + reach);
    if (!ranges.empty() && begin <= ranges.back().end) {
      ranges.back().end = end;
    } else {
      ranges.push_back({begin, end});
    }
  }
}

}  // namespace agentsh::dlp
