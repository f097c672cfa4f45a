#include "proxy/dns/lease_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace agentsh::dns {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct Clock {
  std::chrono::steady_clock::time_point now{std::chrono::hours(1000)};
};

struct Fixture {
  std::shared_ptr<Clock> clock = std::make_shared<Clock>();
  std::shared_ptr<LeaseTable> table;

  explicit Fixture(std::size_t max_entries = 16'384) {
    LeaseOptions options;
    options.max_entries = max_entries;
    options.clock = [clock = clock] { return clock->now; };
    table = std::make_shared<LeaseTable>(options);
  }
};

IpAddress address(std::uint32_t n) {
  return IpAddress::v4(0x01000000 + n);
}

TEST(DnsLeases, EndAfterTtlAndGrace) {
  Fixture f;
  ASSERT_TRUE(f.table->grant("a.example", address(1), 60s));
  EXPECT_TRUE(f.table->is_leased("a.example", address(1)));
  EXPECT_FALSE(f.table->is_leased("a.example", address(2)));
  EXPECT_FALSE(f.table->is_leased("b.example", address(1)));
  f.clock->now += 60s + 5min - 1ns;
  EXPECT_EQ(f.table->addresses_of("a.example").size(), 1u);
  f.clock->now += 1ns;
  EXPECT_TRUE(f.table->addresses_of("a.example").empty());
  EXPECT_FALSE(f.table->is_leased("a.example", address(1)));
}

TEST(DnsLeases, ShortTtlsAreRaised) {
  Fixture f;
  ASSERT_TRUE(f.table->grant("a.example", address(1), 0s));
  f.clock->now += 5min + 29s;
  EXPECT_TRUE(f.table->names_of(address(1)).size() == 1);
}

TEST(DnsLeases, UseSlidesTheEndUpToALimit) {
  Fixture f;
  ASSERT_TRUE(f.table->grant("a.example", address(1), 60s));
  nanoseconds lived{};
  while (f.table->is_leased("a.example", address(1))) {
    f.clock->now += 4min;
    lived += 4min;
  }
  EXPECT_GT(lived, 1h);
  EXPECT_LE(lived, 60s + 1h + 4min);
}

TEST(DnsLeases, AHolderKeepsIt) {
  Fixture f;
  ASSERT_TRUE(f.table->grant("a.example", address(1), 60s));
  auto lease = f.table->hold("a.example", address(1));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->name(), "a.example");
  f.clock->now += 48h;
  EXPECT_TRUE(f.table->is_leased("a.example", address(1)));
  auto second = f.table->hold("a.example", address(1));
  lease.reset();
  f.clock->now += 48h;
  EXPECT_TRUE(f.table->is_leased("a.example", address(1)));
  second.reset();
  f.clock->now += 5min - 1ns;
  EXPECT_EQ(f.table->addresses_of("a.example").size(), 1u) << "grace after the last holder";
  f.clock->now += 1ns;
  EXPECT_FALSE(f.table->hold("a.example", address(1)));
}

TEST(DnsLeases, HandlesMove) {
  Fixture f;
  ASSERT_TRUE(f.table->grant("a.example", address(1), 60s));
  ASSERT_TRUE(f.table->grant("b.example", address(2), 60s));
  auto a = f.table->hold("a.example", address(1));
  auto b = f.table->hold("b.example", address(2));
  *a = std::move(*b);
  b.reset();
  f.clock->now += 1h;
  EXPECT_FALSE(f.table->is_leased("a.example", address(1)));
  EXPECT_TRUE(f.table->is_leased("b.example", address(2)));
  EXPECT_EQ(a->name(), "b.example");
}

TEST(DnsLeases, OutliveTheirTable) {
  std::optional<Lease> lease;
  {
    Fixture f;
    ASSERT_TRUE(f.table->grant("a.example", address(1), 60s));
    lease = f.table->hold("a.example", address(1));
  }
  EXPECT_EQ(lease->name(), "a.example");
}

