// The daemon's secrets: fetched when they are first needed, kept for as long as their lease says,
// fetched by one at a time however many ask.
//
// A secret whose time is over is fetched anew before it is used again; when that fails, whoever
// asked is refused. A failure is remembered for a second, so that a store which is down is not
// asked by every request. Values are in memory that is not dumped (base/secret_text.h); they are in
// no event, log or error.
//
// Threads: get() from any; it does not block. Each fetch has a thread of its own; the destructor
// waits for them, which their time-outs bound.
#pragma once

#include "appliance/secrets/vault.h"
#include "proxy/services/secret_source.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace agentsh::secrets {

class SecretStore final : public services::SecretSource {
 public:
  struct Options {
    uid_t reader = 0;  // Who the daemon is.
    // Of secrets without a lease, and the longest of those with one.
    std::chrono::seconds lease{300};
    std::chrono::seconds local_lease{5};  // Of env: and file:, which cost nothing.
    std::chrono::seconds longest_lease{3600};
    std::chrono::milliseconds local_timeout{10'000};  // Of exec:.
  };
  explicit SecretStore(Options options) : options_(options) {}
  ~SecretStore() override;

  void get(const std::string& reference, const std::vector<policy::SecretProvider>& providers,
           Callback done) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Value = std::shared_ptr<const SecretText>;
  struct Entry {
    Value value;
    Error error;
    Clock::time_point expires;
    bool fetching = false;
    std::vector<Callback> waiting;
  };
  struct Fetched {
    Value value;
    std::chrono::seconds lease;
  };

  void fetch(std::string key, std::string reference, std::vector<policy::SecretProvider> providers);
  Result<Fetched> read(const std::string& reference,
                       const std::vector<policy::SecretProvider>& providers);
  Result<std::shared_ptr<Vault>> vault_of(const std::vector<policy::SecretProvider>& providers);

  const Options options_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
  std::map<std::string, Entry> entries_;                  // By reference and provider.
  std::map<std::string, std::shared_ptr<Vault>> vaults_;  // By options.
};

}  // namespace agentsh::secrets
