#include "proxy/dns/lease_table.h"

#include <algorithm>
#include <limits>
#include <mutex>

namespace agentsh::dns {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

void raise_to(std::atomic<std::int64_t>& value, std::int64_t target) {
  std::int64_t current = value.load(std::memory_order_relaxed);
  while (current < target && !value.compare_exchange_weak(current, target)) {
  }
}

template <class Vector, class Pointer>
void erase_from(Vector& entries, const Pointer& entry) {
  const auto found = std::find(entries.begin(), entries.end(), entry);
  if (found != entries.end()) {
    *found = std::move(entries.back());
    entries.pop_back();
  }
}

}  // namespace

bool LeaseTable::is_live(const Entry& entry, std::int64_t now) const {
  return entry.holders.load() > 0 || now < entry.end.load();
}

const LeaseTable::EntryPtr* LeaseTable::find(std::string_view name,
                                             const IpAddress& address) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  for (const EntryPtr& entry : found->second) {
    if (entry->address == address) return &entry;
  }
  return nullptr;
}

const LeaseTable::EntryPtr* LeaseTable::find_live(std::string_view name,
                                                  const IpAddress& address) const {
  const EntryPtr* entry = find(name, address);
  return entry != nullptr && is_live(**entry, now()) ? entry : nullptr;
}

void LeaseTable::extend(Entry& entry, std::chrono::seconds ttl, std::int64_t now) {
  entry.granted.store(++grants_, std::memory_order_relaxed);
  if (ttl == kForever) {
    entry.ttl_end = entry.end = kNever;
    return;
  }
  const std::int64_t lifetime = std::max(std::chrono::nanoseconds(ttl), options_.min_ttl).count();
  raise_to(entry.ttl_end, now + lifetime);
  raise_to(entry.end, now + lifetime + options_.grace.count());
}

LeaseTable::Handle LeaseTable::handle(std::string_view name, const IpAddress& address) const {
  std::shared_lock lock(mutex_);
  const EntryPtr* entry = find(name, address);
  return entry == nullptr ? nullptr : *entry;
}

bool LeaseTable::renew(const std::vector<Handle>& handles, std::chrono::seconds ttl) {
  std::shared_lock lock(mutex_);
  for (const Handle& handle : handles) {
    if (handle->removed) return false;
  }
  const std::int64_t time = now();
  for (const Handle& handle : handles) extend(*handle, ttl, time);
  return true;
}

bool LeaseTable::grant(std::string_view name, const IpAddress& address, std::chrono::seconds ttl,
                       LeaseOrigin origin) {
  {
    std::shared_lock lock(mutex_);
    if (const EntryPtr* entry = find(name, address)) {
      if ((*entry)->end.load() != kNever) (*entry)->origin = origin;
      extend(**entry, ttl, now());
      return true;
    }
  }
  std::unique_lock lock(mutex_);
  if (const EntryPtr* entry = find(name, address)) {
    extend(**entry, ttl, now());
    return true;
  }
  if (size_ >= options_.max_entries && !make_room()) return false;
  auto entry = std::make_shared<Entry>();
  entry->name = name;
  entry->address = address;
  entry->origin = origin;
  extend(*entry, ttl, now());
  by_name_[entry->name].push_back(entry);
  by_address_[address].push_back(std::move(entry));
  ++size_;
  return true;
}

// Frees every expired lease, or else a sixteenth of the table: those that end next.
bool LeaseTable::make_room() {
  const std::int64_t time = now();
  std::vector<EntryPtr> going;
  // With their ends as read once: a holder that goes meanwhile moves them.
  std::vector<std::pair<std::int64_t, EntryPtr>> idle;
  for (const auto& [name, entries] : by_name_) {
    for (const EntryPtr& entry : entries) {
      const std::int64_t end = entry->end.load();
      if (!is_live(*entry, time)) {
        going.push_back(entry);
      } else if (entry->holders.load() == 0 && end != kNever) {
        idle.emplace_back(end, entry);
      }
    }
  }
  if (going.empty()) {
    const std::size_t count = std::min(idle.size(), options_.max_entries / 16 + 1);
    std::nth_element(idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(count), idle.end());
    for (std::size_t i = 0; i < count; ++i) going.push_back(std::move(idle[i].second));
  }
  for (const EntryPtr& entry : going) remove(entry);
  return !going.empty();
}

void LeaseTable::remove(const EntryPtr& entry) {
  const auto by_name = by_name_.find(entry->name);
  erase_from(by_name->second, entry);
  if (by_name->second.empty()) by_name_.erase(by_name);
  const auto by_address = by_address_.find(entry->address);
  erase_from(by_address->second, entry);
  if (by_address->second.empty()) by_address_.erase(by_address);
  entry->removed = true;
  --size_;
}

void LeaseTable::use(Entry& entry, std::int64_t now) const {
  const std::int64_t ttl_end = entry.ttl_end.load();
  if (ttl_end == kNever) return;
  raise_to(entry.end, std::min(now + options_.grace.count(), ttl_end + options_.max_slide.count()));
}

bool LeaseTable::is_leased(std::string_view name, const IpAddress& address) const {
  std::shared_lock lock(mutex_);
  const EntryPtr* entry = find_live(name, address);
  if (entry == nullptr) return false;
  use(**entry, now());
  return true;
}

std::optional<Lease> LeaseTable::hold(std::string_view name, const IpAddress& address) const {
  std::shared_lock lock(mutex_);
  const EntryPtr* entry = find_live(name, address);
  if (entry == nullptr) return {};
  ++(*entry)->holders;
  use(**entry, now());
  return Lease(shared_from_this(), *entry);
}

std::vector<std::string> LeaseTable::names_of(const IpAddress& address, std::size_t limit) const {
  std::vector<EntryPtr> live;
  {
    std::shared_lock lock(mutex_);
    const auto found = by_address_.find(address);
    if (found == by_address_.end()) return {};
    const std::int64_t time = now();
    std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(live),
                 [&](const EntryPtr& entry) { return is_live(*entry, time); });
  }
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, live.size()));
  std::vector<std::pair<std::uint64_t, const Entry*>> order;
  order.reserve(live.size());
  for (const EntryPtr& entry : live) order.emplace_back(entry->granted.load(), entry.get());
  std::partial_sort(order.begin(), order.begin() + count, order.end(), std::greater<>());
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(count));
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    names.push_back(order[static_cast<std::size_t>(i)].second->name);
  }
  return names;
}

std::vector<IpAddress> LeaseTable::addresses_of(std::string_view name) const {
  std::shared_lock lock(mutex_);
  std::vector<IpAddress> addresses;
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return addresses;
  const std::int64_t time = now();
  for (const EntryPtr& entry : found->second) {
    if (is_live(*entry, time)) addresses.push_back(entry->address);
  }
  return addresses;
}

std::optional<LeaseOrigin> LeaseTable::origin_of(std::string_view name,
                                                 const IpAddress& address) const {
  std::shared_lock lock(mutex_);
  const EntryPtr* entry = find_live(name, address);
  if (entry == nullptr) return {};
  return (*entry)->origin.load();
}

std::size_t LeaseTable::size() const {
  std::shared_lock lock(mutex_);
  return size_;
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    table_ = std::move(other.table_);
    entry_ = std::move(other.entry_);
  }
  return *this;
}

// The grace begins before the holder goes, so that no look-up in between sees the lease ended.
void Lease::release() {
  if (!entry_) return;
  raise_to(entry_->end, table_->now() + table_->options_.grace.count());
  --entry_->holders;
  entry_.reset();
  table_.reset();
}

}  // namespace agentsh::dns
