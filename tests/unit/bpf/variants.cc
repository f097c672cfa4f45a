#include "tests/unit/bpf/variants.h"

#include "base/lock_guarded.h"

#include <unistd.h>

namespace agentsh::bpf::testing {
namespace {

LockGuarded<std::vector<KernelRefusal>>& refusals() {
  static LockGuarded<std::vector<KernelRefusal>> instance;
  return instance;
}

Result<std::unique_ptr<Redirector>>& redirector() {
  static auto instance = Redirector::create(
      {{}, [](const KernelRefusal& refusal) { refusals().lock()->push_back(refusal); }, {}});
  return instance;
}

}  // namespace

std::vector<KernelRefusal> take_refusals() {
  if (redirector()) (*redirector())->flush_refusals();
  return std::exchange(*refusals().lock(), {});
}

Redirector* shared_redirector(std::string& why) {
  if (redirector()) return redirector()->get();
  why = redirector().error().what;
  return nullptr;
}

std::string say_in(const SessionFixture& session, const TcpClient& client) {
  return session.run([&] {
    say(run_tcp_client(client));
    return 0;
  });
}

std::string say_in(const SessionFixture& session, const Datagram& datagram) {
  return session.run([&] {
    say(send_datagram(datagram));
    return 0;
  });
}

std::string variant_name(const ::testing::TestParamInfo<Variant>& info) {
  if (info.param == Variant::kNft) return "Nft";
  return info.param == Variant::kBpf ? "Bpf" : "BpfInside";
}

void BothVariants::make(VariantOptions options) {
  session_.reset();
  if (is_bpf()) {
    std::string why;
    Redirector* shared = shared_redirector(why);
    ASSERT_NE(shared, nullptr) << why;
    auto session = BpfSession::make(
        *shared, {{}, options.host_ports, {}, true, GetParam() == Variant::kBpfInside});
    ASSERT_TRUE(session) << session.error().what;
    session_ = std::move(*session);
  } else {
    auto session = NftSession::make({options.host_ports, {}});
    ASSERT_TRUE(session) << session.error().what;
    session_ = std::move(*session);
  }
}

void BpfOnly::SetUp() {
  AGENTSH_REQUIRE_ROOT();
  std::string why;
  redirector_ = shared_redirector(why);
  ASSERT_NE(redirector_, nullptr) << why;
  // What the sessions of earlier tests left.
  take_refusals();
  redirector_->sweep_flows({});
}

std::unique_ptr<BpfSession> BpfOnly::make_session(BpfSession::Options options) {
  auto session = BpfSession::make(*redirector_, std::move(options));
  EXPECT_TRUE(session) << session.error().what;
  return session ? std::move(*session) : nullptr;
}

}  // namespace agentsh::bpf::testing
