#include "sqlguard/classifier/analysis_cache.h"

#include "base/random.h"

#include <bit>
#include <cstring>
#include <utility>

namespace agentsh::sql {
namespace {

std::uint64_t new_seed() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

// A 64 by 64 bit multiplication folded to 64 bits, as in wyhash.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::size_t size_of(const Analysis& analysis) {
  std::size_t bytes = sizeof(Analysis);
  for (const Statement& s : analysis.statements) {
    bytes += sizeof s + s.raw_verb.size() + s.error.size();
    for (const Effect& e : s.effects) {
      bytes += sizeof e;
      for (const Object& o : e.objects)
        bytes += sizeof o + o.schema.size() + o.name.size() + o.host.size() + o.path.size() +
                 o.argv0.size();
    }
    for (const SessionChange& c : s.changes) {
      bytes += sizeof c + c.name.size();
      for (const std::string& value : c.values) bytes += sizeof value + value.size();
    }
    for (const CalledFunction& f : s.functions) bytes += sizeof f + f.schema.size() + f.name.size();
  }
  return bytes;
}

}  // namespace

std::size_t AnalysisCache::Hash::operator()(const Key& key) const {
  constexpr std::uint64_t kOdd1 = 0xa0761d6478bd642f, kOdd2 = 0xe7037ed1a0b428db;
  std::uint64_t hash = seed ^ key.text.size() ^ (static_cast<std::uint64_t>(key.dialect) << 56);
  const char* at = key.text.data();
  std::size_t left = key.text.size();
  while (left > 0) {
    std::uint64_t words[2] = {};
    const std::size_t taken = left < 16 ? left : 16;
    std::memcpy(words, at, taken);
    hash = mix(words[0] ^ kOdd1 ^ hash, words[1] ^ kOdd2 ^ seed);
    at += taken;
    left -= taken;
  }
  return mix(hash ^ kOdd2, seed | 1);
}

AnalysisCache::AnalysisCache(std::size_t max_bytes, TextLimits limits)
    : max_bytes_(max_bytes), limits_(limits), index_(64, Hash{new_seed()}) {}

std::shared_ptr<const Analysis> AnalysisCache::analyse(std::string_view sql, Dialect dialect) {
  if (const auto found = index_.find({sql, dialect}); found != index_.end()) {
    ++hits_;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->analysis;
  }
  ++misses_;
  auto analysis = std::make_shared<const Analysis>(classify(sql, dialect, limits_));
  constexpr std::size_t kPerEntry = 160;  // Nodes of the list and the index.
  const std::size_t bytes = sql.size() + size_of(*analysis) + kPerEntry;
  if (bytes > max_bytes_ / 100) return analysis;
  make_room(bytes);
  entries_.push_front({std::string(sql), analysis, bytes});
  index_.emplace(Key{entries_.front().text, dialect}, entries_.begin());
  bytes_ += bytes;
  return analysis;
}

void AnalysisCache::make_room(std::size_t bytes) {
  while (!entries_.empty() && bytes_ + bytes > max_bytes_) {
    const Entry& oldest = entries_.back();
    index_.erase({oldest.text, oldest.analysis->dialect});
    bytes_ -= oldest.bytes;
    entries_.pop_back();
  }
}

}  // namespace agentsh::sql
