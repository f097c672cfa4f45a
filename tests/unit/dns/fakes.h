// Policy, observer and messages for DNS tests.
#pragma once

#include "proxy/dns/dns_policy.h"
#include "proxy/dns/message.h"
#include "proxy/dns/query_observer.h"
#include "proxy/dns/session.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace agentsh::dns {

// A policy as a table. A name without an entry, or one above it, is denied by default.
class FakePolicy : public DnsPolicy {
 public:
  // Entries hold for the name and everything below it.
  std::set<std::string> allowed;
  std::set<std::string> denied;
  std::set<std::string> approve;
  bool allow_all = false;  // Like a rule for every host.
  std::map<std::string, NameRedirect> redirects;
  std::set<std::pair<std::string, IpAddress>> special_addresses;
  // With a version, replies may be remembered while it stays.
  std::shared_ptr<const void> current_version;
  // What settle() does with its callback.
  std::function<void(policy::Verdict, std::string, std::function<void(policy::Verdict)>)> approver;

  std::shared_ptr<const void> version() const override { return current_version; }
  Judgement judge(const policy::DnsFacts& facts) const override;
  std::optional<NameRedirect> redirect(std::string_view name) const override;
  bool allows_special_address(std::string_view name, const IpAddress& address) const override;
  void settle(policy::Verdict verdict, const policy::Actor& actor, std::string_view name,
              std::function<void(policy::Verdict)> done) const override;
};

// What was reported, as text: "A example.com NOERROR upstream 192.0.2.1".
class FakeObserver : public QueryObserver {
 public:
  void answered(const QueryReport& report) override;
  void malformed(const MalformedReport& report) override;

  std::vector<std::string> lines() const;
  std::vector<audit::Event> events() const;
  std::uint64_t malformed_count() const;
  std::size_t malformed_reports() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<audit::Event> events_;
  std::uint64_t malformed_count_ = 0;
  std::size_t malformed_reports_ = 0;
};

struct TestSession {
  std::shared_ptr<FakePolicy> policy = std::make_shared<FakePolicy>();
  std::shared_ptr<FakeObserver> observer = std::make_shared<FakeObserver>();
  std::shared_ptr<Session> session;

  // Builds the session from what was set; `options` may carry hosts, suffixes, limits.
  Session& make(SessionOptions options = {});
};

IpAddress ip(std::string_view text);
Name name(std::string_view host);

Record address_record(std::string_view owner, std::string_view address, std::uint32_t ttl = 300);
Record alias_record(std::string_view owner, std::string_view target, std::uint32_t ttl = 300);
Record soa_record(std::string_view zone, std::uint32_t ttl = 300, std::uint32_t minimum = 60);
Record text_record(std::string_view owner, std::string text, std::uint32_t ttl = 300);

// A question as a client sends it.
Message question(std::string_view host, RrType type = RrType::kA, bool edns = true);
// The reply of a server to `query`.
Message reply_to(const Message& query, std::vector<Record> answers, Rcode rcode = Rcode::kNoError);

std::vector<std::string> addresses_in(const Message& message);
// The extended error's text, or "".
std::string extended_error_text(const Message& message);

}  // namespace agentsh::dns
