#include "tests/unit/bpf/session_fixture.h"

#include "base/fd_passing.h"
#include "base/file_io.h"
#include "base/netns/nft_apply.h"
#include "base/random.h"
#include "proxy/bpf/nft_ruleset.h"
#include "proxy/bpf/original_destination.h"
#include "proxy/bpf/socket_owner.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace agentsh::bpf::testing {
namespace {

constexpr uid_t kNobody = 65534;

// A child has no way to report but to say so and die; the test sees the output.
void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  ::_exit(98);
}

void write_text(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  require(fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()),
          path.c_str());
}

void drop_capabilities() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  require(::syscall(SYS_capset, &head, none) == 0, "capset");
}

void become_nobody_in_own_namespaces() {
  require(::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
              ::setresuid(kNobody, kNobody, kNobody) == 0,
          "setresuid");
  require(::prctl(PR_SET_DUMPABLE, 1) == 0, "PR_SET_DUMPABLE");
  require(::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, "unshare");
  write_text("/proc/self/setgroups", "deny");
  write_text("/proc/self/uid_map", "65534 65534 1");
  write_text("/proc/self/gid_map", "65534 65534 1");
}

// What the session's init does: sets the namespace up and hands the sockets over, then stays.
struct HolderPlan {
  bool rootless = false;
  bool ipv6 = true;
  const TestCgroup* cgroup = nullptr;
  netns::SessionNetworkOptions network;
  std::vector<std::uint16_t> host_ports;
  std::optional<std::uint16_t> log_group;
};

int hold(const HolderPlan& plan, int channel) {
  if (plan.cgroup != nullptr) plan.cgroup->enter();
  if (plan.rootless) {
    become_nobody_in_own_namespaces();
  } else {
    require(::unshare(CLONE_NEWNET) == 0, "unshare");
  }
  if (!plan.ipv6) write_text("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
  auto network = netns::set_up_session_network(plan.network);
  if (!network) {
    say(network.error().what);
    return 1;
  }
  if (network->ipv6 != plan.ipv6) {
    say("IPv6: " + network->ipv6_error);
    return 1;
  }
  std::vector<int> descriptors = netns::listener_descriptors(*network);
  UniqueFd diagnosis;
  UniqueFd log;
  if (plan.rootless) {
    NftRedirect redirect{netns::listener_endpoints(network->listeners), network->own_addresses,
                         plan.host_ports, plan.log_group};
    auto batch = build_nft_batch(redirect);
    auto netfilter = netns::open_netfilter_socket();
    if (!batch || !netfilter) return 1;
    if (auto applied = netns::apply_batch(netfilter->get(), *batch); !applied) {
      say(applied.error().what);
      return 1;
    }
    auto opened = open_socket_diagnosis();
    if (!opened) return 1;
    diagnosis = std::move(*opened);
    descriptors.push_back(diagnosis.get());
    if (plan.log_group) {
      auto listening = netns::open_refusal_log(*plan.log_group);
      if (!listening) {
        say(listening.error().what);
        return 1;
      }
      log = std::move(*listening);
      descriptors.push_back(log.get());
    }
  }
  if (!send_with_fds(channel, "ready", descriptors)) return 1;
  // Stays until the test kills it.
  for (;;) ::pause();
}

struct Held {
  Child child;
  std::vector<UniqueFd> descriptors;
};

Result<Held> start_holder(const HolderPlan& plan) {
  auto channel = unix_socket_pair(SOCK_SEQPACKET);
  if (!channel) return std::unexpected(channel.error());
  const int theirs = channel->second.get();
  Child child = fork_child([&] { return hold(plan, theirs); });
  channel->second.reset();
  auto message = receive_with_fds(channel->first.get(), 64);
  if (!message) return std::unexpected(message.error());
  if (message->data.empty()) return fail("the session could not be set up: " + child.finish());
  return Held{std::move(child), std::move(message->fds)};
}

Result<UniqueFd> open_namespace(pid_t pid, const char* kind) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + kind;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open", path));
  return fd;
}

}  // namespace

