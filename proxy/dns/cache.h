// Answers of upstreams, shared by all sessions, until their TTL ends; never longer. Keyed by name,
// type and whether DNSSEC records were asked for. Bounded in bytes: the oldest that nobody asked
// for lately go first (second chance, so that a look-up moves nothing).
//
// What a session may see of an answer is decided for each question anew (lookup.h), so sharing it
// lets nobody past policy. (A session can tell by timing that some session asked for a name.)
//
// Threads: any; 16 shards with a mutex each.
#pragma once

#include "base/lock_guarded.h"
#include "proxy/dns/answer.h"

#include <array>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace agentsh::dns {

struct CacheKey {
  std::string_view host;  // Canonical.
  RrType type = RrType::kA;
  bool dnssec = false;
};

class Cache {
 public:
  explicit Cache(std::size_t max_bytes = std::size_t{16} << 20);

  // The answer, unless its TTL has run out at `now`.
  AnswerPtr find(const CacheKey& key, TimePoint now);
  // Keeps `answer` until its TTL ends; one with TTL 0 is not kept.
  void insert(const CacheKey& key, AnswerPtr answer);

  void clear();
  std::size_t bytes();
  std::size_t entries();

 private:
  struct Entry {
    std::string key;
    AnswerPtr answer;
    std::size_t bytes;
    bool used = false;  // Since it was last considered for eviction.
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Shard {
    std::list<Entry> queue;  // Oldest last.
    // The keys are views of the list's entries, whose addresses stay.
    std::unordered_map<std::string_view, std::list<Entry>::iterator, Hash, std::equal_to<>> index;
    std::size_t bytes = 0;

    void erase(std::list<Entry>::iterator entry);
    void evict_one();
  };
  static constexpr std::size_t kShards = 16;

  LockGuarded<Shard>& shard_of(std::string_view key) {
    return shards_[std::hash<std::string_view>{}(key) / 7 % kShards];
  }

  const std::size_t max_shard_bytes_;
  std::array<LockGuarded<Shard>, kShards> shards_;
};

}  // namespace agentsh::dns
