#include "tests/bench/http/bench_servers.h"

#include "base/file_io.h"
#include "base/ip.h"
#include "certs/authority.h"
#include "certs/leaf.h"
#include "certs/pem.h"
#include "proxy/net/listener.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace agentsh::bench {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

bool answers(std::uint16_t port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  const socklen_t size = Endpoint{IpAddress::v4(0x7f000001), port}.to_sockaddr(address);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0;
}

bool wait_for(std::uint16_t port) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (answers(port)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

}  // namespace

Result<TestCertificates> TestCertificates::make() {
  auto authority = certs::Authority::generate();
  if (!authority) return std::unexpected(authority.error());
  auto factory = certs::LeafFactory::create(*authority);
  if (!factory) return std::unexpected(factory.error());
  auto leaf = (*factory)->mint("localhost");
  if (!leaf) return std::unexpected(leaf.error());
  TestCertificates made;
  made.authority_pem = (*authority)->certificate_pem();
  BIO* certificate = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate, (*leaf)->certificate());
  made.leaf_pem = text_of(certificate);
  BIO* key = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key, (*leaf)->key(), nullptr, nullptr, 0, nullptr, nullptr);
  made.key_pem = text_of(key);
  return made;
}

std::uint16_t free_port() {
  auto socket = net::listen_tcp({IpAddress::v4(0x7f000001), 0});
  if (!socket) return 0;
  auto endpoint = net::local_endpoint(socket->get());
  return endpoint ? endpoint->port : 0;
}

void pin_this_thread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

Result<std::unique_ptr<BenchServers>> BenchServers::start(const TestCertificates& certificates,
                                                          int origin_cpu, int proxy_cpu) {
  std::string pattern = std::filesystem::temp_directory_path() / "agentsh-bench-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return std::unexpected(errno_error("mkdtemp", pattern));
  std::unique_ptr<BenchServers> servers(new BenchServers(pattern));
  servers->ports_ = {free_port(), free_port(), free_port(), free_port()};
  const Ports& ports = servers->ports_;
  for (const auto& [name, text] :
       {std::pair<std::string, std::string>("ca.pem", certificates.authority_pem),
        {"leaf.pem", certificates.leaf_pem},
        {"leaf.key", certificates.key_pem}}) {
    if (Result<> written = write_file_atomic(pattern + "/" + name, text, 0644); !written) {
      return std::unexpected(written.error());
    }
  }
  const std::string tls =
      fmt::format("ssl_certificate {0}/leaf.pem; ssl_certificate_key {0}/leaf.key;", pattern);
  const std::string origin = fmt::format(
      R"(access_log off;
server {{ listen 127.0.0.1:{0} backlog=4096; listen 127.0.0.1:{1} ssl backlog=4096; {2}
  location / {{ default_type application/octet-stream; return 200 "{3}"; }} }})",
      ports.origin, ports.origin_tls, tls, std::string(1024, 'x'));
  const std::string proxy = fmt::format(
      R"(access_log {0}/access.log combined buffer=64k;
upstream plain {{ server 127.0.0.1:{1}; keepalive 256; keepalive_requests 100000000; }}
upstream secure {{ server 127.0.0.1:{2}; keepalive 256; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{3} backlog=4096; location / {{ proxy_pass http://plain;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }} }}
server {{ listen 127.0.0.1:{4} ssl backlog=4096; {5} location / {{ proxy_pass https://secure;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  proxy_ssl_verify on; proxy_ssl_trusted_certificate {0}/ca.pem; proxy_ssl_name localhost;
  proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3; }} }})",
      pattern, ports.origin, ports.origin_tls, ports.proxy, ports.proxy_tls, tls);
  if (Result<> ran = servers->run_nginx("origin", origin, origin_cpu); !ran) {
    return std::unexpected(ran.error());
  }
  if (Result<> ran = servers->run_nginx("proxy", proxy, proxy_cpu); !ran) {
    return std::unexpected(ran.error());
  }
  if (!wait_for(ports.origin) || !wait_for(ports.proxy)) return fail("nginx did not start");
  return servers;
}

Result<> BenchServers::run_nginx(const std::string& name, const std::string& body, int cpu) {
  const std::string config = fmt::format(R"(daemon off; master_process off; pid {0}/{1}.pid;
error_log /dev/null; worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{ keepalive_timeout 300s; keepalive_requests 100000000; tcp_nodelay on;
client_body_temp_path {0}/{1}-1; proxy_temp_path {0}/{1}-2; fastcgi_temp_path {0}/{1}-3;
uwsgi_temp_path {0}/{1}-4; scgi_temp_path {0}/{1}-5;
{2}
}}
)",
                                         directory_, name, body);
  const std::string path = fmt::format("{}/{}.conf", directory_, name);
  if (Result<> written = write_file_atomic(path, config); !written) return written;
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(errno_error("fork"));
  if (child == 0) {
    pin_this_thread(cpu);
    ::execlp("nginx", "nginx", "-p", directory_.c_str(), "-c", path.c_str(), nullptr);
    ::_exit(127);
  }
  processes_.push_back(child);
  return {};
}

double BenchServers::proxy_cpu_seconds() const {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(processes_.back(), &clock) != 0) return 0;
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

BenchServers::~BenchServers() {
  for (pid_t process : processes_) {
    ::kill(process, SIGTERM);
    ::waitpid(process, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace agentsh::bench
