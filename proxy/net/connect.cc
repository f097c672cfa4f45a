#include "proxy/net/connect.h"

#include "base/time_format.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/descriptor_reserve.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;
};

Result<Address> unix_address(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail("connect " + path + ": a Unix socket path has 1 to 107 bytes",
                std::errc::filename_too_long);
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  std::size_t size = offsetof(sockaddr_un, sun_path) + path.size() + 1;
  if (path.front() == '@') {
    address.sun_path[0] = '\0';
    --size;  // Abstract names are counted, not terminated.
  }
  Address result{.size = static_cast<socklen_t>(size), .text = path};
  std::memcpy(&result.storage, &address, sizeof(address));
  return result;
}

Result<> connect_result(int fd, const std::string& text) {
  int code = 0;
  socklen_t size = sizeof(code);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) code = errno;
  if (code != 0) return std::unexpected(errno_error(code, "connect", text));
  return {};
}

asio::awaitable<Result<std::unique_ptr<SocketStream>>> connect_address(
    asio::any_io_executor executor, Address address, std::chrono::milliseconds timeout) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return std::unexpected(errno_error("socket", address.text));
  if (is_in_reserve(fd.get(), DescriptorUse::kUpstream)) {
    co_return fail("connect " + address.text + ": the appliance has too many connections open",
                   std::errc::too_many_files_open);
  }
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  const bool pending = ::connect(fd.get(), name, address.size) != 0;
  if (pending && errno != EINPROGRESS) {
    co_return std::unexpected(errno_error("connect", address.text));
  }
  auto stream = SocketStream::adopt(executor, std::move(fd));
  if (!stream || !pending) co_return stream;

  StreamDeadline deadline(**stream);
  deadline.expires_after(timeout);
  Result<> ready = co_await (*stream)->wait(Want::kWrite);
  if (deadline.expired()) {
    co_return fail("connect " + address.text + ": no answer within " + format_duration(timeout),
                   std::errc::timed_out);
  }
  if (!ready) co_return std::unexpected(ready.error());
  Result<> connected = connect_result((*stream)->native_handle(), address.text);
  if (!connected) co_return std::unexpected(connected.error());
  co_return stream;
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<TcpStream>>> connect(asio::any_io_executor executor,
                                                            Endpoint endpoint,
                                                            std::chrono::milliseconds timeout) {
  Address address;
  address.size = endpoint.to_sockaddr(address.storage);
  address.text = endpoint.to_string();
  co_return co_await connect_address(std::move(executor), std::move(address), timeout);
}

asio::awaitable<Result<std::unique_ptr<UnixStream>>> connect_unix(
    asio::any_io_executor executor, std::string path, std::chrono::milliseconds timeout) {
  Result<Address> address = unix_address(path);
  if (!address) co_return std::unexpected(address.error());
  co_return co_await connect_address(std::move(executor), std::move(*address), timeout);
}

}  // namespace agentsh::net
