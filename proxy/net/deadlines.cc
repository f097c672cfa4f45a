#include "proxy/net/deadlines.h"

#include "proxy/net/byte_stream.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <time.h>

#include <algorithm>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kTickMs = Deadlines::kTick.count();

// The coarse clock is a read of the kernel's last timer tick, without reading the hardware.
std::uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

void close_stream(void* stream) {
  static_cast<ByteStream*>(stream)->close();
}

}  // namespace

Deadlines& Deadlines::of(const asio::any_io_executor& executor) {
  return asio::use_service<Deadlines>(asio::query(executor, asio::execution::context));
}

Deadlines::Deadlines(asio::execution_context& context)
    : service(context),
      tick_(now_ms() / kTickMs),
      timer_(static_cast<asio::io_context&>(context)) {}

Deadlines::~Deadlines() = default;

void Deadlines::shutdown() {
  timer_.cancel();
}

void Deadlines::insert(Deadline& deadline) {
  if (size_ == 0) tick_ = std::max(tick_, now_ms() / kTickMs);
  // Rounded up, and one more: the current tick has begun already.
  const std::uint64_t due = deadline.due_ms_ / kTickMs + 1;
  deadline.slot_tick_ = std::clamp(due, tick_ + 1, tick_ + kSlots - 1);
  Link& slot = slots_[deadline.slot_tick_ % kSlots];
  deadline.before = slot.before;
  deadline.after = &slot;
  slot.before->after = &deadline;
  slot.before = &deadline;
  ++size_;
  start_timer();
}

void Deadlines::remove(Deadline& deadline) {
  if (deadline.slot_tick_ == Deadline::kNever) return;
  deadline.before->after = deadline.after;
  deadline.after->before = deadline.before;
  deadline.before = deadline.after = &deadline;
  deadline.slot_tick_ = Deadline::kNever;
  --size_;
}

void Deadlines::start_timer() {
  if (timer_running_) return;
  timer_running_ = true;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    timer_running_ = false;
    if (!error) on_tick();
  });
}

void Deadlines::on_tick() {
  const std::uint64_t now = now_ms() / kTickMs;
  // After a long stall every slot is looked at once.
  tick_ = std::max(tick_, now - std::min(now, kSlots - 1));
  while (tick_ < now) run_slot(slots_[++tick_ % kSlots]);
  if (size_ > 0) start_timer();
}

void Deadlines::run_slot(Link& slot) {
  const std::uint64_t now = now_ms();
  // An action may destroy or arm any deadline, so the slot is emptied first and each entry is taken
  // from the head of what is left.
  Link due;
  if (slot.after == &slot) return;
  due.after = slot.after;
  due.before = slot.before;
  due.after->before = &due;
  due.before->after = &due;
  slot.before = slot.after = &slot;
  while (due.after != &due) {
    auto& deadline = static_cast<Deadline&>(*due.after);
    remove(deadline);
    if (deadline.due_ms_ == Deadline::kNever) continue;
    if (deadline.due_ms_ > now) {
      insert(deadline);
      continue;
    }
    deadline.due_ms_ = Deadline::kNever;
    deadline.expired_ = true;
    deadline.action_(deadline.subject_);
  }
}

void Deadline::expires_after(std::chrono::milliseconds time) {
  expired_ = false;
  due_ms_ = now_ms() + static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
  if (slot_tick_ != kNever) {
    if (slot_tick_ <= due_ms_ / kTickMs + 1) return;
    deadlines_.remove(*this);
  }
  deadlines_.insert(*this);
}

StreamDeadline::StreamDeadline(ByteStream& stream)
    : Deadline(Deadlines::of(stream.executor()), &close_stream, &stream) {}

}  // namespace agentsh::net
