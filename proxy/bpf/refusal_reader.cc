#include "proxy/bpf/refusal_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace agentsh::bpf {
namespace {

constexpr std::uint32_t kDrainBatch = 256;

std::chrono::nanoseconds monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

WallTime wall_time(std::uint64_t monotonic) {
  const auto age = monotonic_now() - std::chrono::nanoseconds(monotonic);
  return std::chrono::system_clock::now() -
         std::chrono::duration_cast<std::chrono::system_clock::duration>(age);
}

}  // namespace

std::string_view to_string(RefusalKind kind) {
  switch (kind) {
    case RefusalKind::kRule:
      return "denied by a static rule";
    case RefusalKind::kUdp:
      return "datagram other than DNS";
    case RefusalKind::kListener:
      return "direct use of the proxy's address";
    case RefusalKind::kSocketType:
      return "socket type that sessions do not have";
    case RefusalKind::kNamespace:
      return "socket of another network namespace";
    case RefusalKind::kFamily:
      return "address family that is not available in the session";
    case RefusalKind::kEgress:
      return "packet that no redirect accounts for";
    case RefusalKind::kFlowTable:
      return "no room for the original destination";
    case RefusalKind::kProtocol:
      return "socket that is neither TCP nor UDP";
  }
  return "unknown reason";
}

RefusalReader::RefusalReader(std::shared_ptr<KernelPrograms> programs, Options options)
    : programs_(std::move(programs)), options_(std::move(options)), pending_(false) {}

Result<std::unique_ptr<RefusalReader>> RefusalReader::start(
    std::shared_ptr<KernelPrograms> programs, Options options) {
  std::unique_ptr<RefusalReader> reader(new RefusalReader(std::move(programs), std::move(options)));
  reader->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reader->wake_) return std::unexpected(errno_error("eventfd"));
  reader->ring_ =
      ring_buffer__new(reader->programs_->refusal_ring(), on_ring_record, reader.get(), nullptr);
  if (reader->ring_ == nullptr) return std::unexpected(errno_error("ring_buffer__new"));
  reader->thread_ =
      std::jthread([self = reader.get()](const std::stop_token& stop) { self->run(stop); });
  return reader;
}

RefusalReader::~RefusalReader() {
  if (thread_.joinable()) {
    thread_.request_stop();
    wake();
    thread_.join();
  }
  if (ring_ == nullptr) return;
  flush();
  ring_buffer__free(ring_);
}

void RefusalReader::wake() {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the thread is woken already.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void RefusalReader::run(const std::stop_token& stop) {
  std::array<pollfd, 2> waits{
      {{ring_buffer__epoll_fd(ring_), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
  auto next_sweep = std::chrono::steady_clock::now() + options_.sweep_interval;
  while (!stop.stop_requested()) {
    const int ready = ::poll(waits.data(), waits.size(), timeout());
    if (ready < 0 && errno != EINTR) return;
    std::uint64_t ignored = 0;
    while (::read(wake_.get(), &ignored, sizeof ignored) > 0) continue;
    if (waits[0].revents != 0) {
      const std::lock_guard lock(reading_);
      ring_buffer__consume(ring_);
    } else if (ready == 0 && pending_) {
      flush();
    }
    if (options_.sweep && std::chrono::steady_clock::now() >= next_sweep) {
      options_.sweep();
      next_sweep = std::chrono::steady_clock::now() + options_.sweep_interval;
    }
  }
}

int RefusalReader::timeout() const {
  if (pending_) return static_cast<int>(options_.report_interval.count());
  if (programs_->live_sessions().lock()->empty()) return -1;
  return static_cast<int>(options_.sweep_interval.count());
}

void RefusalReader::flush() {
  const std::lock_guard lock(reading_);
  ring_buffer__consume(ring_);
  drain_table();
  // What entered the ring between the two is in the table that is current now.
}

void RefusalReader::drain_table() {
  pending_ = false;
  const int table = programs_->refusal_table(programs_->flip_refusal_epoch());
  // What was announced in the ring before the flip must be reported before its repetitions.
  ring_buffer__consume(ring_);
  std::vector<abi::RefusalKey> keys(kDrainBatch);
  std::vector<abi::RefusalCount> values(kDrainBatch);
  std::uint64_t position = 0;
  bool first = true;
  for (;;) {
    std::uint32_t count = kDrainBatch;
    const int error = bpf_map_lookup_and_delete_batch(table, first ? nullptr : &position, &position,
                                                      keys.data(), values.data(), &count, nullptr);
    if (error != 0 && errno != ENOENT) return;
    first = false;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (values[i].count > values[i].reported) {
        report(keys[i], values[i], values[i].count - values[i].reported);
        // More of the same may follow; the table that is current now has them.
        pending_ = true;
      }
    }
    if (error != 0) return;
  }
}

int RefusalReader::on_ring_record(void* self, void* data, std::size_t size) {
  abi::RefusalRecord record;
  if (size < sizeof record) return 0;
  std::memcpy(&record, data, sizeof record);
  auto* reader = static_cast<RefusalReader*>(self);
  reader->pending_ = true;
  reader->report(record.key, record.value, 1);
  return 0;
}

void RefusalReader::report(const abi::RefusalKey& key, const abi::RefusalCount& value,
                           std::uint64_t count) {
  if (!options_.on_refusal) return;
  KernelRefusal refusal;
  refusal.netns_cookie = key.netns_cookie;
  refusal.kind = static_cast<RefusalKind>(key.reason);
  refusal.tag = key.tag;
  if (key.reason != abi::kRefusedSocketType) {
    refusal.destination = Endpoint{IpAddress::from_network(key.destination, 16), key.port};
  }
  refusal.protocol = key.protocol;
  refusal.socket_type = key.socket_type;
  refusal.error = key.error;
  refusal.pid = static_cast<pid_t>(key.process_id);
  refusal.tid = static_cast<pid_t>(value.thread_id);
  refusal.uid = value.user_id;
  refusal.comm.assign(value.comm, ::strnlen(value.comm, sizeof value.comm));
  refusal.count = count;
  refusal.first_at = wall_time(value.first_at);
  refusal.last_at = wall_time(value.last_at);
  options_.on_refusal(refusal);
}

}  // namespace agentsh::bpf
