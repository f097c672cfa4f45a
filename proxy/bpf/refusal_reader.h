// Brings the kernel's refusals to a callback: the first of equal ones at once (ring buffer), how
// many more there were after each interval (the counting tables), every one exactly once. Its
// thread also runs the periodic sweep. Internal to this folder.
//
// Threads: owns one; flush() from any, serialised with it.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/bpf/kernel_programs.h"
#include "proxy/bpf/kernel_refusal.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

struct ring_buffer;

namespace agentsh::bpf {

class RefusalReader {
 public:
  struct Options {
    RefusalCallback on_refusal;
    std::function<void()> sweep;
    std::chrono::milliseconds report_interval{1000};
    std::chrono::milliseconds sweep_interval{30000};
  };

  static Result<std::unique_ptr<RefusalReader>> start(std::shared_ptr<KernelPrograms> programs,
                                                      Options options);
  ~RefusalReader();  // Reports what is left.

  void flush();
  // A session came: periodic work begins.
  void wake();

 private:
  RefusalReader(std::shared_ptr<KernelPrograms> programs, Options options);
  void run(const std::stop_token& stop);
  int timeout() const;
  void drain_table();
  void report(const abi::RefusalKey& key, const abi::RefusalCount& value, std::uint64_t count);
  static int on_ring_record(void* self, void* data, std::size_t size);

  std::shared_ptr<KernelPrograms> programs_;
  Options options_;
  ring_buffer* ring_ = nullptr;
  UniqueFd wake_;
  std::mutex reading_;         // One reader of ring and tables at a time.
  std::atomic<bool> pending_;  // Something may be in the tables.
  std::jthread thread_;
};

}  // namespace agentsh::bpf
