#include "appliance/secrets/secret_store.h"

#include "appliance/secrets/local_sources.h"

#include <algorithm>
#include <csignal>
#include <thread>

namespace agentsh::secrets {
namespace {

constexpr std::chrono::seconds kFailureKept{1};

const policy::SecretProvider* vault_in(const std::vector<policy::SecretProvider>& providers) {
  const auto found = std::ranges::find(providers, "vault", &policy::SecretProvider::type);
  return found == providers.end() ? nullptr : &*found;
}

std::string options_text(const policy::SecretProvider* provider) {
  std::string text;
  if (provider == nullptr) return text;
  for (const auto& [key, value] : provider->options) {
    text.append(key).append("=").append(value).append("\n");
  }
  return text;
}

}  // namespace

SecretStore::~SecretStore() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return running_ == 0; });
}

void SecretStore::get(const std::string& reference,
                      const std::vector<policy::SecretProvider>& providers, Callback done) {
  const bool remote = reference.starts_with("vault:");
  std::string key = reference + "\n" + (remote ? options_text(vault_in(providers)) : std::string());
  std::unique_lock lock(mutex_);
  Entry& entry = entries_[key];
  if (!entry.fetching && entry.expires > Clock::now()) {
    const Value value = entry.value;
    const Error error = entry.error;
    lock.unlock();
    if (value != nullptr) {
      done(value);
    } else {
      done(std::unexpected(error));
    }
    return;
  }
  entry.waiting.push_back(std::move(done));
  if (entry.fetching) return;
  entry.fetching = true;
  ++running_;
  lock.unlock();
  // Signals are the main thread's.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(&SecretStore::fetch, this, std::move(key), reference, providers).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void SecretStore::fetch(std::string key, std::string reference,
                        std::vector<policy::SecretProvider> providers) {
  auto fetched = read(reference, providers);
  std::vector<Callback> waiting;
  Result<Value> outcome = fail("not fetched");
  {
    std::lock_guard lock(mutex_);
    Entry& entry = entries_[key];
    entry.fetching = false;
    if (fetched) {
      // The same value stays the same object, for what others derived from it.
      const bool same = entry.value != nullptr && entry.value->view() == fetched->value->view();
      if (!same) entry.value = fetched->value;
      entry.expires = Clock::now() + fetched->lease;
      outcome = entry.value;
    } else {
      entry.value = nullptr;
      entry.error = fetched.error();
      entry.expires = Clock::now() + kFailureKept;
      outcome = std::unexpected(fetched.error());
    }
    waiting.swap(entry.waiting);
  }
  for (const Callback& done : waiting) done(outcome);
  waiting.clear();
  std::lock_guard lock(mutex_);
  --running_;
  // Under the lock: the destructor may run as soon as it is released.
  idle_.notify_all();
}

Result<std::shared_ptr<Vault>> SecretStore::vault_of(
    const std::vector<policy::SecretProvider>& providers) {
  const policy::SecretProvider* provider = vault_in(providers);
  if (provider == nullptr) return fail("the policy declares no provider of type vault");
  std::lock_guard lock(mutex_);
  std::shared_ptr<Vault>& vault = vaults_[options_text(provider)];
  if (vault == nullptr) {
    auto options = VaultOptions::of(*provider);
    if (!options) {
      return std::unexpected(with_context(options.error(), "providers." + provider->name));
    }
    vault = std::make_shared<Vault>(std::move(*options), options_.reader);
  }
  return vault;
}

Result<SecretStore::Fetched> SecretStore::read(
    const std::string& reference, const std::vector<policy::SecretProvider>& providers) {
  const auto parsed = parse_reference(reference);
  if (!parsed) return std::unexpected(parsed.error());
  std::string text;
  std::chrono::seconds lease = options_.lease;
  if (parsed->scheme == "vault") {
    auto vault = vault_of(providers);
    if (!vault) return std::unexpected(vault.error());
    auto value = (*vault)->read(*parsed);
    if (!value) return std::unexpected(value.error());
    text = std::move(value->text);
    if (value->lease.count() > 0) lease = std::min(value->lease, options_.longest_lease);
  } else {
    auto value = read_local(*parsed, options_.reader, options_.local_timeout);
    if (!value) return std::unexpected(value.error());
    text = std::move(*value);
    if (parsed->scheme != "exec") lease = options_.local_lease;
  }
  auto kept = SecretText::copy_of(text);
  wipe(text);
  if (!kept) return std::unexpected(kept.error());
  return Fetched{std::make_shared<const SecretText>(std::move(*kept)), lease};
}

}  // namespace agentsh::secrets
