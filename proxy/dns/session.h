// One session as the DNS service sees it: its policy, its leases, its hosts entries, and whom to
// tell. Shared by the service, the resolver and the flows that hold leases; immutable but for its
// tables, which any thread may use.
#pragma once

#include "proxy/dns/approval_book.h"
#include "proxy/dns/dns_policy.h"
#include "proxy/dns/hosts_table.h"
#include "proxy/dns/lease_table.h"
#include "proxy/dns/query_observer.h"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dns {

struct SessionOptions {
  std::string id;
  std::shared_ptr<const DnsPolicy> policy;
  std::shared_ptr<QueryObserver> observer;
  std::shared_ptr<ActorSource> actors;  // May be null: then nobody is named.
  // From the session's /etc/hosts, which the session must not be able to write. Its entries are
  // leases from the start, because programs read the file without asking us.
  HostsTable hosts;
  std::vector<std::string> search_suffixes;  // Canonical, of the session's resolv.conf.
  LeaseOptions leases;
  std::size_t max_pending = 256;  // Questions that wait for an upstream or an approval.
};

class Session {
 public:
  explicit Session(SessionOptions options);

  const std::string& id() const { return options_.id; }
  const DnsPolicy& policy() const { return *options_.policy; }
  QueryObserver& observer() const { return *options_.observer; }
  ActorSource* actors() const { return options_.actors.get(); }
  const HostsTable& hosts() const { return options_.hosts; }
  LeaseTable& leases() const { return *leases_; }
  ApprovalBook& approvals() { return approvals_; }

  // True when `host` is a name that a search list made: something before one of the suffixes.
  bool has_search_suffix(std::string_view host) const;

  // Counts a question that has to wait; false when too many do.
  bool begin_wait();
  void end_wait() { --pending_; }
  std::size_t waiting() const { return pending_; }

 private:
  const SessionOptions options_;
  const std::shared_ptr<LeaseTable> leases_;
  ApprovalBook approvals_;
  std::atomic<std::size_t> pending_{0};
};

}  // namespace agentsh::dns
