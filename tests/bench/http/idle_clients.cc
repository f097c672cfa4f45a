#include "tests/bench/http/idle_clients.h"

#include "base/ip.h"

#include <fcntl.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace agentsh::bench {
namespace {

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage address{};
  const socklen_t size = Endpoint{IpAddress::v4(0x7f000001), port}.to_sockaddr(address);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), size) != 0) return -1;
  return socket;
}

bool ask_plain(int socket) {
  std::array<char, 4096> buffer{};
  if (::send(socket, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return false;
  return ::recv(socket, buffer.data(), buffer.size(), 0) > 0;
}

bool ask_tls(SSL_CTX* context, int socket) {
  SSL* ssl = SSL_new(context);  // Kept until the process ends.
  std::array<char, 4096> buffer{};
  SSL_set_fd(ssl, socket);
  SSL_set_tlsext_host_name(ssl, "localhost");
  if (SSL_connect(ssl) != 1) return false;
  if (SSL_write(ssl, kRequest.data(), static_cast<int>(kRequest.size())) <= 0) return false;
  return SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size())) > 0;
}

[[noreturn]] void run_clients(std::uint16_t port, unsigned count, bool tls, int inherited) {
  // Nothing else of the parent's may stay open here: neither its end of the pair, whose closing is
  // what ends this process, nor connections that it closes.
  constexpr int report = 3;
  if (inherited != report) ::dup2(inherited, report);
  ::close_range(report + 1, ~0U, 0);
  SSL_CTX* context = tls ? SSL_CTX_new(TLS_client_method()) : nullptr;
  unsigned ready = 0;
  for (unsigned i = 0; i < count; ++i) {
    const int socket = connect_to(port);
    if (socket < 0) break;
    if (tls ? ask_tls(context, socket) : ask_plain(socket)) ++ready;
  }
  static_cast<void>(::write(report, &ready, sizeof(ready)));
  char end = 0;
  static_cast<void>(::read(report, &end, 1));  // Until the parent has measured.
  ::_exit(0);
}

}  // namespace

IdleClients::IdleClients(std::uint16_t port, unsigned count, bool tls) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  child_ = ::fork();
  if (child_ == 0) run_clients(port, count, tls, ends[1]);
  ::close(ends[1]);
  control_ = ends[0];
  if (::read(control_, &ready_, sizeof(ready_)) != sizeof(ready_)) ready_ = 0;
}

IdleClients::~IdleClients() {
  if (control_ >= 0) ::close(control_);
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
}

std::size_t resident_bytes() {
  ::malloc_trim(0);
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0;
  unsigned long resident = 0;
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace agentsh::bench
