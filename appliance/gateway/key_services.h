// What the LLM exchanges of a gateway key need: made once for each key and upstream, with the key's
// own vault, DLP mode and budget.
//
// Threads: any.
#pragma once

#include "appliance/gateway/accounting.h"
#include "appliance/llm/llm_service.h"
#include "audit/recorder.h"
#include "proxy/gateway/gateway_flow.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <map>
#include <memory>
#include <string>

namespace agentsh {

class KeyServices {
 public:
  KeyServices(const LlmService& llm, std::shared_ptr<Accounting> accounting,
              audit::Recorder& recorder);

  // Null while the scanner is being built: wait() then. An error when it cannot be.
  Result<std::shared_ptr<const llm::LlmServices>> get(const gateway::VirtualKey& key,
                                                      const gateway::Upstream& upstream);
  boost::asio::awaitable<void> wait(boost::asio::any_io_executor executor) const;

 private:
  struct OfKey {
    std::shared_ptr<dlp::Vault> vault;
    std::shared_ptr<llm::Budget> budget;
    std::map<std::string, std::shared_ptr<const llm::LlmServices>> by_upstream;
  };
  Result<std::shared_ptr<const llm::LlmServices>> make(const gateway::VirtualKey& key,
                                                       const gateway::Upstream& upstream,
                                                       OfKey& kept) const;

  const LlmService& llm_;
  const std::shared_ptr<Accounting> accounting_;
  const std::shared_ptr<llm::RecordSink> sink_;
  LockGuarded<std::map<std::string, OfKey>> keys_;
};

}  // namespace agentsh
