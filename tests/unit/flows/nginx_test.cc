// Real programs through real flows: curl and a worker of ours, with nginx behind, on loopback.
// Names lead to nginx's sockets by a redirect, so nothing but the client's first hop is a script.
#include "base/file_io.h"
#include "certs/authority.h"
#include "certs/leaf.h"
#include "proxy/flows/direct_connector.h"
#include "proxy/flows/flow.h"
#include "proxy/flows/session_tls.h"
#include "proxy/net/listener.h"
#include "proxy/net/worker.h"
#include "tests/unit/flows/fakes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>

namespace agentsh::flows {
namespace {

using ::testing::HasSubstr;
namespace asio = boost::asio;

std::string shell(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string text;
  char buffer[4096];
  while (std::size_t got = std::fread(buffer, 1, sizeof(buffer), pipe)) text.append(buffer, got);
  ::pclose(pipe);
  return text;
}

bool installed(const char* program) {
  return std::system(fmt::format("command -v {} >/dev/null 2>&1", program).c_str()) == 0;
}

std::string pem_of(const certs::Leaf& leaf) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, leaf.certificate());
  PEM_write_bio_PrivateKey(bio, leaf.key(), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// nginx with files that may be read and written, plain and with TLS, on Unix sockets.
class Nginx {
 public:
  explicit Nginx(const std::string& directory) {
    const std::string config = fmt::format(R"(
daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
  client_max_body_size 1g; keepalive_requests 100000;
  ssl_certificate {0}/leaf.pem; ssl_certificate_key {0}/leaf.pem;
  server {{
    listen unix:{0}/plain.sock; listen unix:{0}/tls.sock ssl;
    root {0}/files; dav_methods PUT;
    location /echo {{ add_header X-Host $http_host; return 200 "$request_method $request_uri\n"; }}
  }}
}}
)",
                                           directory);
    std::filesystem::create_directory(directory + "/files");
    EXPECT_TRUE(write_file_atomic(directory + "/nginx.conf", config));
    process_ = ::fork();
    if (process_ == 0) {
      ::execlp("nginx", "nginx", "-p", directory.c_str(), "-c", (directory + "/nginx.conf").c_str(),
               nullptr);
      ::_exit(127);
    }
    ready_ = wait_for(directory + "/tls.sock");
  }
  ~Nginx() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  bool ready() const { return ready_; }

 private:
  // nginx does not say when it is ready; its socket is tried.
  static bool wait_for(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    for (int attempt = 0; attempt < 250; ++attempt) {
      const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto* name = reinterpret_cast<const sockaddr*>(&address);
      if (::connect(socket.get(), name, sizeof(address)) == 0) return true;
      ::poll(nullptr, 0, 20);
    }
    return false;
  }
  pid_t process_ = -1;
  bool ready_ = false;
};

asio::awaitable<void> accept_all(std::shared_ptr<net::Listener> listener,
                                 std::shared_ptr<const FlowContext> context, net::Worker& worker,
                                 Endpoint destination, bool explicit_proxy) {
  while (true) {
    Result<net::Accepted> accepted = co_await listener->accept();
    if (!accepted) co_return;
    auto stream = net::SocketStream::adopt(worker.executor(), std::move(accepted->socket));
    if (!stream) continue;
    FlowInput input;
    input.client = std::move(*stream);
    input.destination = destination;
    input.explicit_proxy = explicit_proxy;
    worker.tasks().spawn("flow", run_flow(context, std::move(input)));
  }
}