TEST(DnsLeases, NamesComeLatestFirst) {
  Fixture f;
  for (const char* name : {"a.example", "b.example", "c.example", "a.example"}) {
    ASSERT_TRUE(f.table->grant(name, address(1), 60s));
  }
  EXPECT_EQ(f.table->names_of(address(1)),
            (std::vector<std::string>{"a.example", "c.example", "b.example"}));
  EXPECT_EQ(f.table->names_of(address(1), 1), (std::vector<std::string>{"a.example"}));
  EXPECT_EQ(f.table->size(), 3u);
}

TEST(DnsLeases, ForeverDoesNotEnd) {
  Fixture f;
  ASSERT_TRUE(f.table->grant("db", address(1), LeaseTable::kForever, LeaseOrigin::kHosts));
  ASSERT_TRUE(f.table->grant("db", address(1), 1s));
  f.clock->now += 10'000h;
  EXPECT_TRUE(f.table->is_leased("db", address(1)));
  EXPECT_EQ(f.table->origin_of("db", address(1)), LeaseOrigin::kHosts);
  EXPECT_FALSE(f.table->origin_of("db", address(2)));
}

TEST(DnsLeases, ExpiredOnesMakeRoomFirst) {
  Fixture f(64);
  for (std::uint32_t i = 0; i < 64; ++i) {
    ASSERT_TRUE(f.table->grant("old" + std::to_string(i), address(i), i < 32 ? 1s : 3600s));
  }
  f.clock->now += 10min;
  for (std::uint32_t i = 0; i < 32; ++i) {
    ASSERT_TRUE(f.table->grant("new" + std::to_string(i), address(100 + i), 60s));
  }
  for (std::uint32_t i = 32; i < 64; ++i) {
    EXPECT_TRUE(f.table->is_leased("old" + std::to_string(i), address(i))) << i;
  }
  EXPECT_EQ(f.table->size(), 64u);
}

TEST(DnsLeases, HeldOnesAreNeverEvicted) {
  Fixture f(64);
  std::vector<Lease> held;
  for (std::uint32_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(f.table->grant("held" + std::to_string(i), address(i), 1s));
    held.push_back(*f.table->hold("held" + std::to_string(i), address(i)));
  }
  f.clock->now += 1h;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(f.table->grant("n" + std::to_string(i), address(1000 + i), 3600s));
    ASSERT_LE(f.table->size(), 64u);
  }
  for (std::uint32_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(f.table->is_leased("held" + std::to_string(i), address(i)));
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    if (auto lease = f.table->hold("n9999", address(1000 + 9999)))
      held.push_back(std::move(*lease));
  }
  while (f.table->size() < 64) {
    const std::string name = "more" + std::to_string(held.size());
    ASSERT_TRUE(f.table->grant(name, address(5), 60s));
    held.push_back(*f.table->hold(name, address(5)));
  }
  // What is left that nobody holds.
  for (std::uint32_t i = 9990; i < 9999; ++i) {
    if (auto lease = f.table->hold("n" + std::to_string(i), address(1000 + i))) {
      held.push_back(std::move(*lease));
    }
  }
  EXPECT_FALSE(f.table->grant("no-room", address(7), 60s));
  EXPECT_TRUE(f.table->grant("held0", address(0), 60s)) << "renewing needs no room";
}

// A million random steps against a plain model of what was given and when: not one pair that was
// never given, or whose time is over, passes; and not one that must pass fails.
class Model {
 public:
  explicit Model(const Clock& clock) : clock_(clock) {}

