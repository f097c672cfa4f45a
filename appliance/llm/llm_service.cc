#include "appliance/llm/llm_service.h"

#include "appliance/llm/aws_keys.h"
#include "appliance/llm/dlp_setup.h"
#include "appliance/llm/session_inspectors.h"
#include "base/file_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentsh {
namespace {

constexpr std::size_t kMaxPriceFile = 4 << 20;

// To the session's audit trail, and to the ledger of all.
class SessionSink final : public llm::RecordSink {
 public:
  SessionSink(std::shared_ptr<policy::Gate> gate, std::shared_ptr<llm::RecordSink> ledger)
      : gate_(std::move(gate)), ledger_(std::move(ledger)) {}
  void take(const llm::Record& record) override {
    gate_->record(llm::to_event(record));
    if (ledger_) ledger_->take(record);
  }

 private:
  std::shared_ptr<policy::Gate> gate_;
  std::shared_ptr<llm::RecordSink> ledger_;
};

Result<std::vector<llm::Server>> read_servers(const std::map<std::string, std::string>& providers) {
  std::vector<llm::Server> servers;
  for (const auto& [name, url] : providers) {
    auto server = llm::parse_base_url(url);
    if (!server) return fail(fmt::format("proxy.providers.{}: {} is no base URL", name, url));
    server->provider = name;
    servers.push_back(std::move(*server));
  }
  return servers;
}

Result<std::shared_ptr<const llm::PriceTable>> read_prices(const std::string& file) {
  if (file.empty()) return std::shared_ptr<const llm::PriceTable>();
  auto text = read_file(file, kMaxPriceFile);
  if (!text) return std::unexpected(text.error());
  return llm::PriceTable::with_overrides(*text, file);
}

// Automata are kept in `cache_directory` for the next start.
Result<ScannerBuild::Scanner> build_scanner(const config::DlpSection& section,
                                            const std::string& cache_directory) {
  auto detectors = detectors_of(section);
  if (!detectors) return std::unexpected(detectors.error());
  return dlp::Scanner::build(std::move(*detectors), cache_directory);
}

// What somebody wrote is looked at before the start; what is shipped need not be.
Result<> check(const config::DlpSection& section) {
  if (section.detectors.empty() && section.answers.detectors.empty() &&
      section.custom_patterns.empty() && section.dictionaries.empty() &&
      section.catalogue_files.empty()) {
    return {};
  }
  auto detectors = detectors_of(section);
  if (!detectors) return std::unexpected(detectors.error());
  if (auto settings = settings_of(section, *detectors); !settings) {
    return std::unexpected(settings.error());
  }
  if (auto settings = answer_settings_of(section, *detectors); !settings) {
    return std::unexpected(settings.error());
  }
  std::vector<dlp::Detector> own;
  for (dlp::Detector& detector : *detectors) {
    const auto is_its = [&](const auto& item) { return item.name == detector.id; };
    if (std::ranges::any_of(section.custom_patterns, is_its)) own.push_back(std::move(detector));
  }
  if (own.empty()) return {};
  auto built = dlp::Scanner::build(std::move(own));
  if (!built) return std::unexpected(with_context(built.error(), "dlp.custom_patterns"));
  return {};
}

}  // namespace

Result<std::unique_ptr<LlmService>> LlmService::create(const config::ServerConfig& config) {
  auto servers = read_servers(config.llm.providers);
  if (!servers) return std::unexpected(servers.error());
  auto prices = read_prices(config.llm.prices_file);
  if (!prices) return std::unexpected(prices.error());
  auto shared = std::make_shared<Shared>();
  shared->servers = std::move(*servers);
  shared->prices = std::move(*prices);
  const config::AwsKeySection& bedrock = config.llm.bedrock;
  if (bedrock.access_key_id.empty() != bedrock.secret_access_key.empty() ||
      (bedrock.access_key_id.empty() && !bedrock.session_token.empty())) {
    return fail("proxy.bedrock: access_key_id and secret_access_key go together");
  }
  shared->bedrock = bedrock;
  shared->max_request_bytes = config.llm.max_request_size;
  const bool enabled = config.llm.mode == config::LlmMode::kEmbedded;
  shared->dlp = config.dlp;
  if (enabled && (looks_into_requests(config.dlp) || looks_into_answers(config.dlp))) {
    if (auto checked = check(config.dlp); !checked) return std::unexpected(checked.error());
    shared->scanner = std::make_unique<ScannerBuild>(
        [section = config.dlp, cache = config.server.state_dir + "/dlp-cache"] {
          return build_scanner(section, cache);
        });
  }
  std::unique_ptr<LlmService> service(new LlmService(std::move(shared)));
  service->enabled_ = enabled;
  return service;
}

void LlmService::set_secrets(const std::shared_ptr<services::SecretSource>& secrets) {
  shared_->aws = make_aws_keys(shared_->bedrock, secrets);
}

std::vector<std::string> LlmService::detectors() const {
  std::vector<std::string> ids;
  if (!shared_->scanner) return ids;
  const auto built = shared_->scanner->result();
  if (!built || !*built) return ids;
  const std::span<const dlp::Detector> all = (**built)->detectors();
  const auto settings = settings_of(shared_->dlp, all);
  if (!settings) return ids;
  for (const dlp::Detector& detector : all) {
    const auto own = settings->detectors.find(detector.id);
    const dlp::Mode mode = own == settings->detectors.end() ? settings->mode : own->second;
    if (mode != dlp::Mode::kDisabled) ids.push_back(detector.id);
  }
  return ids;
}

std::shared_ptr<flows::HttpInspectorFactory> LlmService::inspectors_for(
    const std::shared_ptr<policy::Gate>& gate) const {
  if (!enabled_) return nullptr;
  return make_session_inspectors(shared_, gate->session_id(),
                                 std::make_shared<SessionSink>(gate, ledger_),
                                 budgets_ ? budgets_(gate->session_id()) : nullptr);
}

}  // namespace agentsh
