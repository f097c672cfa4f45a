// Sessions for tests: a network namespace set up by session_network.h, redirected by eBPF (with a
// cgroup of its own) or by nftables (in a user namespace of an ordinary user), and processes run
// inside it.
//
// The test process plays the daemon: it stays outside and serves the listeners. No threads: a
// client runs in a child process while the test accepts.
#pragma once

#include "base/netns/session_network.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/bpf/redirector.h"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agentsh::bpf::testing {

// A directory of the cgroup v2 hierarchy, removed with everything that runs in it.
class TestCgroup {
 public:
  static Result<TestCgroup> make(const std::string& parent = {});
  TestCgroup(TestCgroup&& other) noexcept;
  TestCgroup& operator=(TestCgroup&&) = delete;
  ~TestCgroup();
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  void enter() const;  // Moves the calling process into it.

 private:
  TestCgroup() = default;
  std::string path_;
  UniqueFd fd_;
};

// A child process whose standard output is collected.
class Child {
 public:
  Child(pid_t pid, UniqueFd pid_fd, UniqueFd output);
  Child(Child&&) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // Kills it if it still runs.

  pid_t pid() const { return pid_; }
  int pid_fd() const { return pid_fd_.get(); }
  // Readable at end of file when the child is done with its output.
  int output_fd() const { return output_.get(); }
  // Waits for the end; what it wrote. `status` gets the wait status.
  std::string finish(int* status = nullptr);

 private:
  pid_t pid_;
  UniqueFd pid_fd_;
  UniqueFd output_;
};

// Runs `body` in a fork; its return value is the exit status, what it writes to descriptor 1 the
// output.
Child fork_child(const std::function<int()>& body);

class SessionFixture {
 public:
  virtual ~SessionFixture() = default;

  // Starts `body`, or a program, inside the session as one of its processes.
  Child start(const std::function<int()>& body) const;
  Child start(std::vector<std::string> argv) const;
  std::string run(const std::function<int()>& body) const { return start(body).finish(); }

  const netns::ListenerSockets& listener(bool v4) const;
  bool has_ipv6() const { return listeners_.size() > 1; }
  int net_namespace() const { return net_.get(); }
  std::span<const netns::ListenerSockets> listeners() const { return listeners_; }
  const std::vector<IpAddress>& own_addresses() const { return own_; }

  // Where an accepted connection was going; empty when it has to be refused.
  virtual std::optional<FlowRecord> origin(int accepted, const Endpoint& peer,
                                           const Endpoint& local) = 0;

 protected:
  // Called in the child after it left the test's namespaces.
  virtual void enter() const = 0;

  std::optional<Child> holder_;  // Keeps the namespaces.
  UniqueFd net_;
  std::vector<netns::ListenerSockets> listeners_;
  std::vector<IpAddress> own_;
};

class BpfSession : public SessionFixture {
 public:
  struct Options {
    netns::SessionNetworkOptions network;
    std::vector<std::uint16_t> host_ports;
    std::shared_ptr<const DenialTable> denials;
    bool ipv6 = true;             // False: the namespace has IPv6 switched off.
    bool init_in_cgroup = false;  // The listeners are opened by a process of the session's cgroup.
  };
  static Result<std::unique_ptr<BpfSession>> make(Redirector& redirector, Options options);
  static Result<std::unique_ptr<BpfSession>> make(Redirector& redirector) {
    return make(redirector, {});
  }

  std::optional<FlowRecord> origin(int accepted, const Endpoint& peer,
                                   const Endpoint& local) override;
  std::uint64_t cookie() const { return cookie_; }
  SessionLinks& links() { return *links_; }
  void detach() { links_.reset(); }
  // A process in the namespace but not in the cgroup, and the other way round.
  Child start_outside_cgroup(const std::function<int()>& body) const;
  Child start_outside_namespace(const std::function<int()>& body) const;

 private:
  void enter() const override;

  Redirector* redirector_ = nullptr;
  std::optional<TestCgroup> cgroup_;
  std::optional<SessionLinks> links_;
  std::uint64_t cookie_ = 0;
};

// Everything is done by uid 65534 in namespaces of its own.
class NftSession : public SessionFixture {
 public:
  struct Options {
    std::vector<std::uint16_t> host_ports;
    std::optional<std::uint16_t> log_group;
  };
  static Result<std::unique_ptr<NftSession>> make(Options options);
  static Result<std::unique_ptr<NftSession>> make() { return make({}); }

  std::optional<FlowRecord> origin(int accepted, const Endpoint& peer,
                                   const Endpoint& local) override;
  int diagnosis() const { return diagnosis_.get(); }
  int log_socket() const { return log_.get(); }
  const Child& holder() const { return *holder_; }

 private:
  void enter() const override;

  UniqueFd user_;
  UniqueFd diagnosis_;
  UniqueFd log_;
};

// Waits until `fd` is readable; false after `milliseconds`.
bool wait_readable(int fd, int milliseconds);

struct Accepted {
  UniqueFd fd;
  Endpoint peer;
  Endpoint local;
  std::optional<FlowRecord> origin;
};
// The next connection of the session's TCP listener of a family; empty after `milliseconds`.
std::optional<Accepted> accept_next(SessionFixture& session, int listening_fd,
                                    int milliseconds = 2000);

// Writes to descriptor 1, in a child.
void say(const std::string& text);

}  // namespace agentsh::bpf::testing