class RealPrograms : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!installed("nginx") || !installed("curl")) GTEST_SKIP() << "needs nginx and curl";
    std::string pattern = std::filesystem::temp_directory_path() / "agentsh-flows-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    make_certificates();
    nginx_ = std::make_unique<Nginx>(directory_);
    ASSERT_TRUE(nginx_->ready());
    make_context();
    worker_ = std::make_unique<net::Worker>("flows");
    plain_port_ = listen({*IpAddress::parse("192.0.2.1"), 80}, false);
    tls_port_ = listen({*IpAddress::parse("192.0.2.1"), 443}, false);
    proxy_port_ = listen({*IpAddress::parse("127.0.0.1"), 3128}, true);
  }
  void TearDown() override {
    if (worker_ != nullptr) {
      worker_->post([this] {
        for (const auto& listener : listeners_) listener->close();
      });
      worker_->stop(std::chrono::seconds(2));
    }
    listeners_.clear();
    nginx_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void make_certificates() {
    // nginx's authority and ours are two.
    auto origin = certs::Authority::generate();
    auto factory = certs::LeafFactory::create(*origin);
    auto leaf = (*factory)->mint("site.example");
    ASSERT_TRUE(write_file_atomic(directory_ + "/leaf.pem", pem_of(**leaf)));
    auto ours = certs::Authority::generate();
    ASSERT_TRUE(write_file_atomic(directory_ + "/ca.pem", (*ours)->certificate_pem()));
    auto our_leaves = certs::LeafFactory::create(*ours);
    tls_ = std::make_shared<TlsShared>(std::make_shared<certs::LeafCache>(std::move(*our_leaves)),
                                       *certs::TrustStore::from_pem((*origin)->certificate_pem()));
  }

  void make_context() {
    for (const char* name : {"site.example", "other.example"}) {
      leases_->add(name, "192.0.2.1");
      resolver_->knows(name, {"192.0.2.1"});
    }
    // To nginx's socket, as a policy with connect_redirects would.
    const std::string sockets = directory_;
    policy_->rule([sockets](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
      if (facts.name != "site.example" && facts.name != "other.example") return {};
      auto redirect = std::make_shared<policy::Redirect>();
      redirect->unix_socket = true;
      redirect->target = sockets + (facts.port == 443 ? "/tls.sock" : "/plain.sock");
      return policy::Verdict::from_rule(policy::Decision::kRedirect, "site", {})
          .with_redirect(std::move(redirect));
    });
    context_ = std::make_shared<FlowContext>();
    context_->policy = policy_;
    context_->leases = leases_;
    context_->resolver = resolver_;
    context_->tls = std::make_shared<SessionTls>(tls_, "session-test");
    context_->connector = std::make_shared<DirectConnector>(ConnectorOptions{});
  }

  std::uint16_t listen(Endpoint destination, bool explicit_proxy) {
    auto socket = net::listen_tcp({IpAddress::v4(0x7f000001), 0});
    const std::uint16_t port = net::local_endpoint(socket->get())->port;
    std::promise<void> ready;
    worker_->post([&, fd = std::make_shared<UniqueFd>(std::move(*socket))] {
      auto listener = net::Listener::adopt(worker_->executor(), std::move(*fd));
      listeners_.emplace_back(std::move(*listener));
      worker_->tasks().spawn("listener", accept_all(listeners_.back(), context_, *worker_,
                                                    destination, explicit_proxy));
      ready.set_value();
    });
    ready.get_future().wait();
    return port;
  }

  // curl as a program in the sandbox would be: it believes to talk to 192.0.2.1.
  std::string curl(const std::string& arguments) {
    return shell(fmt::format(
        "curl -sS --max-time 20 --cacert {0}/ca.pem "  // The first --connect-to that matches wins.
        "--connect-to site.example:443:127.0.0.1:{2} --connect-to other.example:443:127.0.0.1:{2} "
        "--connect-to ::127.0.0.1:{1} --noproxy '*' {3}",
        directory_, plain_port_, tls_port_, arguments));
  }
  std::string curl_by_proxy(const std::string& arguments) {
    return shell(fmt::format("curl -sS --max-time 20 --cacert {}/ca.pem -x http://127.0.0.1:{} {}",
                             directory_, proxy_port_, arguments));
  }
  std::string make_file(const std::string& name, std::size_t megabytes) {
    const std::string path = directory_ + "/" + name;
    shell(fmt::format("head -c {}M /dev/urandom > {}", megabytes, path));
    return path;
  }
  static bool same_files(const std::string& a, const std::string& b) {
    return shell(fmt::format("cmp {} {} && echo same", a, b)) == "same\n";
  }

  std::string directory_;
  std::shared_ptr<FakePolicy> policy_ = std::make_shared<FakePolicy>();
  std::shared_ptr<FakeLeases> leases_ = std::make_shared<FakeLeases>();
  std::shared_ptr<FakeResolver> resolver_ = std::make_shared<FakeResolver>(*leases_);
  std::shared_ptr<TlsShared> tls_;
  std::shared_ptr<FlowContext> context_;
  std::unique_ptr<Nginx> nginx_;
  std::unique_ptr<net::Worker> worker_;
  std::vector<std::shared_ptr<net::Listener>> listeners_;
  std::uint16_t plain_port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::uint16_t proxy_port_ = 0;
};

