// Where the values of secrets come from, as services need it. The appliance implements it
// (appliance/secrets).
#pragma once

#include "base/result.h"
#include "base/secret_text.h"
#include "policies/model.h"

#include <functional>
#include <memory>
#include <string>

namespace agentsh::services {

class SecretSource {
 public:
  using Callback = std::function<void(Result<std::shared_ptr<const SecretText>>)>;
  virtual ~SecretSource() = default;

  // The value behind a reference (ServiceSecret::ref), with the providers of the policy. `done` is
  // called once, from any thread, possibly before this returns. An error's text holds no secret.
  // Threads: any; does not block.
  virtual void get(const std::string& reference,
                   const std::vector<policy::SecretProvider>& providers, Callback done) = 0;
};

}  // namespace agentsh::services
