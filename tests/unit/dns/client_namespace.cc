#include "tests/unit/dns/client_namespace.h"

#include "base/fd_passing.h"
#include "base/file_io.h"
#include "tests/unit/dns/scripted_upstream.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace agentsh::dns {
namespace {

constexpr std::string_view kResolverV4 = "127.83.71.1";
constexpr std::string_view kResolverV6 = "fd83:71::1";
constexpr std::uint16_t kDnsPort = 53;

bool set_up(const std::string& directory) {
  const std::string commands =
      "ip link set lo up && ip address add fd83:71::1/128 dev lo nodad && "
      "ip address add 198.18.0.1/32 dev lo && "
      "mount --bind " +
      directory +
      "/resolv.conf /etc/resolv.conf && "
      "mount --bind " +
      directory + "/hosts /etc/hosts";
  return ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         std::system(commands.c_str()) == 0;  // NOLINT(cert-env33-c): fixed text.
}

// The holder: makes the namespaces and the sockets, passes them, and waits to be ended.
[[noreturn]] void hold(int control, const std::string& directory) {
  if (!set_up(directory)) ::_exit(1);
  const UniqueFd sockets[] = {bound_socket(SOCK_DGRAM, kResolverV4, kDnsPort),
                              bound_socket(SOCK_DGRAM, kResolverV6, kDnsPort),
                              bound_socket(SOCK_STREAM, kResolverV4, kDnsPort),
                              bound_socket(SOCK_STREAM, kResolverV6, kDnsPort)};
  const int fds[] = {sockets[0].get(), sockets[1].get(), sockets[2].get(), sockets[3].get()};
  if (!send_with_fds(control, "sockets", fds)) ::_exit(2);
  char byte;
  (void)!::read(control, &byte, 1);
  ::_exit(0);
}

}  // namespace

Result<ClientNamespace> ClientNamespace::create(std::string_view resolver_lines) {
  std::string directory = ::testing::TempDir() + "dns-clients." + std::to_string(::getpid());
  if (auto made = make_directories(directory); !made) return std::unexpected(made.error());
  const std::string resolv_conf =
      "nameserver " + std::string(kResolverV4) + "\n" + std::string(resolver_lines);
  for (const auto& [file, text] :
       {std::pair<std::string, std::string>{"resolv.conf", resolv_conf},
        {"hosts", "127.0.0.1 localhost\n10.20.30.40 hosts.example.com\n"}}) {
    auto written = write_file_atomic(directory + "/" + file, text, 0644);
    if (!written) return std::unexpected(written.error());
  }
  auto pair = unix_socket_pair(SOCK_SEQPACKET);
  if (!pair) return std::unexpected(pair.error());
  const pid_t holder = ::fork();
  if (holder < 0) return std::unexpected(errno_error("fork"));
  if (holder == 0) {
    pair->first.reset();
    hold(pair->second.get(), directory);
  }
  pair->second.reset();
  auto received = receive_with_fds(pair->first.get(), 64);
  if (!received || received->fds.size() != 4) {
    ::waitpid(holder, nullptr, 0);
    return fail("the namespaces could not be made (root, ip and mount are needed)");
  }
  SessionSockets sockets;
  for (std::size_t i = 0; i < 4; ++i) {
    (i < 2 ? sockets.udp : sockets.tcp).push_back(std::move(received->fds[i]));
  }
  return ClientNamespace(holder, std::move(pair->first), std::move(sockets), std::move(directory));
}

ClientNamespace::~ClientNamespace() {
  if (!control_) return;  // Moved from.
  control_.reset();
  ::waitpid(holder_, nullptr, 0);
  for (const char* file : {"/resolv.conf", "/hosts"}) ::unlink((directory_ + file).c_str());
  ::rmdir(directory_.c_str());
}

ClientNamespace::Output ClientNamespace::run(const std::string& command) const {
  const std::string whole =
      "timeout 20 nsenter -t " + std::to_string(holder_) + " -n -m -- sh -c '" + command + "' 2>&1";
  Output output;
  FILE* pipe = ::popen(whole.c_str(), "r");  // NOLINT(cert-env33-c): fixed text.
  if (pipe == nullptr) return output;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) {
    output.text.append(buffer, size);
  }
  output.status = ::pclose(pipe);
  return output;
}

}  // namespace agentsh::dns
