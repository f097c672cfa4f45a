#include "proxy/bpf/kernel_programs.h"
#include "proxy/bpf/redirector.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <unordered_set>

namespace agentsh::bpf {
namespace {

constexpr std::uint32_t kBatch = 512;

abi::FlowKey make_key(std::uint64_t netns_cookie, const Endpoint& peer, const Endpoint& listener) {
  abi::FlowKey key{};
  key.netns_cookie = netns_cookie;
  std::memcpy(key.source, peer.address.bytes().data(), sizeof key.source);
  std::memcpy(key.listener, listener.address.bytes().data(), sizeof key.listener);
  key.source_port = peer.port;
  key.listener_port = listener.port;
  return key;
}

FlowRecord make_record(const abi::FlowValue& value) {
  FlowRecord record;
  record.original = {IpAddress::from_network(value.original, 16), value.original_port};
  record.pid = static_cast<pid_t>(value.process_id);
  record.tid = static_cast<pid_t>(value.thread_id);
  record.uid = value.user_id;
  record.comm.assign(value.comm, ::strnlen(value.comm, sizeof value.comm));
  record.cgroup_id = value.cgroup_id;
  return record;
}

std::uint64_t monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Walks the whole flow table a batch at a time; entries that come and go meanwhile may be missed.
template <class Visit>
void for_each_flow(int map, Visit visit) {
  std::vector<abi::FlowKey> keys(kBatch);
  std::vector<abi::FlowValue> values(kBatch);
  std::uint64_t position = 0;
  bool first = true;
  for (;;) {
    std::uint32_t count = kBatch;
    const int error = bpf_map_lookup_batch(map, first ? nullptr : &position, &position, keys.data(),
                                           values.data(), &count, nullptr);
    if (error != 0 && errno != ENOENT) return;
    first = false;
    for (std::uint32_t i = 0; i < count; ++i) visit(keys[i], values[i]);
    if (error != 0) return;
  }
}

std::uint64_t read_counter(int map, std::uint32_t counter) {
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(map, &counter, per_cpu.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t value : per_cpu) sum += value;
  return sum;
}

}  // namespace

std::optional<FlowRecord> Redirector::take_flow(std::uint64_t netns_cookie, const Endpoint& peer,
                                                const Endpoint& listener) {
  const abi::FlowKey key = make_key(netns_cookie, peer, listener);
  abi::FlowValue value;
  if (bpf_map_lookup_and_delete_elem(programs_->flows(), &key, &value) != 0) return {};
  return make_record(value);
}

std::optional<FlowRecord> Redirector::find_query(std::uint64_t netns_cookie, const Endpoint& peer,
                                                 const Endpoint& listener) const {
  const abi::FlowKey key = make_key(netns_cookie, peer, listener);
  abi::FlowValue value;
  if (bpf_map_lookup_elem(programs_->queries(), &key, &value) != 0) return {};
  return make_record(value);
}

std::size_t Redirector::sweep_flows(std::chrono::nanoseconds grace) {
  const std::unordered_set<std::uint64_t> live = *programs_->live_sessions().lock();
  const std::uint64_t now = monotonic_now();
  std::vector<abi::FlowKey> stale;
  for_each_flow(programs_->flows(), [&](const abi::FlowKey& key, const abi::FlowValue& value) {
    const bool closed =
        value.closed_at != 0 && value.closed_at + static_cast<std::uint64_t>(grace.count()) <= now;
    if (closed || !live.contains(key.netns_cookie)) stale.push_back(key);
  });
  std::size_t removed = 0;
  for (const abi::FlowKey& key : stale) {
    if (bpf_map_delete_elem(programs_->flows(), &key) == 0) ++removed;
  }
  return removed;
}

RedirectStatistics Redirector::statistics() const {
  RedirectStatistics statistics;
  statistics.flow_table_full = read_counter(programs_->counters(), abi::kFlowTableFull);
  statistics.flow_key_taken = read_counter(programs_->counters(), abi::kFlowKeyTaken);
  statistics.refusals_uncounted = read_counter(programs_->counters(), abi::kRefusalsUncounted);
  for_each_flow(programs_->flows(),
                [&](const abi::FlowKey&, const abi::FlowValue&) { ++statistics.flows_waiting; });
  return statistics;
}

}  // namespace agentsh::bpf