void say(const std::string& text) {
  require(::write(1, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write");
}

Result<TestCgroup> TestCgroup::make(const std::string& parent) {
  std::string base = parent;
  if (base.empty()) {
    auto mount = find_cgroup2();
    if (!mount) return std::unexpected(mount.error());
    base = *mount;
  }
  TestCgroup cgroup;
  cgroup.path_ = base + "/agentsh-test-" + random_name(12);
  if (::mkdir(cgroup.path_.c_str(), 0755) != 0)
    return std::unexpected(errno_error("mkdir", cgroup.path_));
  cgroup.fd_.reset(::open(cgroup.path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.fd_) return std::unexpected(errno_error("open", cgroup.path_));
  return cgroup;
}

TestCgroup::TestCgroup(TestCgroup&& other) noexcept
    : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}

TestCgroup::~TestCgroup() {
  if (path_.empty()) return;
  if (UniqueFd kill(::open((path_ + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC)); kill) {
    [[maybe_unused]] const ssize_t written = ::write(kill.get(), "1", 1);
  }
  // The killed need a moment to be gone: poll(2) on nothing would be a sleep, the events file is
  // not.
  while (::rmdir(path_.c_str()) != 0 && errno == EBUSY) {
    UniqueFd events(::open((path_ + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    pollfd changed{events.get(), POLLPRI, 0};
    ::poll(&changed, 1, 10);
  }
}

void TestCgroup::enter() const {
  write_text(path_ + "/cgroup.procs", "0");
}

Child::Child(pid_t pid, UniqueFd pid_fd, UniqueFd output)
    : pid_(pid), pid_fd_(std::move(pid_fd)), output_(std::move(output)) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pid_fd_(std::move(other.pid_fd_)),
      output_(std::move(other.output_)) {}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Child::finish(int* status) {
  auto text = read_all(output_.get(), 1 << 20, "output of the child");
  int ended = 0;
  ::waitpid(pid_, &ended, 0);
  pid_ = 0;
  if (status != nullptr) *status = ended;
  return text ? *text : text.error().what;
}

Child fork_child(const std::function<int()>& body) {
  int pipe_fds[2];
  require(::pipe2(pipe_fds, O_CLOEXEC) == 0, "pipe2");
  UniqueFd read_end(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  require(pid >= 0, "fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // 0: the child is the first of a new PID namespace, and its parent is outside.
    if (::getppid() != parent && ::getppid() != 0) ::_exit(99);
    require(::dup2(write_end.get(), 1) == 1 && ::dup2(write_end.get(), 2) == 2, "dup2");
    write_end.reset();
    read_end.reset();
    // _exit: the test's own state, gtest's among it, is not the child's to tear down.
    ::_exit(body());
  }
  UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return Child(pid, std::move(pid_fd), std::move(read_end));
}

Child SessionFixture::start(const std::function<int()>& body) const {
  return fork_child([&] {
    enter();
    return body();
  });
}

Child SessionFixture::start(std::vector<std::string> argv) const {
  return start([&]() -> int {
    std::vector<char*> pointers;
    for (std::string& argument : argv) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execvp(pointers[0], pointers.data());
    std::perror(pointers[0]);
    return 127;
  });
}

const netns::ListenerSockets& SessionFixture::listener(bool v4) const {
  for (const netns::ListenerSockets& each : listeners_) {
    if (each.address.is_v4() == v4) return each;
  }
  std::fprintf(stderr, "the session has no listener of that family\n");
  std::abort();
}

Result<std::unique_ptr<BpfSession>> BpfSession::make(Redirector& redirector, Options options) {
  auto session = std::make_unique<BpfSession>();
  session->redirector_ = &redirector;
  auto cgroup = TestCgroup::make();
  if (!cgroup) return std::unexpected(cgroup.error());
  session->cgroup_.emplace(std::move(*cgroup));
  auto held = start_holder({false,
                            options.ipv6,
                            options.init_in_cgroup ? &*session->cgroup_ : nullptr,
                            options.network,
                            {},
                            {}});
  if (!held) return std::unexpected(held.error());
  session->holder_.emplace(std::move(held->child));
  auto listeners = netns::adopt_listeners(std::move(held->descriptors));
  if (!listeners) return std::unexpected(listeners.error());
  session->listeners_ = std::move(*listeners);
  auto net = open_namespace(session->holder_->pid(), "net");
  if (!net) return std::unexpected(net.error());
  session->net_ = std::move(*net);
  auto cookie = netns_cookie(session->listeners_.front().tcp.get());
  if (!cookie) return std::unexpected(cookie.error());
  session->cookie_ = *cookie;
  session->own_ = {netns::own_address4()};
  if (options.ipv6) session->own_.push_back(netns::own_address6());
  auto links = redirector.attach({session->cgroup_->fd(), *cookie,
                                  netns::listener_endpoints(session->listeners_), session->own_,
                                  options.host_ports, options.denials});
  if (!links) return std::unexpected(links.error());
  session->links_.emplace(std::move(*links));
  return session;
}

void BpfSession::enter() const {
  cgroup_->enter();
  require(::setns(net_.get(), CLONE_NEWNET) == 0, "setns");
}

Child BpfSession::start_outside_cgroup(const std::function<int()>& body) const {
  return fork_child([&] {
    require(::setns(net_.get(), CLONE_NEWNET) == 0, "setns");
    return body();
  });
}

Child BpfSession::start_outside_namespace(const std::function<int()>& body) const {
  return fork_child([&] {
    cgroup_->enter();
    return body();
  });
}

std::optional<FlowRecord> BpfSession::origin(int, const Endpoint& peer, const Endpoint& local) {
  return redirector_->take_flow(cookie_, peer, local);
}

Result<std::unique_ptr<NftSession>> NftSession::make(Options options) {
  auto session = std::make_unique<NftSession>();
  auto held = start_holder({true, true, nullptr, {}, options.host_ports, options.log_group});
  if (!held) return std::unexpected(held.error());
  session->holder_.emplace(std::move(held->child));
  if (options.log_group) {
    session->log_ = std::move(held->descriptors.back());
    held->descriptors.pop_back();
  }
  session->diagnosis_ = std::move(held->descriptors.back());
  held->descriptors.pop_back();
  auto listeners = netns::adopt_listeners(std::move(held->descriptors));
  if (!listeners) return std::unexpected(listeners.error());
  session->listeners_ = std::move(*listeners);
  auto net = open_namespace(session->holder_->pid(), "net");
  auto user = open_namespace(session->holder_->pid(), "user");
  if (!net || !user) return fail("the session's namespaces cannot be opened");
  session->net_ = std::move(*net);
  session->user_ = std::move(*user);
  session->own_ = {netns::own_address4(), netns::own_address6()};
  return session;
}

void NftSession::enter() const {
  require(::setns(user_.get(), CLONE_NEWUSER) == 0, "setns user");
  require(::setns(net_.get(), CLONE_NEWNET) == 0, "setns net");
  require(
      ::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0,
      "setresuid");
  drop_capabilities();
}

std::optional<FlowRecord> NftSession::origin(int accepted, const Endpoint& peer, const Endpoint&) {
  auto original = original_destination(accepted);
  if (!original) return {};
  FlowRecord record;
  record.original = *original;
  SocketOwnerFinder finder(UniqueFd(::fcntl(diagnosis_.get(), F_DUPFD_CLOEXEC, 0)),
                           [] { return std::vector<pid_t>{}; });
  if (auto owner = finder.find(Transport::kTcp, peer, *original)) record.uid = owner->uid;
  return record;
}

bool wait_readable(int fd, int milliseconds) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) == 1;
}

std::optional<Accepted> accept_next(SessionFixture& session, int listening_fd, int milliseconds) {
  if (!wait_readable(listening_fd, milliseconds)) return {};
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  UniqueFd fd(
      ::accept4(listening_fd, reinterpret_cast<sockaddr*>(&storage), &length, SOCK_CLOEXEC));
  if (!fd) return {};
  auto peer = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  if (!peer) return {};
  length = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  auto local = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  if (!local) return {};
  Accepted accepted{std::move(fd), *peer, *local, {}};
  accepted.origin = session.origin(accepted.fd.get(), accepted.peer, accepted.local);
  return accepted;
}

}  // namespace agentsh::bpf::testing
