// Deadlines that cost next to nothing to set: one timer wheel per event loop with ticks of 50 ms
// and one system timer behind it, running only while something is armed. Setting a deadline later
// than the one before is two stores; the wheel finds out when the old one comes up.
//
//   StreamDeadline deadline(stream);
//   deadline.expires_after(10s);          // the hello
//   ... co_await stream.wait(...) ...     // canceled when the time is over
//   if (deadline.expired()) ...           // so it was the time
//   deadline.expires_after(60s);          // the next phase
//
// Deadlines are kept to the next tick: never early, at most 100 ms late plus what the loop is busy.
// Threads: everything belongs to the loop's thread. Lifetime: a Deadline takes itself out of the
// wheel when it goes; its subject must live as long.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstdint>

namespace agentsh::net {

class ByteStream;
class Deadline;

// The wheel, one per execution context, made on first use.
class Deadlines final : public boost::asio::execution_context::service {
 public:
  using key_type = Deadlines;
  inline static boost::asio::execution_context::id id;
  static constexpr std::chrono::milliseconds kTick{50};

  // The wheel of the loop that `executor` runs on.
  static Deadlines& of(const boost::asio::any_io_executor& executor);

  explicit Deadlines(boost::asio::execution_context& context);
  ~Deadlines() override;

  // How many deadlines sit in the wheel, cleared ones that have not come up included.
  std::size_t size() const { return size_; }

 private:
  friend Deadline;
  static constexpr std::uint64_t kSlots = 512;  // 25.6 s; what is longer goes round again.

  struct Link {
    Link* before = this;
    Link* after = this;
  };

  void shutdown() override;
  void insert(Deadline& deadline);
  void remove(Deadline& deadline);
  void start_timer();
  void on_tick();
  void run_slot(Link& slot);

  std::array<Link, kSlots> slots_;
  std::size_t size_ = 0;
  std::uint64_t tick_ = 0;  // The last tick whose slot has been run.
  bool timer_running_ = false;
  boost::asio::steady_timer timer_;
};

// One point in time after which `action(subject)` is called, once.
class Deadline : private Deadlines::Link {
 public:
  using Action = void (*)(void* subject);

  Deadline(Deadlines& deadlines, Action action, void* subject)
      : deadlines_(deadlines), action_(action), subject_(subject) {}
  ~Deadline() { deadlines_.remove(*this); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // From now on; replaces what was set. Also forgets that an earlier one expired.
  void expires_after(std::chrono::milliseconds time);
  void clear() { due_ms_ = kNever; }
  bool expired() const { return expired_; }
  Deadlines& deadlines() const { return deadlines_; }

 private:
  friend Deadlines;
  static constexpr std::uint64_t kNever = UINT64_MAX;

  Deadlines& deadlines_;
  Action action_;
  void* subject_;
  std::uint64_t due_ms_ = kNever;
  std::uint64_t slot_tick_ = kNever;  // Where it is linked; kNever: nowhere.
  bool expired_ = false;
};

// Closes a stream when the time is over, which ends every wait on it.
class StreamDeadline : public Deadline {
 public:
  explicit StreamDeadline(ByteStream& stream);
};

}  // namespace agentsh::net
