#include "proxy/dns/cache.h"

#include <chrono>
#include <utility>

namespace agentsh::dns {
namespace {

// List node, index node, string header and allocator overhead of one entry.
constexpr std::size_t kEntryOverhead = 192;

std::string encode(const CacheKey& key) {
  std::string text;
  text.reserve(key.host.size() + 3);
  text += key.host;
  text += static_cast<char>(static_cast<unsigned>(key.type) >> 8);
  text += static_cast<char>(key.type);
  text += key.dnssec ? '\1' : '\0';
  return text;
}

bool expired(const Answer& answer, TimePoint now) {
  return now >= answer.received + std::chrono::seconds(answer.ttl);
}

}  // namespace

Cache::Cache(std::size_t max_bytes) : max_shard_bytes_(max_bytes / kShards) {}

void Cache::Shard::erase(std::list<Entry>::iterator entry) {
  bytes -= entry->bytes;
  index.erase(entry->key);
  recent.erase(entry);
}

AnswerPtr Cache::find(const CacheKey& key, TimePoint now) {
  const std::string text = encode(key);
  auto shard = shard_of(text).lock();
  const auto found = shard->index.find(std::string_view(text));
  if (found == shard->index.end()) return nullptr;
  const auto entry = found->second;
  if (expired(*entry->answer, now)) {
    shard->erase(entry);
    return nullptr;
  }
  shard->recent.splice(shard->recent.begin(), shard->recent, entry);
  return entry->answer;
}

void Cache::insert(const CacheKey& key, AnswerPtr answer) {
  if (answer->ttl == 0) return;
  std::string text = encode(key);
  const std::size_t bytes = answer->memory() + text.size() + kEntryOverhead;
  auto shard = shard_of(text).lock();
  if (const auto found = shard->index.find(std::string_view(text)); found != shard->index.end()) {
    shard->erase(found->second);
  }
  if (bytes > max_shard_bytes_) return;
  while (shard->bytes + bytes > max_shard_bytes_) shard->erase(std::prev(shard->recent.end()));
  shard->recent.push_front({std::move(text), std::move(answer), bytes});
  shard->index.emplace(shard->recent.front().key, shard->recent.begin());
  shard->bytes += bytes;
}

void Cache::clear() {
  for (auto& guarded : shards_) {
    auto shard = guarded.lock();
    shard->index.clear();
    shard->recent.clear();
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
