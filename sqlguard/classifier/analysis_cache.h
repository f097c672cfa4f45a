// Analyses by exact statement text: the guard's hot path is one look-up here.
//
// For one thread (a worker has one of its own). Bounded in bytes; the least recently used goes
// first.
#pragma once

#include "sqlguard/classifier/classify.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace agentsh::sql {

class AnalysisCache {
 public:
  explicit AnalysisCache(std::size_t max_bytes = 16 << 20, TextLimits limits = {});

  // classify(sql, dialect), from the cache when it is there. Text of more than a hundredth of the
  // cache's size is not kept.
  std::shared_ptr<const Analysis> analyse(std::string_view sql, Dialect dialect);

  std::size_t entries() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    std::string text;
    std::shared_ptr<const Analysis> analysis;
    std::size_t bytes;
  };
  struct Key {
    std::string_view text;
    Dialect dialect;
    bool operator==(const Key&) const = default;
  };
  // Keyed: who sends statements must not be able to make them collide.
  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const Key& key) const;
  };
  using Entries = std::list<Entry>;  // The most recently used first.

  void make_room(std::size_t bytes);

  std::size_t max_bytes_;
  TextLimits limits_;
  Entries entries_;
  std::unordered_map<Key, Entries::iterator, Hash> index_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
};

}  // namespace agentsh::sql
