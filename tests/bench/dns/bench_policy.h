// A compiled policy with very many names, and the DNS service's questions to it.
#pragma once

#include "policies/compiled_policy.h"
#include "policies/loader.h"
#include "proxy/dns/gate_binding.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace agentsh::dns {

// Half of the names allowed and half denied, each by itself, in rules of 1000; then example.com.
inline std::shared_ptr<const policy::CompiledPolicy> policy_with_names(std::size_t names) {
  policy::Policy model;
  for (std::size_t start = 0; start < names; start += 1000) {
    policy::NetworkRule rule;
    rule.name = "rule-" + std::to_string(start);
    rule.decision = start / 1000 % 2 == 0 ? policy::Decision::kAllow : policy::Decision::kDeny;
    for (std::size_t i = start; i < std::min(names, start + 1000); ++i) {
      rule.domains.push_back({"host-" + std::to_string(i) + ".bench.example", {}});
    }
    model.network_rules.push_back(std::move(rule));
  }
  policy::NetworkRule rule;
  rule.name = "site";
  rule.decision = policy::Decision::kAllow;
  rule.domains = {{"example.com", {}}, {"*.example.com", {}}};
  model.network_rules.push_back(std::move(rule));
  auto compiled = policy::CompiledPolicy::compile(std::move(model), {});
  if (!compiled) {
    std::fprintf(stderr, "%s\n", compiled.error().what.c_str());
    std::exit(1);
  }
  return *compiled;
}

class BenchPolicy : public DnsPolicy {
 public:
  explicit BenchPolicy(std::size_t names) : policy_(policy_with_names(names)) {}

  Judgement judge(const policy::DnsFacts& facts) const override {
    return judge_name(*policy_, facts);
  }
  std::optional<NameRedirect> redirect(std::string_view name) const override {
    return redirect_of(*policy_, name);
  }
  bool allows_special_address(std::string_view name, const IpAddress& address) const override {
    return allows_special(*policy_, name, address);
  }
  void settle(policy::Verdict verdict, const policy::Actor&, std::string_view,
              std::function<void(policy::Verdict)> done) const override {
    done(std::move(verdict));
  }

 private:
  std::shared_ptr<const policy::CompiledPolicy> policy_;
};

// Builds each question's event, as the audit trail does, and drops it.
class BenchObserver : public QueryObserver {
 public:
  void answered(const QueryReport& report) override { fields_ += to_event(report).fields.size(); }
  void malformed(const MalformedReport&) override {}
  std::size_t fields() const { return fields_; }

 private:
  std::size_t fields_ = 0;
};

}  // namespace agentsh::dns