  using Pair = std::pair<std::uint32_t, std::uint32_t>;  // Name, address.
  void granted(Pair pair, seconds ttl) {
    State& state = states_[pair];
    state.ttl_end = std::max(state.ttl_end, clock_.now + std::max(ttl, seconds(30)));
    state.end = std::max(state.end, state.ttl_end + 5min);
  }
  bool live(Pair pair) const {
    const auto found = states_.find(pair);
    return found != states_.end() && (found->second.holders > 0 || clock_.now < found->second.end);
  }
  void used(Pair pair) {
    State& state = states_[pair];
    state.end = std::max(state.end, std::min(clock_.now + 5min, state.ttl_end + 1h));
  }
  void held(Pair pair) { ++states_[pair].holders; }
  void released(Pair pair) {
    State& state = states_[pair];
    --state.holders;
    state.end = std::max(state.end, clock_.now + 5min);
  }

 private:
  struct State {
    std::chrono::steady_clock::time_point ttl_end{};
    std::chrono::steady_clock::time_point end{};
    int holders = 0;
  };
  const Clock& clock_;
  std::map<Pair, State> states_;
};

TEST(DnsLeases, MillionRandomSteps) {
  Fixture f;
  Model model(*f.clock);
  std::mt19937 random(20261124);
  std::vector<std::pair<Model::Pair, Lease>> held;
  constexpr std::uint32_t kNames = 20;
  constexpr std::uint32_t kAddresses = 30;
  const auto name_of = [](std::uint32_t n) { return "host" + std::to_string(n) + ".example"; };
  int never_leased_passed = 0;
  int denied_wrongly = 0;
  int passed = 0;
  for (int step = 0; step < 1'000'000; ++step) {
    const Model::Pair pair{random() % kNames, random() % kAddresses};
    switch (random() % 8) {
      case 0:
      case 1: {  // The name resolves, to this address now.
        const seconds ttl(random() % 3 == 0 ? random() % 4000 : random() % 60);
        ASSERT_TRUE(f.table->grant(name_of(pair.first), address(pair.second), ttl));
        model.granted(pair, ttl);
        break;
      }
      case 2: {  // A connection begins.
        auto lease = f.table->hold(name_of(pair.first), address(pair.second));
        const bool expected = model.live(pair);
        never_leased_passed += lease && !expected;
        denied_wrongly += !lease && expected;
        if (lease) {
          model.held(pair);
          model.used(pair);
          held.emplace_back(pair, std::move(*lease));
          ++passed;
        }
        break;
      }
      case 3:  // A connection ends.
        if (!held.empty()) {
          std::swap(held[random() % held.size()], held.back());
          model.released(held.back().first);
          held.pop_back();
        }
        break;
      case 4:
        f.clock->now += seconds(random() % 8);
        break;
      case 5:
        if (random() % 512 == 0) f.clock->now += std::chrono::minutes(random() % 120);
        break;
      default: {
        const bool leased = f.table->is_leased(name_of(pair.first), address(pair.second));
        const bool expected = model.live(pair);
        never_leased_passed += leased && !expected;
        denied_wrongly += !leased && expected;
        passed += leased;
        if (leased) model.used(pair);
      }
    }
  }
  EXPECT_EQ(never_leased_passed, 0);
  EXPECT_EQ(denied_wrongly, 0);
  EXPECT_GT(passed, 100'000);
}

// For ThreadSanitizer, and for the invariant that a held lease is seen by everyone.
TEST(DnsLeases, ManyThreads) {
  auto table = std::make_shared<LeaseTable>(LeaseOptions{.max_entries = 256});
  ASSERT_TRUE(table->grant("held.example", address(1), 60s));
  const auto held = table->hold("held.example", address(1));
  ASSERT_TRUE(held);
  std::atomic<int> lost{0};
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&, worker] {
      std::mt19937 random(worker);
      for (int i = 0; i < 20'000; ++i) {
        const std::string name = "n" + std::to_string(random() % 1000);
        if (worker % 2 == 0) table->grant(name, address(random() % 100), 1s);
        auto lease = table->hold(name, address(random() % 100));
        if (!table->is_leased("held.example", address(1))) ++lost;
        if (i % 64 == 0) table->names_of(address(1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost, 0);
  EXPECT_LE(table->size(), 256u);
}

}  // namespace
}  // namespace agentsh::dns
