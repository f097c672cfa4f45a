#include "tests/unit/bpf/clients.h"

#include "base/unique_fd.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace agentsh::bpf::testing {
namespace {

socklen_t make_address(const Endpoint& to, bool mapped, sockaddr_storage& out) {
  if (!mapped) return to.to_sockaddr(out);
  std::memset(&out, 0, sizeof out);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(out);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(to.port);
  std::memcpy(&in6.sin6_addr, to.address.bytes().data(), 16);  // IPv4 is held in the mapped form.
  return sizeof in6;
}

int family_of(const Endpoint& to, bool mapped) {
  return mapped || to.address.is_v6() ? AF_INET6 : AF_INET;
}

// An address of the session in text, mapped ones told apart: they must stay what they were.
std::string address_text(const sockaddr_storage& storage, socklen_t length) {
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  auto endpoint = Endpoint::from_sockaddr(address, length);
  if (!endpoint) return "?";
  const bool mapped = storage.ss_family == AF_INET6 && endpoint->address.is_v4();
  return (mapped ? "mapped " : "") + endpoint->to_string();
}

std::string peer_text(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return errno_text(errno);
  return "ok " + address_text(storage, length);
}

int finish_non_blocking(int fd) {
  pollfd wait{fd, POLLOUT, 0};
  if (::poll(&wait, 1, 5000) != 1) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

int prepare(int fd, const TcpClient& client, int family) {
  const int one = 1;
  if (client.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (client.fast_open_connect) {
    ::setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one);
  }
  if (!client.bind_first) return 0;
  sockaddr_storage any{};
  any.ss_family = static_cast<sa_family_t>(family);
  const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&any), length);
}

int connect_once(int fd, const TcpClient& client, const sockaddr* address, socklen_t length) {
  if (client.fast_open) {
    const ssize_t sent = ::sendto(fd, client.payload.data(), client.payload.size(),
                                  MSG_FASTOPEN | MSG_NOSIGNAL, address, length);
    return sent < 0 ? errno : 0;
  }
  if (::connect(fd, address, length) == 0) return 0;
  return errno == EINPROGRESS ? finish_non_blocking(fd) : errno;
}

}  // namespace

std::string errno_text(int value) {
  return std::string("errno ") + ::strerrorname_np(value);
}

std::string run_tcp_client(const TcpClient& client) {
  sockaddr_storage storage;
  const socklen_t length = make_address(client.to, client.mapped, storage);
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  const int family = family_of(client.to, client.mapped);
  const int flags = client.non_blocking ? SOCK_NONBLOCK : 0;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, client.protocol));
  if (!fd) return errno_text(errno);
  if (prepare(fd.get(), client, family) != 0) return errno_text(errno);
  if (const int error = connect_once(fd.get(), client, address, length); error != 0)
    return errno_text(error);
  if (client.connect_twice) {
    sockaddr nothing{};
    nothing.sa_family = AF_UNSPEC;
    if (::connect(fd.get(), &nothing, sizeof nothing) != 0) return errno_text(errno);
    if (const int error = connect_once(fd.get(), client, address, length); error != 0) {
      return errno_text(error);
    }
  }
  if (!client.fast_open &&
      ::send(fd.get(), client.payload.data(), client.payload.size(), MSG_NOSIGNAL) < 0) {
    return errno_text(errno);
  }
  return peer_text(fd.get());
}

std::string try_socket(int family, int type, int protocol) {
  UniqueFd fd(::socket(family, type | SOCK_CLOEXEC, protocol));
  return fd ? "ok" : errno_text(errno);
}

std::string send_datagram(const Datagram& datagram) {
  sockaddr_storage storage;
  const socklen_t length = make_address(datagram.to, datagram.mapped, storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  UniqueFd fd(::socket(family_of(datagram.to, datagram.mapped), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_text(errno);
  const int one = 1;
  if (datagram.broadcast) ::setsockopt(fd.get(), SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
  if (datagram.connected && ::connect(fd.get(), address, length) != 0) {
    return "connect " + errno_text(errno);
  }
  iovec part{const_cast<char*>(datagram.payload.data()), datagram.payload.size()};
  std::array<mmsghdr, 2> messages{};
  for (mmsghdr& message : messages) {
    message.msg_hdr.msg_iov = &part;
    message.msg_hdr.msg_iovlen = 1;
    if (!datagram.connected) {
      message.msg_hdr.msg_name = address;
      message.msg_hdr.msg_namelen = length;
    }
  }
  const unsigned count = datagram.many ? 2 : 1;
  const int sent = ::sendmmsg(fd.get(), messages.data(), count, MSG_NOSIGNAL);
  if (sent < 0) return errno_text(errno);
  if (static_cast<unsigned>(sent) != count) return "sent " + std::to_string(sent);
  if (datagram.want_peer) return peer_text(fd.get());
  if (!datagram.want_answer) return "ok";

  std::string result = "ok";
  for (unsigned i = 0; i < count; ++i) {
    pollfd wait{fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, 5000) != 1) return result + " no answer";
    char buffer[512];
    sockaddr_storage from{};
    socklen_t from_length = sizeof from;
    const ssize_t got = ::recvfrom(fd.get(), buffer, sizeof buffer, 0,
                                   reinterpret_cast<sockaddr*>(&from), &from_length);
    if (got < 0) return errno_text(errno);
    result += " " + address_text(from, from_length) + " " +
              std::string(buffer, static_cast<std::size_t>(got));
  }
  return result;
}

}  // namespace agentsh::bpf::testing
