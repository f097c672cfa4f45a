#include "appliance/network/connect_supervisor.h"

#include "base/file_io.h"
#include "base/log.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace agentsh {
namespace {

// As of getsockopt(2).
int option(const UniqueFd& socket, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(socket.get(), level, name, &value, &length) == 0 ? value : -1;
}

bool is_fresh(const UniqueFd& socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  return ::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
         info.tcpi_state == TCP_CLOSE;
}

std::optional<Endpoint> own_endpoint(const UniqueFd& socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), length);
}

// How long one connect to our own listener may keep the others waiting. It takes microseconds,
// unless the program has put a filter on its socket that drops the answer.
constexpr timeval kConnectLimit{1, 0};

int connect_briefly(const UniqueFd& socket, const sockaddr* address, socklen_t length) {
  timeval kept{};
  socklen_t size = sizeof kept;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kept, &size) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectLimit, sizeof kConnectLimit) !=
          0)
    return errno;
  const int error = ::connect(socket.get(), address, length) == 0 ? 0 : errno;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kept, size);
  const bool waits = (::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) == 0;
  return error == EINPROGRESS && waits ? ETIMEDOUT : error;
}

// As root we may talk with any process through netlink; a session may ask the kernel only.
bool is_kernel(const sockaddr_storage& address, std::uint64_t length) {
  sockaddr_nl netlink{};
  if (length < sizeof netlink) return false;
  std::memcpy(&netlink, &address, sizeof netlink);
  return netlink.nl_family == AF_NETLINK && netlink.nl_pid == 0 && netlink.nl_groups == 0;
}

// An IPv4 endpoint as a socket of the other family names it.
socklen_t write_mapped(const Endpoint& v4, sockaddr_storage& out) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(v4.port);
  std::memcpy(&address.sin6_addr, v4.address.bytes().data(), sizeof address.sin6_addr);
  std::memcpy(&out, &address, sizeof address);
  return sizeof address;
}

std::string name_of(pid_t process) {
  auto comm = read_file("/proc/" + std::to_string(process) + "/comm", 64);
  if (!comm) return {};
  while (comm->ends_with('\n')) comm->pop_back();
  return *comm;
}

}  // namespace

Result<std::unique_ptr<ConnectSupervisor>> ConnectSupervisor::start(
    UniqueFd notifications, std::shared_ptr<Ingress> ingress, MetadataCalls metadata) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return std::unexpected(errno_error("eventfd"));
  std::unique_ptr<ConnectSupervisor> supervisor(new ConnectSupervisor(
      std::move(notifications), std::move(ingress), std::move(metadata), std::move(stop)));
  supervisor->thread_ = std::thread([raw = supervisor.get()] { raw->serve(); });
  return supervisor;
}

ConnectSupervisor::ConnectSupervisor(UniqueFd notifications, std::shared_ptr<Ingress> ingress,
                                     MetadataCalls metadata, UniqueFd stop)
    : notifications_(std::move(notifications)),
      ingress_(std::move(ingress)),
      metadata_(std::move(metadata)),
      stop_(std::move(stop)) {}

ConnectSupervisor::~ConnectSupervisor() {
  const std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(stop_.get(), &one, sizeof one);
  {
    // The caller is gone with its session; what it did to its socket must not keep us.
    std::lock_guard lock(connecting_mutex_);
    if (connecting_ >= 0) ::shutdown(connecting_, SHUT_RDWR);
  }
  if (thread_.joinable()) thread_.join();
}

