// The sessions of this daemon: made, found, ended, and reaped when their time is over.
//
// Making one: policy, then the specification of what it sees, then its init on the launcher thread,
// then its network. Threads: the API's loop; the part that forks runs on the launcher's thread,
// which lives as long as the daemon.
#pragma once

#include "appliance/api/exchange.h"
#include "appliance/config/config.h"
#include "appliance/network/ingress.h"
#include "appliance/network/network_service.h"
#include "appliance/sessions/session.h"
#include "appliance/sessions/session_request.h"
#include "appliance/sessions/session_trust.h"
#include "appliance/sessions/session_view.h"
#include "policies/approval_queue.h"
#include "policies/policy_store.h"
#include "proxy/net/worker.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/resource.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace agentsh {

namespace services {
class SecretSource;
}

// What sessions are held by.
enum class Confinement {
  kNamespaces,  // Namespaces, mounts, Landlock and seccomp.
  kLandlock,    // Landlock and seccomp, in the host's namespaces.
  kMinimal,     // The same, without Landlock where the kernel has none.
};

class SessionRegistry {
 public:
  struct Services {
    const config::ServerConfig& config;
    audit::Recorder& recorder;
    policy::ApprovalQueue& approvals;
    policy::PolicyStore& policies;
    Redirect& redirect;
    NetworkService& network;
    SessionTrust& trust;
    net::Worker& launcher;
    std::string cgroup_base;  // Empty: no cgroups.
    std::string init_program;
    std::vector<std::string> own_paths;     // Masked in every session.
    std::vector<std::string> own_programs;  // Read-only in every session.
    std::vector<std::string> seccomp_programs;
    Confinement confinement;
    std::string notifier_program;  // Of sessions without namespaces.
    rlimit descriptor_limit{};     // Of the processes in sessions; the daemon's own is higher.
    bool rootless = false;
    // What looks into a session's HTTP traffic; may give null.
    std::function<std::shared_ptr<flows::HttpInspectorFactory>(Session& session)> inspectors;
    std::shared_ptr<services::SecretSource> secrets;  // Of the policies' http_services.
  };

  SessionRegistry(boost::asio::any_io_executor executor, Services services);
  ~SessionRegistry();

  // Fails with a sentence: bad workspace, unknown policy, id taken, too many sessions, what the
  // host refuses.
  boost::asio::awaitable<Result<std::shared_ptr<Session>>> create(SessionRequest request,
                                                                  api::Caller caller);

  // Null when there is none, or when the caller may not see it.
  std::shared_ptr<Session> find(std::string_view id, const api::Caller& caller) const;
  std::vector<std::shared_ptr<Session>> list(const api::Caller& caller) const;
  std::size_t size() const { return sessions_.size(); }

  // Ends it and waits until nothing of it is left.
  boost::asio::awaitable<void> destroy(std::shared_ptr<Session> session, SessionState state);
  boost::asio::awaitable<void> destroy_all();

  // After a policy file changed: each session gets the new one, or keeps the old one if the new one
  // is bad.
  void reload_policies();

 private:
  Result<UserIdentity> user_for(const SessionRequest& request, const api::Caller& caller) const;
  Result<Session::Parts> launch(SessionDescription description,
                                std::shared_ptr<const policy::CompiledPolicy> compiled);
  Result<SessionView> view_of(const SessionDescription& description,
                              const policy::CompiledPolicy& compiled,
                              std::vector<std::string>& warnings) const;
  Result<> use_private_directory(SessionView& view, Session::Parts& parts) const;
  boost::asio::awaitable<void> reap();
  void ended(const std::string& id);
  void renew_policy(Session& session);
  void record(const Session& session, std::string type, std::string reason = {});

  boost::asio::any_io_executor executor_;
  Services services_;
  std::map<std::string, std::shared_ptr<Session>, std::less<>> sessions_;
  std::size_t creating_ = 0;
  boost::asio::steady_timer reaper_;
  boost::asio::steady_timer changed_;  // Canceled at every end, for those who wait for one.
};

}  // namespace agentsh
