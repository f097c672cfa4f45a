#include "appliance/secrets/secret_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>

namespace agentsh::secrets {
namespace {

using Value = Result<std::shared_ptr<const SecretText>>;

Value get(SecretStore& store, const std::string& reference) {
  auto promise = std::make_shared<std::promise<Value>>();
  auto future = promise->get_future();
  store.get(reference, {}, [promise](Value value) { promise->set_value(std::move(value)); });
  if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
    return fail("no answer in time");
  }
  return future.get();
}

TEST(SecretStore, KeepsAValueForItsLease) {
  ::setenv("AGENTSH_TEST_KEPT", "one", 1);
  SecretStore store({.reader = ::geteuid()});
  const auto first = get(store, "env:AGENTSH_TEST_KEPT").value();
  EXPECT_EQ(first->view(), "one");
  ::setenv("AGENTSH_TEST_KEPT", "two", 1);
  EXPECT_EQ(get(store, "env:AGENTSH_TEST_KEPT").value(), first);
}

TEST(SecretStore, WhatIsFetchedAnewAndTheSameIsTheSameObject) {
  ::setenv("AGENTSH_TEST_LEASE", "one", 1);
  SecretStore store({.reader = ::geteuid(), .local_lease = std::chrono::seconds(0)});
  const auto first = get(store, "env:AGENTSH_TEST_LEASE").value();
  EXPECT_EQ(get(store, "env:AGENTSH_TEST_LEASE").value(), first);
  ::setenv("AGENTSH_TEST_LEASE", "two", 1);
  EXPECT_EQ(get(store, "env:AGENTSH_TEST_LEASE").value()->view(), "two");
  ::unsetenv("AGENTSH_TEST_LEASE");
  EXPECT_FALSE(get(store, "env:AGENTSH_TEST_LEASE").has_value());
}

TEST(SecretStore, ManyWhoAskAtOnceCauseOneFetch) {
  SecretStore store({.reader = ::geteuid()});
  std::atomic<int> answers = 0;
  const SecretText* seen = nullptr;
  for (int i = 0; i < 20; ++i) {
    store.get("exec:/bin/date +%N%N%N", {}, [&](Value value) {
      if (!value) return;
      if (seen == nullptr) seen = value->get();
      answers += value->get() == seen;
    });
  }
  const auto last = get(store, "exec:/bin/date +%N%N%N");
  ASSERT_TRUE(last.has_value()) << last.error().what;
  EXPECT_EQ(answers, 20);
  EXPECT_EQ(last->get(), seen);
}

TEST(SecretStore, VaultNeedsAProvider) {
  SecretStore store({.reader = ::geteuid()});
  EXPECT_FALSE(get(store, "vault://kv/x#y").has_value());
}

TEST(SecretStore, ItsEndWaitsForWhatRuns) {
  std::atomic<bool> answered = false;
  {
    SecretStore store({.reader = ::geteuid(), .local_timeout = std::chrono::milliseconds(50)});
    store.get("exec:/bin/sleep 30", {}, [&](const Value&) { answered = true; });
  }
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace agentsh::secrets
