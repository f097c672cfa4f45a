// Counts what has been used against limits, and what requests that are under way may still use.
//
// A request reserves the most that it can cost before it is forwarded, and settles what it did cost
// afterwards. What is reserved counts as used, so requests that run at the same time cannot exceed
// a limit together; none is exceeded as long as no request costs more than it reserved.
//
//   BudgetBook book(history);
//   auto admitted = book.admit({.charges = {{"key:k1", &limits}}, .tokens = 9000, ...}, now);
//   if (!admitted) answer(429, admitted.error());
//   admitted->settle({.tokens = 1200, .nano_dollars = 3600}, later);      // or its destructor:
//   nothing
//
// Threads: any. Lifetime: the book outlives its reservations.
#pragma once

#include "base/lock_guarded.h"
#include "proxy/gateway/limits.h"

#include <array>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

struct Used {
  std::uint64_t tokens = 0;
  std::uint64_t nano_dollars = 0;
};

// Both clocks: calendar periods go by the one, minutes by the other, which nobody sets.
struct Now {
  WallTime wall;
  std::chrono::steady_clock::time_point steady;
  static Now read() { return {std::chrono::system_clock::now(), std::chrono::steady_clock::now()}; }
};

enum class LimitKind : std::uint8_t {
  kMoney,
  kTokens,
  kRequestRate,
  kTokenRate,
  kConcurrent,
  kUnpriced,  // Money is limited and nobody knows what the request costs.
};
std::string_view to_string(LimitKind kind);

// Which limit refused, and when it would not.
struct LimitRefusal {
  LimitKind kind = LimitKind::kMoney;
  std::string subject;  // "key:ci", "session:s1", "model:gpt-*"
  Period period = Period::kTotal;
  std::uint64_t limit = 0;
  std::uint64_t used = 0;      // With what is reserved.
  std::uint64_t asked = 0;     // By this request.
  std::uint64_t reserved = 0;  // Of `used`: may come free before the period ends.
  std::optional<std::chrono::seconds> retry_after;
  std::optional<WallTime> resets_at;

  // A sentence for who sent the request.
  std::string message() const;
};

class BudgetBook {
 public:
  // What a subject has used since a moment, from before this process or this subject's first use.
  // Called with the book unlocked.
  using History = std::function<Used(std::string_view subject, WallTime since)>;

  // One subject that a request counts for. `limits` is read during admit() only.
  struct Charge {
    std::string subject;
    const Limits* limits = nullptr;
  };

  struct Ask {
    std::vector<Charge> charges;
    std::uint64_t tokens = 0;                   // The most that it can use.
    std::optional<std::uint64_t> nano_dollars;  // Nothing: not known.
  };

  class Reservation {
   public:
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    // What is not settled was not used.
    ~Reservation() { settle({}, Now::read()); }
    // Once; later calls do nothing.
    void settle(Used used, Now now);

   private:
    friend BudgetBook;
    Reservation() = default;
    BudgetBook* book_ = nullptr;
    std::vector<std::string> subjects_;
    std::uint64_t tokens_ = 0;
    std::uint64_t nano_dollars_ = 0;
  };

  explicit BudgetBook(History history) : history_(std::move(history)) {}

  // All limits of all charges, or none: a refusal leaves nothing behind.
  std::expected<Reservation, LimitRefusal> admit(const Ask& ask, Now now);

  // What a subject has used in the current period, without what is reserved.
  Used used(std::string_view subject, Period period, WallTime now);

  // Forgets subjects that nobody uses and that were not used since `before`.
  void forget_idle(std::chrono::steady_clock::time_point before);

 private:
  struct Window {
    WallTime start;
    Used used;
  };
  // Refills continuously up to a minute's worth. May be below zero after a request that took more
  // than it reserved.
  struct Bucket {
    double level = 0;
    double capacity = 0;
    std::chrono::steady_clock::time_point at;

    void refill(double per_minute, std::chrono::steady_clock::time_point now);
    std::optional<std::chrono::seconds> wait_for(double amount) const;
  };
  struct Account {
    std::array<Window, 4> windows;
    Used reserved;
    std::uint64_t running = 0;
    Bucket requests;
    Bucket tokens;
    std::chrono::steady_clock::time_point last_use;

    void enter_periods(WallTime now);
  };
  using Accounts = std::map<std::string, Account, std::less<>>;

  void know(std::string_view subject, Now now);
  static std::optional<LimitRefusal> check(const Account& account, const Charge& charge,
                                           const Ask& ask, Now now);
  static std::optional<LimitRefusal> check_budget(const Account& account, const Budget& budget,
                                                  const Ask& ask, WallTime now);
  static std::optional<LimitRefusal> check_rates(const Account& account, const Limits& limits,
                                                 const Ask& ask);
  void settle(Reservation& reservation, Used used, Now now);

  const History history_;
  LockGuarded<Accounts> accounts_;
};

}  // namespace agentsh::gateway
