// Which of many networks contain an address: a longest-prefix table cut into the ranges between the
// networks' borders, each with the set of ids of every network around it. One binary search.
//
// Threads: immutable once built; any thread.
#pragma once

#include "base/ip.h"
#include "policies/id_set.h"

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

namespace agentsh::policy {

class CidrIndex {
 public:
  struct Entry {
    Cidr cidr;
    std::uint32_t id;
  };

  CidrIndex() = default;
  // `id_bound` is above every id. Several networks may have one id.
  CidrIndex(std::vector<Entry> entries, std::uint32_t id_bound);

  // The ids of the networks that contain `address`; null for none. It belongs to the index.
  const IdSet* find(const IpAddress& address) const;

 private:
  struct Key {
    std::uint64_t high;
    std::uint64_t low;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Range {
    Key first;
    Key last;
    std::uint32_t id;
  };
  // One family. `::/0` does not contain IPv4 addresses, whose mapped form lies within it.
  class Table {
   public:
    Table() = default;
    Table(std::vector<Range> ranges, std::uint32_t id_bound);
    const IdSet* find(const Key& key) const;

   private:
    void add(Key first, const std::vector<const Range*>& around, std::uint32_t id_bound);

    std::vector<Key> starts_;          // Sorted: where each range begins.
    std::vector<const IdSet*> found_;  // What holds from there on; null for nothing.
    std::deque<IdSet> sets_;
  };

  static Key key_of(const IpAddress& address);
  static Range range_of(const Entry& entry);

  Table v4_;
  Table v6_;
};

}  // namespace agentsh::policy
