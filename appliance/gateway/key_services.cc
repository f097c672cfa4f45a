#include "appliance/gateway/key_services.h"

#include "appliance/llm/dlp_setup.h"

namespace agentsh {
namespace {

constexpr const char* kSessionId = "gateway";

// To the audit trail, and to who counts.
class GatewaySink final : public llm::RecordSink {
 public:
  GatewaySink(audit::Recorder& recorder, std::shared_ptr<llm::RecordSink> accounting)
      : recorder_(recorder), accounting_(std::move(accounting)) {}
  void take(const llm::Record& record) override {
    recorder_.record(llm::to_event(record));
    accounting_->take(record);
  }

 private:
  audit::Recorder& recorder_;
  const std::shared_ptr<llm::RecordSink> accounting_;
};

}  // namespace

KeyServices::KeyServices(const LlmService& llm, std::shared_ptr<Accounting> accounting,
                         audit::Recorder& recorder)
    : llm_(llm),
      accounting_(std::move(accounting)),
      sink_(std::make_shared<GatewaySink>(recorder, Accounting::sink_of(accounting_))) {}

boost::asio::awaitable<void> KeyServices::wait(boost::asio::any_io_executor executor) const {
  if (const auto& scanner = llm_.shared().scanner) {
    static_cast<void>(co_await scanner->wait(std::move(executor)));
  }
}

Result<std::shared_ptr<const llm::LlmServices>> KeyServices::make(const gateway::VirtualKey& key,
                                                                  const gateway::Upstream& upstream,
                                                                  OfKey& kept) const {
  const LlmService::Shared& shared = llm_.shared();
  auto services = std::make_shared<llm::LlmServices>();
  services->session_id = kSessionId;
  services->key_id = key.id;
  services->prices = shared.prices;
  services->sink = sink_;
  services->budget = kept.budget;
  services->max_request_bytes = shared.max_request_bytes;
  if (upstream.provider.empty()) {
    services->servers = shared.servers;
  } else {
    services->servers = {{.provider = upstream.provider,
                          .host = upstream.host,
                          .port = upstream.port,
                          .path = upstream.path}};
  }
  config::DlpSection section = shared.dlp;
  if (!key.dlp_profile.empty()) {
    section.mode = config::parse_dlp_mode(key.dlp_profile).value_or(config::DlpMode::kBlock);
  }
  const bool wanted = looks_into_requests(section);
  if (!shared.scanner && !key.dlp_profile.empty() && wanted) {
    return fail("the key asks for DLP, which dlp.mode or proxy.mode has switched off");
  }
  if (shared.scanner && (wanted || looks_into_answers(section))) {
    auto built = shared.scanner->result();
    if (!built) return std::shared_ptr<const llm::LlmServices>();
    if (!*built) return std::unexpected(built->error());
    auto profiles = profiles_of(section, **built);
    if (!profiles) return std::unexpected(profiles.error());
    services->request_profile = std::move(profiles->request);
    services->answer_profile = std::move(profiles->answer);
    services->vault = kept.vault;
  }
  return services;
}

Result<std::shared_ptr<const llm::LlmServices>> KeyServices::get(
    const gateway::VirtualKey& key, const gateway::Upstream& upstream) {
  auto keys = keys_.lock();
  OfKey& kept = (*keys)[key.id];
  if (kept.budget == nullptr) {
    kept.vault = std::make_shared<dlp::Vault>();
    kept.budget = accounting_->spending()->for_key(key.id, key.limits);
  }
  auto& services = kept.by_upstream[upstream.name];
  if (services) return services;
  auto made = make(key, upstream, kept);
  if (made) services = *made;
  return made;
}

}  // namespace agentsh