TEST_F(RealPrograms, PlainHttp) {
  EXPECT_EQ(curl("http://site.example/echo?a=b"), "GET /echo?a=b\n");
  EXPECT_EQ(curl("-0 http://site.example/echo"), "GET /echo\n");
  EXPECT_THAT(curl("-I http://site.example/echo"), HasSubstr("200 OK"));
}

TEST_F(RealPrograms, Https) {
  EXPECT_EQ(curl("https://site.example/echo"), "GET /echo\n");
  EXPECT_THAT(curl("-v https://site.example/echo"), HasSubstr("SSL certificate verify ok"));
}

TEST_F(RealPrograms, ManyRequestsOnOneConnection) {
  const std::string text =
      curl("-w '%{num_connects}\\n' -o /dev/null https://site.example/echo?[1-200]");
  EXPECT_EQ(std::ranges::count(text, '1'), 1);
  EXPECT_EQ(std::ranges::count(text, '0'), 199);
}

TEST_F(RealPrograms, LargeDownloadsAndUploads) {
  const std::string file = make_file("files/large", 40);
  curl(fmt::format("-o {}/plain http://site.example/large", directory_));
  EXPECT_TRUE(same_files(file, directory_ + "/plain"));
  curl(fmt::format("-o {}/tls https://site.example/large", directory_));
  EXPECT_TRUE(same_files(file, directory_ + "/tls"));
  curl(fmt::format("-T {} http://site.example/up1", file));
  EXPECT_TRUE(same_files(file, directory_ + "/files/up1"));
  curl(fmt::format("-T {} https://site.example/up2", file));
  EXPECT_TRUE(same_files(file, directory_ + "/files/up2"));
  curl(fmt::format("-H 'Transfer-Encoding: chunked' -T {} https://site.example/up3", file));
  EXPECT_TRUE(same_files(file, directory_ + "/files/up3"));
}

TEST_F(RealPrograms, AsAProxy) {
  EXPECT_EQ(curl_by_proxy("http://site.example/echo"), "GET /echo\n");
  EXPECT_EQ(curl_by_proxy("https://site.example/echo"), "GET /echo\n");
  EXPECT_EQ(curl_by_proxy("-p http://site.example/echo"), "GET /echo\n");
  EXPECT_THAT(curl_by_proxy("https://denied.example/"), HasSubstr("502"));
}

TEST_F(RealPrograms, DeniedHostsAreTold) {
  leases_->add("denied.example", "192.0.2.1");
  const std::string connect =
      "--connect-to denied.example:443:127.0.0.1:" + std::to_string(tls_port_) + " ";
  EXPECT_THAT(curl("http://denied.example/"), HasSubstr("network_denied"));
  EXPECT_THAT(curl(connect + "https://denied.example/"), HasSubstr("network_denied"));
}

TEST_F(RealPrograms, CertificateForAnotherNameIsTold) {
  // nginx has a certificate for site.example only.
  const std::string text = curl("https://other.example/echo");
  EXPECT_THAT(text, HasSubstr("upstream_tls_failed"));
  EXPECT_THAT(text, HasSubstr("its certificate is for site.example"));
}

TEST_F(RealPrograms, ParallelConnections) {
  const std::string text = shell(fmt::format(
      "seq 50 | xargs -P 25 -I{{}} curl -sS --max-time 20 --cacert {}/ca.pem --connect-to "
      "site.example:443:127.0.0.1:{} https://site.example/echo | sort | uniq -c",
      directory_, tls_port_));
  EXPECT_THAT(text, HasSubstr("50 GET /echo"));
}

}  // namespace
}  // namespace agentsh::flows
