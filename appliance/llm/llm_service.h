// What sessions need to have their traffic with LLM APIs understood: one scanner and one price
// table for all, and for each session a vault and a way into its audit trail.
//
// Threads: any, after create().
#pragma once

#include "appliance/config/config.h"
#include "appliance/llm/scanner_build.h"
#include "base/result.h"
#include "policies/gate.h"
#include "proxy/flows/http_inspector.h"
#include "proxy/llm/services.h"
#include "proxy/services/secret_source.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace agentsh {

class LlmService {
 public:
  // Errors: the price file, a provider's URL, detectors of the configuration.
  static Result<std::unique_ptr<LlmService>> create(const config::ServerConfig& config);

  // Takes the record of every exchange of every session, beside their audit trails. Set before the
  // first session.
  void set_ledger(std::shared_ptr<llm::RecordSink> ledger) { ledger_ = std::move(ledger); }

  // Where the keys are that the configuration refers to. Set before the first session.
  void set_secrets(const std::shared_ptr<services::SecretSource>& secrets);

  // What a session may spend, by its id; may give null. Set before the first session.
  using Budgets = std::function<std::shared_ptr<llm::Budget>(const std::string& session_id)>;
  void set_budgets(Budgets budgets) { budgets_ = std::move(budgets); }

  // For one session's connections; null when nothing is to be understood (proxy.mode).
  std::shared_ptr<flows::HttpInspectorFactory> inspectors_for(
      const std::shared_ptr<policy::Gate>& gate) const;

  // Shared by the sessions' inspectors, which may outlive this.
  struct Shared {
    config::DlpSection dlp;
    std::vector<llm::Server> servers;
    std::shared_ptr<const llm::PriceTable> prices;
    std::uint64_t max_request_bytes = 0;
    std::unique_ptr<ScannerBuild> scanner;  // Null: nothing is looked for.
    config::AwsKeySection bedrock;
    std::shared_ptr<llm::AwsKeys> aws;  // May be null.
  };

  const Shared& shared() const { return *shared_; }
  // The ids of the detectors that are on; none while the scanner is being built.
  std::vector<std::string> detectors() const;
  bool enabled() const { return enabled_; }

 private:
  explicit LlmService(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<llm::RecordSink> ledger_;
  Budgets budgets_;
  bool enabled_ = true;
};

}  // namespace agentsh
