#include "tests/unit/dns/unbound_server.h"

#include "base/file_io.h"
#include "tests/unit/dns/fakes.h"
#include "tests/unit/dns/scripted_upstream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace agentsh::dns {
namespace {

constexpr const char* kUnbound = "/usr/sbin/unbound";

constexpr std::string_view kConfig = R"(server:
  directory: "{0}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: "{0}/log"
  verbosity: 0
  num-threads: {1}
  interface: 127.0.0.1
  port: {2}
  do-ip6: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  so-reuseport: no
  do-not-query-localhost: no
{3}
remote-control:
  control-enable: no
)";

std::uint16_t free_port() {
  for (;;) {
    const UniqueFd tcp = bound_socket(SOCK_STREAM, "127.0.0.1");
    const Endpoint endpoint = endpoint_of(tcp.get());
    sockaddr_storage storage;
    const socklen_t length = endpoint.to_sockaddr(storage);
    const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::bind(udp.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) return endpoint.port;
  }
}

bool accepts(const Endpoint& endpoint) {
  sockaddr_storage storage;
  const socklen_t length = endpoint.to_sockaddr(storage);
  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(tcp.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0;
}

bool answers(const Endpoint& endpoint, pid_t pid) {
  const auto probe = write_message(question("probe.invalid"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (std::chrono::steady_clock::now() < deadline && ::waitpid(pid, nullptr, WNOHANG) == 0) {
    if (!ask_udp(endpoint, probe, 100).empty() && accepts(endpoint)) return true;
  }
  return false;
}

}  // namespace

Result<UnboundServer> UnboundServer::start(std::string_view server_lines, int threads) {
  if (::access(kUnbound, X_OK) != 0) return fail("unbound is not installed (apt install unbound)");
  std::string pattern = (std::filesystem::temp_directory_path() / "unbound-test.XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return std::unexpected(errno_error("mkdtemp", pattern));
  const std::string directory = pattern;
  const Endpoint endpoint{ip("127.0.0.1"), free_port()};
  const std::string config = directory + "/unbound.conf";
  auto written = write_file_atomic(
      config, fmt::format(fmt::runtime(kConfig), directory, threads, endpoint.port, server_lines));
  if (!written) return std::unexpected(written.error());
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(errno_error("fork"));
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    ::execl(kUnbound, kUnbound, "-d", "-c", config.c_str(), nullptr);
    ::_exit(127);
  }
  UnboundServer server(pid, endpoint, directory);
  if (!answers(endpoint, pid)) return fail("unbound does not answer; its log was " + directory);
  return server;
}

double UnboundServer::cpu_seconds() const {
  // "pid (comm) state ..." with utime and stime as fields 14 and 15 (proc(5)).
  const auto stat = read_file(fmt::format("/proc/{}/stat", pid_));
  if (!stat) return 0;
  std::istringstream fields(stat->substr(stat->rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

UnboundServer::~UnboundServer() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace agentsh::dns
