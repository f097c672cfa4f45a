// A session: one policy, one view of the system, one network, and the commands that run in it.
//
// Made by the registry (session_registry.h). Ends by destroy(), by a time-out, or when its init
// dies; then every process of it is gone (the kernel ends a PID namespace as a whole), its
// connections are closed, and the state says why.
//
// Threads: the API's loop, but for gate(), which any thread may use.
#pragma once

#include "appliance/network/connect_supervisor.h"
#include "appliance/network/ingress.h"
#include "appliance/sessions/private_directory.h"
#include "appliance/sessions/project_root.h"
#include "appliance/sessions/running_command.h"
#include "appliance/sessions/session_trust.h"
#include "appliance/sessions/user_identity.h"
#include "base/json_writer.h"
#include "base/time_format.h"
#include "policies/compiled_policy.h"
#include "policies/gate.h"
#include "sandbox/process/cgroup.h"
#include "sandbox/process/launcher.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace agentsh {

namespace services {
class SessionServices;
}

enum class SessionState { kReady, kStopping, kCompleted, kTimedOut, kFailed };
std::string_view to_string(SessionState state);

struct SessionDescription {
  std::string id;
  UserIdentity user;
  std::string owner;  // Caller's name, for the audit trail.
  std::string workspace;
  ProjectRoots roots;
  std::string policy;
  bool virtual_workspace = false;
  std::vector<std::uint16_t> host_ports;
  policy::Variables variables;
};

// What every command gets beside what its caller sends: trust variables, the session's id.
using EnvironmentVariables = std::vector<std::pair<std::string, std::string>>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Parts {
    SessionDescription description;
    std::shared_ptr<policy::Gate> gate;
    std::optional<PrivateDirectory> directory;  // Of a session without mounts.
    std::optional<sandbox::Cgroup> cgroup;
    std::unique_ptr<sandbox::SessionProcess> process;
    std::shared_ptr<Ingress> ingress;
    std::unique_ptr<ConnectSupervisor> supervisor;  // Of a session without a network namespace.
    std::shared_ptr<const TrustEpoch> trust;
    EnvironmentVariables environment;
    std::shared_ptr<services::SessionServices> services;
    std::vector<std::string> warnings;
  };

  Session(boost::asio::any_io_executor executor, Parts parts);
  ~Session();

  const SessionDescription& description() const { return parts_.description; }
  const std::string& id() const { return parts_.description.id; }
  policy::Gate& gate() { return *parts_.gate; }
  Ingress& ingress() { return *parts_.ingress; }
  std::shared_ptr<Ingress> shared_ingress() { return parts_.ingress; }
  std::shared_ptr<policy::Gate> shared_gate() { return parts_.gate; }
  const TrustEpoch& trust() const { return *parts_.trust; }
  sandbox::SessionProcess& process() { return *parts_.process; }
  // Does it have a loopback of its own?
  bool has_own_network() const { return parts_.supervisor == nullptr; }
  const EnvironmentVariables& injected_environment() const { return parts_.environment; }
  // The policy's http_services as it is now, and the variables that tell commands of them.
  const std::shared_ptr<services::SessionServices>& http_services() const {
    return parts_.services;
  }
  EnvironmentVariables service_environment() const;
  boost::asio::any_io_executor executor() { return executor_; }

  SessionState state() const { return state_; }
  WallTime created_at() const { return created_at_; }

  // Directory and environment of later commands.
  // The workspace as commands see it: /workspace in the reference's virtual mode.
  std::string workspace_root() const;
  // A directory of the host as commands see it; only what lies in a virtual workspace is renamed.
  std::string as_seen(std::string directory) const;
  const std::string& cwd() const { return cwd_; }
  bool cwd_changed() const { return cwd_changed_; }
  // `directory` as commands see it, from where the session stands.
  Result<std::string> resolved(const std::string& directory) const;
  void set_cwd(std::string resolved);
  void set_variable(const std::string& name, const std::string& value);
  void unset_variable(const std::string& name);
  // `variables` with the session's own changes applied.
  EnvironmentVariables with_session_variables(EnvironmentVariables variables) const;

  // Commands: the running ones and the last finished ones, whose output can still be paged.
  void add_command(std::shared_ptr<RunningCommand> command);
  std::shared_ptr<RunningCommand> find_command(std::string_view id) const;
  std::size_t running_commands() const;

  // Something happened: the idle time starts anew.
  void touch() { last_used_ = std::chrono::steady_clock::now(); }
  // Idle or over its total time, as its policy says; empty: neither.
  std::optional<std::string> overdue(std::chrono::steady_clock::time_point now,
                                     std::chrono::nanoseconds default_timeout,
                                     std::chrono::nanoseconds default_idle_timeout) const;

  // Starts hearing of its processes. `on_end` runs once, when the session's init is gone.
  void start(std::function<void()> on_end);
  // Ends everything in it.
  void end(SessionState state);

  void write_json(JsonWriter& json) const;

 private:
  // By value: the session lives until its init has been heard of for the last time.
  static boost::asio::awaitable<void> hear(std::shared_ptr<Session> self);

  boost::asio::any_io_executor executor_;
  Parts parts_;
  boost::asio::posix::stream_descriptor control_;
  SessionState state_ = SessionState::kReady;
  const WallTime created_at_ = std::chrono::system_clock::now();
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_used_ = started_;
  std::string cwd_;
  bool cwd_changed_ = false;
  std::vector<std::pair<std::string, std::optional<std::string>>> changes_;  // Empty value: unset.
  std::vector<std::shared_ptr<RunningCommand>> commands_;                    // Oldest first.
  std::function<void()> on_end_;
};

}  // namespace agentsh