void ConnectSupervisor::serve() {
  ::prctl(PR_SET_NAME, "agentsh-connect");
  for (;;) {
    pollfd entries[2] = {{notifications_.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0 && errno != EINTR) return;
    if (entries[1].revents != 0) return;
    if ((entries[0].revents & POLLIN) == 0) {
      if (entries[0].revents != 0) return;  // Nobody has the filter any more.
      continue;
    }
    auto call = notifications_.next();
    if (!call) {
      log_error("session", "{}", call.error().what);
      return;
    }
    if (*call) (*call)->answer(perform(**call));
  }
}

int ConnectSupervisor::perform(const sandbox::Call& call) {
  if (MetadataCalls::handles(call.number())) return metadata_.perform(call);
  return call.number() == SYS_connect ? connect(call) : ENOSYS;
}

int ConnectSupervisor::connect(const sandbox::Call& call) {
  sockaddr_storage address{};
  const std::uint64_t length = call.argument(2) & 0xffffffff;
  if (length < sizeof address.ss_family || length > sizeof address) return EINVAL;
  auto read =
      call.read(call.argument(1), std::as_writable_bytes(std::span(&address, 1)).first(length));
  if (!read) return EFAULT;
  auto socket = call.descriptor(static_cast<int>(call.argument(0)));
  if (!socket) return EBADF;
  if (!call.is_waiting()) return EINTR;
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  const auto size = static_cast<socklen_t>(length);
  const int domain = option(*socket, SOL_SOCKET, SO_DOMAIN);
  if (domain == AF_NETLINK) {
    if (!is_kernel(address, length)) return EPERM;
    return ::connect(socket->get(), raw, size) == 0 ? 0 : errno;
  }
  const bool tcp = (domain == AF_INET || domain == AF_INET6) &&
                   option(*socket, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
  if (!tcp) return domain < 0 ? ENOTSOCK : EPERM;
  if (address.ss_family == AF_UNSPEC)  // Gives a connection up.
    return ::connect(socket->get(), raw, size) == 0 ? 0 : errno;
  auto destination = Endpoint::from_sockaddr(raw, size);
  if (!destination) return address.ss_family == domain ? EINVAL : EAFNOSUPPORT;
  return connect_tcp(call, *socket, *destination);
}

int ConnectSupervisor::connect_to_listener(const UniqueFd& socket, const sockaddr* address,
                                           socklen_t length) {
  const auto waits_on = [this](int descriptor) {
    std::lock_guard lock(connecting_mutex_);
    connecting_ = descriptor;
  };
  waits_on(socket.get());
  const int error = connect_briefly(socket, address, length);
  waits_on(-1);
  return error;
}

int ConnectSupervisor::connect_tcp(const sandbox::Call& call, const UniqueFd& socket,
                                   const Endpoint& destination) {
  const bool v4 = option(socket, SOL_SOCKET, SO_DOMAIN) == AF_INET;
  sockaddr_storage to{};
  const auto chosen = ingress_->listener(v4);
  const Endpoint target = chosen ? *chosen : *ingress_->listener(true);
  const bool mapped = !v4 && target.address.is_v4();
  const auto written = [mapped](const Endpoint& endpoint, sockaddr_storage& out) {
    return mapped ? write_mapped(endpoint, out) : endpoint.to_sockaddr(out);
  };
  const socklen_t size = written(target, to);
  const auto* listener = reinterpret_cast<const sockaddr*>(&to);
  // A call on a socket that is connecting or connected asks how that went.
  if (!is_fresh(socket)) return connect_to_listener(socket, listener, size);

  auto from = own_endpoint(socket);
  if (!from) return EINVAL;
  // The listener would answer to whatever address that is; and there are as many expectations as
  // ports.
  if (classify(from->address) != AddressClass::kUnspecified && from->address != target.address)
    return EADDRNOTAVAIL;
  if (from->port == 0) {
    // So that its port is known before anything arrives from it.
    const int off = 0;
    ::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &off, sizeof off);
    sockaddr_storage own{};
    written({target.address, 0}, own);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), size) != 0) return errno;
    from = own_endpoint(socket);
    if (!from) return EINVAL;
  }
  // As the listener is going to see it: bound to no address, it comes from the listener's.
  Endpoint peer = *from;
  if (classify(peer.address) == AddressClass::kUnspecified) peer.address = target.address;
  auto process = call.process();
  const pid_t pid = process ? *process : call.thread();
  ingress_->expect(peer, {destination, {ingress_->commands().command_of(pid), pid, name_of(pid)}});
  const int error = connect_to_listener(socket, listener, size);
  if (error != 0 && error != EINPROGRESS) ingress_->no_longer_expect(peer);
  return error;
}

}  // namespace agentsh
