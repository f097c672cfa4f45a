// Our proxy on one worker: a listener whose connections are handled as if the redirect had brought
// them for a given destination, with a compiled policy, the session's gate and a real audit trail.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "tests/bench/http/bench_servers.h"

#include <cstdint>
#include <memory>
#include <string>

namespace agentsh::bench {

class BenchProxy {
 public:
  // `directory`: for the audit trail.
  static Result<std::unique_ptr<BenchProxy>> start(const TestCertificates& certificates,
                                                   const std::string& directory, int cpu);
  ~BenchProxy();

  // A port whose connections are for 127.0.0.1:`origin`.
  Result<std::uint16_t> listen(std::uint16_t origin);
  std::uint64_t events() const;
  // Until the index of the audit trail, which is left for idle time, has all events.
  void finish_index();

 private:
  struct State;
  explicit BenchProxy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::bench
