#include "proxy/dns/cache.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace agentsh::dns {
namespace {

// List node, index node, string header and allocator overhead of one entry.
constexpr std::size_t kEntryOverhead = 192;

// The key as bytes, without an allocation.
class EncodedKey {
 public:
  explicit EncodedKey(const CacheKey& key) {
    const std::size_t host = std::min(key.host.size(), kMaxHost);
    std::memcpy(bytes_.data(), key.host.data(), host);
    bytes_[host] = static_cast<char>(static_cast<unsigned>(key.type) >> 8);
    bytes_[host + 1] = static_cast<char>(key.type);
    bytes_[host + 2] = key.dnssec ? '\1' : '\0';
    size_ = host + 3;
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  static constexpr std::size_t kMaxHost = 253;  // Of a canonical host name.
  std::array<char, kMaxHost + 3> bytes_;
  std::size_t size_;
};

bool expired(const Answer& answer, TimePoint now) {
  return now >= answer.received + std::chrono::seconds(answer.ttl);
}

}  // namespace

Cache::Cache(std::size_t max_bytes) : max_shard_bytes_(max_bytes / kShards) {}

void Cache::Shard::erase(std::list<Entry>::iterator entry) {
  bytes -= entry->bytes;
  index.erase(entry->key);
  queue.erase(entry);
}

// The oldest, but one that was used since gets a second round.
void Cache::Shard::evict_one() {
  while (queue.back().used) {
    queue.back().used = false;
    queue.splice(queue.begin(), queue, std::prev(queue.end()));
  }
  erase(std::prev(queue.end()));
}

AnswerPtr Cache::find(const CacheKey& key, TimePoint now) {
  const EncodedKey encoded(key);
  auto shard = shard_of(encoded.view()).lock();
  const auto found = shard->index.find(encoded.view());
  if (found == shard->index.end()) return nullptr;
  const auto entry = found->second;
  if (expired(*entry->answer, now)) {
    shard->erase(entry);
    return nullptr;
  }
  entry->used = true;
  return entry->answer;
}

void Cache::insert(const CacheKey& key, AnswerPtr answer) {
  if (answer->ttl == 0) return;
  std::string text(EncodedKey(key).view());
  const std::size_t bytes = answer->memory() + text.size() + kEntryOverhead;
  auto shard = shard_of(text).lock();
  if (const auto found = shard->index.find(std::string_view(text)); found != shard->index.end()) {
    shard->erase(found->second);
  }
  if (bytes > max_shard_bytes_) return;
  while (shard->bytes + bytes > max_shard_bytes_) shard->evict_one();
  shard->queue.push_front({std::move(text), std::move(answer), bytes});
  shard->index.emplace(shard->queue.front().key, shard->queue.begin());
  shard->bytes += bytes;
}

void Cache::clear() {
  for (auto& guarded : shards_) {
    auto shard = guarded.lock();
    shard->index.clear();
    shard->queue.clear();
    shard->bytes = 0;
  }
}

std::size_t Cache::bytes() {
  std::size_t total = 0;
  for (auto& guarded : shards_) total += guarded.lock()->bytes;
  return total;
}

std::size_t Cache::entries() {
  std::size_t total = 0;
  for (auto& guarded : shards_) total += guarded.lock()->index.size();
  return total;
}

}  // namespace agentsh::dns
