#include "proxy/bpf/socket_owner.h"

#include "base/file_io.h"
#include "base/netns/netlink.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace agentsh::bpf {
namespace {

// Descriptors looked at per question, over all processes: a session that opens very many makes
// itself unknown, not the proxy slow.
constexpr int kMaxDescriptors = 2000;
// A process that opens one connection after another gets descriptors that follow each other, which
// are asked for in about that order.
constexpr int kGuesses = 16;

void put_address(const IpAddress& address, std::uint8_t family, __be32 out[4]) {
  std::memset(out, 0, 16);
  if (family == AF_INET) {
    std::memcpy(out, address.bytes().data() + 12, 4);
  } else {
    std::memcpy(out, address.bytes().data(), 16);
  }
}

inet_diag_req_v2 make_request(Transport transport, std::uint8_t family, const Endpoint& local,
                              const Endpoint& remote) {
  inet_diag_req_v2 request{};
  request.sdiag_family = family;
  request.sdiag_protocol = transport == Transport::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
  request.idiag_states = ~0u;
  request.id.idiag_sport = htons(local.port);
  request.id.idiag_dport = htons(remote.port);
  put_address(local.address, family, request.id.idiag_src);
  put_address(remote.address, family, request.id.idiag_dst);
  request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

// UDP questions are asked from the packet's side: what the socket sends to is their source.
inet_diag_req_v2 turned(inet_diag_req_v2 request) {
  std::swap(request.id.idiag_sport, request.id.idiag_dport);
  std::swap(request.id.idiag_src, request.id.idiag_dst);
  return request;
}

using Found = DiagnosedSocket;

std::optional<Found> ask(int socket, const inet_diag_req_v2& request) {
  netns::NetlinkWriter writer;
  writer.begin(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST);
  writer.header(request);
  if (!netns::netlink_send(socket, writer.finish())) return {};
  auto answer = netns::netlink_receive(socket);
  if (!answer) return {};
  std::optional<Found> found;
  netns::walk_messages(*answer, [&](const netns::NetlinkMessage& message) {
    inet_diag_msg body;
    if (message.header.nlmsg_type != SOCK_DIAG_BY_FAMILY || message.body.size() < sizeof body)
      return false;
    std::memcpy(&body, message.body.data(), sizeof body);
    if (body.idiag_inode != 0) found = Found{body.idiag_inode, body.idiag_uid};
    return false;
  });
  return found;
}

bool is_bound_to(const inet_diag_msg& socket, const IpAddress& address) {
  std::uint8_t any[16] = {};
  std::uint8_t wanted[16] = {};
  const std::size_t size = socket.idiag_family == AF_INET ? 4 : 16;
  if (address.is_v4() && socket.idiag_family == AF_INET) {
    std::memcpy(wanted, address.bytes().data() + 12, 4);
  } else {
    std::memcpy(wanted, address.bytes().data(), 16);
  }
  return std::memcmp(socket.id.idiag_src, any, size) == 0 ||
         std::memcmp(socket.id.idiag_src, wanted, size) == 0;
}

// The socket among all of the request's family and protocol that is bound to `local`, wherever it
// is connected to.
std::optional<Found> search(int socket, const inet_diag_req_v2& request, const Endpoint& local) {
  netns::NetlinkWriter writer;
  writer.begin(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP);
  writer.header(request);
  if (!netns::netlink_send(socket, writer.finish())) return {};
  std::optional<Found> found;
  // To the end of the list in any case, or the rest would be taken for the answer of the next
  // question.
  for (bool more = true; more;) {
    auto answer = netns::netlink_receive(socket);
    if (!answer) return found;
    netns::walk_messages(*answer, [&](const netns::NetlinkMessage& message) {
      inet_diag_msg body;
      more = message.header.nlmsg_type == SOCK_DIAG_BY_FAMILY && message.body.size() >= sizeof body;
      if (!more) return false;
      std::memcpy(&body, message.body.data(), sizeof body);
      const bool same = body.idiag_inode != 0 && ntohs(body.id.idiag_sport) == local.port &&
                        is_bound_to(body, local.address);
      if (same) found = Found{body.idiag_inode, body.idiag_uid};
      return true;
    });
  }
  return found;
}

bool is_link_to(int directory, const char* name, std::string_view link) {
  char target[64];
  const ssize_t length = ::readlinkat(directory, name, target, sizeof target);
  return length > 0 && std::string_view(target, static_cast<std::size_t>(length)) == link;
}

// Is the socket one of the descriptors around `guess`?
std::optional<int> guess_descriptor(pid_t pid, std::string_view link, int guess) {
  for (int away = 0; away < kGuesses; ++away) {
    for (const int number : {guess + away, guess - away}) {
      char path[48];
      std::snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
      if (number >= 0 && is_link_to(AT_FDCWD, path, link)) return number;
    }
  }
  return {};
}

// The descriptor of the socket that `pid` holds, from number `first` on. Counts what it looked at
// off `budget`. Without opendir(), whose buffers would lie between what connections keep.
std::optional<int> find_descriptor(pid_t pid, std::string_view link, int first, int& budget) {
  struct Entry {  // linux_dirent64, getdents(2)
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
  };
  constexpr std::size_t kNameAt = offsetof(Entry, name);
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/fd", pid);
  const UniqueFd directory(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // The position of a descriptor in this directory is its number and two.
  if (!directory || ::lseek(directory.get(), first == 0 ? 0 : first + 2, SEEK_SET) < 0) return {};
  alignas(Entry) char buffer[8192];
  for (;;) {
    const long got = ::syscall(SYS_getdents64, directory.get(), buffer, sizeof buffer);
    if (got <= 0) return {};
    for (long at = 0; at < got;) {
      unsigned short size;
      std::memcpy(&size, buffer + at + offsetof(Entry, size), sizeof size);
      const char* name = buffer + at + kNameAt;
      if (budget-- <= 0) return {};
      if (is_link_to(directory.get(), name, link)) return std::atoi(name);
      at += size;
    }
  }
}

std::string comm_of(pid_t pid) {
  auto comm = read_file("/proc/" + std::to_string(pid) + "/comm", 64);
  if (!comm) return {};
  while (!comm->empty() && comm->back() == '\n') comm->pop_back();
  return *comm;
}

}  // namespace

Result<UniqueFd> open_socket_diagnosis() {
  auto socket = netns::NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (!socket) return std::unexpected(socket.error());
  return socket->release();
}

std::optional<SocketOwner> SocketOwnerFinder::find(Transport transport, const Endpoint& local,
                                                   const Endpoint& remote) {
  std::optional<Found> found;
  const bool v4 = remote.address.is_v4();
  // An IPv6 socket that talks to a mapped address is found under IPv4 as well.
  const auto request = make_request(transport, v4 ? AF_INET : AF_INET6, local, remote);
  found = ask(diagnosis_.get(), transport == Transport::kUdp ? turned(request) : request);
  return owner_of(found);
}

std::optional<SocketOwner> SocketOwnerFinder::find_udp(const Endpoint& local) {
  std::optional<Found> found;
  // An IPv6 socket may send from a mapped address.
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    if (found || (family == AF_INET && !local.address.is_v4())) continue;
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_UDP;
    request.idiag_states = ~0u;
    request.id.idiag_sport = htons(local.port);
    found = search(diagnosis_.get(), request, local);
  }
  return owner_of(found);
}

std::optional<SocketOwner> SocketOwnerFinder::owner_of(std::optional<DiagnosedSocket> socket) {
  if (!socket) return {};
  SocketOwner owner;
  owner.inode = socket->inode;
  owner.uid = socket->uid;
  owner.pid = find_holder(socket->inode);
  if (owner.pid != 0) owner.comm = comm_of(owner.pid);
  return owner;
}

pid_t SocketOwnerFinder::find_holder(std::uint64_t inode) {
  const std::string link = "socket:[" + std::to_string(inode) + "]";
  int budget = kMaxDescriptors;
  auto keep = [&](pid_t pid, std::optional<int> descriptor) {
    if (!descriptor) return false;
    last_holder_ = pid;
    last_descriptor_ = *descriptor;
    return true;
  };
  if (last_holder_ != 0) {
    if (keep(last_holder_, guess_descriptor(last_holder_, link, last_descriptor_ + 1)) ||
        keep(last_holder_, find_descriptor(last_holder_, link, last_descriptor_, budget)) ||
        keep(last_holder_, find_descriptor(last_holder_, link, 0, budget))) {
      return last_holder_;
    }
  }
  for (const pid_t pid : processes_()) {
    if (budget <= 0) break;
    if (pid != last_holder_ && keep(pid, find_descriptor(pid, link, 0, budget))) return pid;
  }
  return 0;
}

}  // namespace agentsh::bpf
