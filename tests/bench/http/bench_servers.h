// nginx as the origin server and, in front of it, nginx as the proxy to compare with; both plain
// and with TLS, on loopback. Each runs one worker on the CPU that it is given.
//
// Lifetime: the processes end with the object; the directory goes too.
#pragma once

#include "base/result.h"

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::bench {

// Certificates of a test authority for "localhost".
struct TestCertificates {
  std::string authority_pem;
  std::string leaf_pem;
  std::string key_pem;
  static Result<TestCertificates> make();
};

class BenchServers {
 public:
  static Result<std::unique_ptr<BenchServers>> start(const TestCertificates& certificates,
                                                     int origin_cpu, int proxy_cpu);
  ~BenchServers();

  struct Ports {
    std::uint16_t origin = 0;
    std::uint16_t origin_tls = 0;
    std::uint16_t proxy = 0;
    std::uint16_t proxy_tls = 0;
  };
  const Ports& ports() const { return ports_; }
  const std::string& directory() const { return directory_; }
  // CPU time of the nginx that proxies, so far.
  double proxy_cpu_seconds() const;

 private:
  explicit BenchServers(std::string directory) : directory_(std::move(directory)) {}
  Result<> run_nginx(const std::string& name, const std::string& body, int cpu);

  std::string directory_;
  Ports ports_;
  std::vector<pid_t> processes_;
};

// A port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();
// Runs on that CPU from now on, if there is such a one.
void pin_this_thread(int cpu);

}  // namespace agentsh::bench
