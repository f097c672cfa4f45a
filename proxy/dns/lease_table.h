// Which address one session was given for which name: what makes "allow this name" mean "these
// addresses", and nothing else.
//
// A lease is made by an answer (grant), and lives for max(TTL, min_ttl) + grace, so that clients
// which cache a little longer than the TTL do not fail. Each use moves its end to `grace` from
// then, up to max_slide past the TTL; while a flow holds it (hold), it does not end at all, and it
// lives for `grace` after the last holder went.
//
// Bounded: at max_entries, expired leases go first, then those that would end next. One that is
// held never goes; when everything is held, grant() refuses, and the answer must not be given.
//
// Threads: any. Look-ups and renewals share the lock; only a new lease takes it alone.
#pragma once

#include "base/ip.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::dns {

enum class LeaseOrigin : std::uint8_t {
  kAnswer,    // An upstream's answer.
  kHosts,     // A hosts file.
  kRedirect,  // A dns_redirects rule.
};

struct LeaseOptions {
  std::size_t max_entries = 16'384;
  std::chrono::nanoseconds min_ttl = std::chrono::seconds(30);
  std::chrono::nanoseconds grace = std::chrono::minutes(5);
  std::chrono::nanoseconds max_slide = std::chrono::hours(1);
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
};

class Lease;

class LeaseTable : public std::enable_shared_from_this<LeaseTable> {
 public:
  explicit LeaseTable(LeaseOptions options = {}) : options_(std::move(options)) {}

  // The TTL of a lease that does not end.
  static constexpr std::chrono::seconds kForever = std::chrono::seconds::max();

  // Makes or renews the lease. `name` is canonical. False when there is no room.
  bool grant(std::string_view name, const IpAddress& address, std::chrono::seconds ttl,
             LeaseOrigin origin = LeaseOrigin::kAnswer);

  // A lease that the table knows, to renew it without looking for it.
  struct Entry;
  using Handle = std::shared_ptr<Entry>;
  Handle handle(std::string_view name, const IpAddress& address) const;
  // Renews them all as grant() would. False, with nothing done, when one has left the table.
  bool renew(const std::vector<Handle>& handles, std::chrono::seconds ttl);

  // Was this session given `address` for `name`, and may it still use it? A use.
  bool is_leased(std::string_view name, const IpAddress& address) const;
  // The same, and keeps the lease until the returned object goes. The table must be owned by a
  // shared_ptr.
  std::optional<Lease> hold(std::string_view name, const IpAddress& address) const;

  // Names of an address, the latest given first, at most `limit`; addresses of a name. No use.
  std::vector<std::string> names_of(const IpAddress& address, std::size_t limit = 256) const;
  std::vector<IpAddress> addresses_of(std::string_view name) const;
  // How the session came to the lease; nothing where there is none.
  std::optional<LeaseOrigin> origin_of(std::string_view name, const IpAddress& address) const;

  std::size_t size() const;

 private:
  friend Lease;
  using EntryPtr = Handle;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::int64_t now() const { return options_.clock().time_since_epoch().count(); }
  const EntryPtr* find(std::string_view name, const IpAddress& address) const;
  const EntryPtr* find_live(std::string_view name, const IpAddress& address) const;
  bool is_live(const Entry& entry, std::int64_t now) const;
  void extend(Entry& entry, std::chrono::seconds ttl, std::int64_t now);
  void use(Entry& entry, std::int64_t now) const;
  bool make_room();
  void remove(const EntryPtr& entry);

  const LeaseOptions options_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::vector<EntryPtr>, Hash, std::equal_to<>> by_name_;
  std::unordered_map<IpAddress, std::vector<EntryPtr>> by_address_;
  std::size_t size_ = 0;
  std::atomic<std::uint64_t> grants_{0};
};

struct LeaseTable::Entry {
  std::string name;
  IpAddress address;
  std::atomic<std::int64_t> ttl_end{0};  // Nanoseconds of the clock.
  std::atomic<std::int64_t> end{0};
  std::atomic<std::uint64_t> granted{0};  // Order of the latest grant.
  std::atomic<std::uint32_t> holders{0};
  std::atomic<LeaseOrigin> origin{LeaseOrigin::kAnswer};
  bool removed = false;  // Under the table's lock.
};

// A lease that a flow rests on. Movable; the lease may end again once every holder is gone.
class Lease {
 public:
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }

  const std::string& name() const { return entry_->name; }
  const IpAddress& address() const { return entry_->address; }
  LeaseOrigin origin() const { return entry_->origin; }

 private:
  friend LeaseTable;
  Lease(std::shared_ptr<const LeaseTable> table, LeaseTable::EntryPtr entry)
      : table_(std::move(table)), entry_(std::move(entry)) {}
  void release();

  std::shared_ptr<const LeaseTable> table_;
  LeaseTable::EntryPtr entry_;
};

}  // namespace agentsh::dns
