// The providers' own keys, which only the gateway has: fetched at start and now and then, so that a
// key that was changed at its source is used without a restart.
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "base/result.h"
#include "proxy/services/secret_source.h"

#include <memory>
#include <string>
#include <vector>

namespace agentsh {

class ProviderKeys : public std::enable_shared_from_this<ProviderKeys> {
 public:
  // One reference for each upstream; empty: it has no key.
  ProviderKeys(std::shared_ptr<services::SecretSource> source, std::vector<std::string> references);

  // Fetches all of them; the answers come in their own time. A key that cannot be fetched any more
  // stays what it was; the log says so.
  void refresh();
  // Fails when the key could not be fetched yet.
  Result<std::string> get(std::size_t upstream) const;

 private:
  void take(std::size_t upstream, Result<std::shared_ptr<const SecretText>> fetched);

  const std::shared_ptr<services::SecretSource> source_;
  const std::vector<std::string> references_;
  mutable LockGuarded<std::vector<Result<std::string>>> keys_;
};

}  // namespace agentsh
