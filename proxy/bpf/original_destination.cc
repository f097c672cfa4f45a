#include "proxy/bpf/original_destination.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace agentsh::bpf {
namespace {

// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST; their headers do not go together with <netinet/in.h>.
constexpr int kOriginalDestination = 80;

}  // namespace

Result<Endpoint> original_destination(int accepted_fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(accepted_fd, address, &length) != 0)
    return std::unexpected(errno_error("getsockname"));
  const auto local = Endpoint::from_sockaddr(address, length);
  if (!local) return fail("the accepted socket is neither IPv4 nor IPv6");
  const int level = storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  length = sizeof storage;
  if (::getsockopt(accepted_fd, level, kOriginalDestination, address, &length) != 0) {
    if (errno == ENOENT)
      return fail("no redirect accounts for this connection", std::errc::connection_refused);
    return std::unexpected(errno_error("getsockopt", "SO_ORIGINAL_DST"));
  }
  const auto original = Endpoint::from_sockaddr(address, length);
  if (!original) return fail("SO_ORIGINAL_DST is neither IPv4 nor IPv6");
  if (*original == *local) {
    return fail("a connection straight to the listener " + local->to_string(),
                std::errc::connection_refused);
  }
  return *original;
}

}  // namespace agentsh::bpf
