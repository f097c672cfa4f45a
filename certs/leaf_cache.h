// Minted leaves by host, least recently used ones dropped: the first connection to a host pays for
// a signature, the next ones for a look-up.
//
//   LeafCache cache(std::move(factory));
//   cache.warm("www.example.com");            // the DNS answer was just given
//   auto leaf = cache.get("www.example.com"); // the ClientHello came
//
// A leaf is replaced when less than half of its life is left, so that what a long-lived client has
// seen stays valid for days. Threads: any; minting is done outside the lock.
#pragma once

#include "base/lock_guarded.h"
#include "certs/leaf.h"

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace agentsh::certs {

class LeafCache {
 public:
  static constexpr std::size_t kDefaultCapacity = 4096;  // About 2.8 KB each.

  explicit LeafCache(std::unique_ptr<const LeafFactory> factory,
                     std::size_t capacity = kDefaultCapacity);

  // The leaf for a canonical host name or an IP address, minted when there is none. Errors are
  // LeafFactory::mint's.
  Result<std::shared_ptr<const Leaf>> get(std::string_view host);
  // Mints ahead of need; nothing is said when it fails, get() will say it.
  void warm(std::string_view host);

  std::size_t size();
  const Authority& authority() const { return factory_->authority(); }

 private:
  using Order = std::list<std::shared_ptr<const Leaf>>;  // Most recently used first.
  struct Entries {
    Order order;
    // The keys are the hosts inside the leaves.
    std::unordered_map<std::string_view, Order::iterator> by_host;
  };

  std::shared_ptr<const Leaf> find(std::string_view host);
  void insert(std::shared_ptr<const Leaf> leaf);

  std::unique_ptr<const LeafFactory> factory_;
  std::size_t capacity_;
  LockGuarded<Entries> entries_;
};

}  // namespace agentsh::certs
