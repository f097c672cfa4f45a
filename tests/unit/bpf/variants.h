// Tests that hold for both redirects: by eBPF as root, and by nftables as an ordinary user.
#pragma once

#include "proxy/bpf/redirector.h"
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/session_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::bpf::testing {

// Refusals reported since the last call, after a flush.
std::vector<KernelRefusal> take_refusals();
// The process's one Redirector; null (and `why`) where the kernel or missing rights do not allow
// it.
Redirector* shared_redirector(std::string& why);

// Skips when the machine cannot: not root, no eBPF, no unprivileged namespaces.
#define AGENTSH_REQUIRE_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "makes cgroups and namespaces: run as root"

// What a client says that runs in the session.
std::string say_in(const SessionFixture& session, const TcpClient& client);
std::string say_in(const SessionFixture& session, const Datagram& datagram);

// kBpfInside: eBPF, with listeners that a process of the session's cgroup opened.
enum class Variant { kBpf, kBpfInside, kNft };
inline constexpr Variant kAllVariants[] = {Variant::kBpf, Variant::kBpfInside, Variant::kNft};
std::string variant_name(const ::testing::TestParamInfo<Variant>& info);

struct VariantOptions {
  std::vector<std::uint16_t> host_ports;
};

class BothVariants : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    AGENTSH_REQUIRE_ROOT();
    make({});
  }
  void make(VariantOptions options);
  bool is_bpf() const { return GetParam() != Variant::kNft; }

  std::unique_ptr<SessionFixture> session_;
};

// For tests of the eBPF redirect alone.
class BpfOnly : public ::testing::Test {
 protected:
  void SetUp() override;
  std::unique_ptr<BpfSession> make_session(BpfSession::Options options = {});

  Redirector* redirector_ = nullptr;
};

}  // namespace agentsh::bpf::testing
