#include "certs/leaf_cache.h"

#include <algorithm>

namespace agentsh::certs {

LeafCache::LeafCache(std::unique_ptr<const LeafFactory> factory, std::size_t capacity)
    : factory_(std::move(factory)), capacity_(std::max<std::size_t>(capacity, 1)) {}

std::shared_ptr<const Leaf> LeafCache::find(std::string_view host) {
  auto entries = entries_.lock();
  const auto found = entries->by_host.find(host);
  if (found == entries->by_host.end()) return nullptr;
  const Order::iterator at = found->second;
  if ((*at)->not_after() - std::chrono::system_clock::now() < LeafFactory::kLifetime / 2 &&
      (*at)->not_after() < factory_->authority().not_after()) {
    entries->by_host.erase(found);
    entries->order.erase(at);
    return nullptr;
  }
  entries->order.splice(entries->order.begin(), entries->order, at);
  return *at;
}

void LeafCache::insert(std::shared_ptr<const Leaf> leaf) {
  auto entries = entries_.lock();
  // Another thread may have minted for the same host meanwhile; the later one stays.
  if (const auto old = entries->by_host.find(leaf->host()); old != entries->by_host.end()) {
    const Order::iterator at = old->second;
    entries->by_host.erase(old);
    entries->order.erase(at);
  }
  entries->order.push_front(std::move(leaf));
  entries->by_host.emplace(entries->order.front()->host(), entries->order.begin());
  if (entries->order.size() > capacity_) {
    entries->by_host.erase(entries->order.back()->host());
    entries->order.pop_back();
  }
}

Result<std::shared_ptr<const Leaf>> LeafCache::get(std::string_view host) {
  if (std::shared_ptr<const Leaf> leaf = find(host)) return leaf;
  auto leaf = factory_->mint(host);
  if (leaf) insert(*leaf);
  return leaf;
}

void LeafCache::warm(std::string_view host) {
  static_cast<void>(get(host));
}

std::size_t LeafCache::size() {
  return entries_.lock()->order.size();
}

}  // namespace agentsh::certs
