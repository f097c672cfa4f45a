// Against openssl's own client and server, and curl.
#include "base/file_io.h"
#include "certs/trust_locations.h"
#include "proxy/net/listener.h"
#include "tests/unit/net/test_pki.h"
#include "tests/unit/net/tls_testing.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramsTest : public ::testing::Test {
 protected:
  ProgramsTest() {
    std::string folder = "/tmp/agentsh-tls-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
    put("ca.pem", tls_.authority->certificate_pem());
    UniqueFd listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0}).value();
    endpoint_ = local_endpoint(listening.get()).value();
    listener_ = std::move(Listener::adopt(tls_.loop.get_executor(), std::move(listening)).value());
  }
  ~ProgramsTest() override { std::filesystem::remove_all(folder_); }

  std::string put(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
    return folder_ + "/" + name;
  }

  // Accepts one connection and answers whatever comes first with an HTTP response; what happened is
  // left in `seen_` or `refused_`.
  asio::awaitable<void> serve_once() {
    auto accepted = co_await listener_->accept();
    if (!accepted) co_return;
    auto tcp = TcpStream::adopt(tls_.loop.get_executor(), std::move(accepted->socket));
    auto stream = co_await accept_tls(tls_.servers, std::move(*tcp), tls_.server_options);
    if (!stream) {
      refused_ = stream.error();
      co_return;
    }
    info_ = (*stream)->info();
    std::array<std::uint8_t, 4096> buffer;
    for (;;) {
      auto got = co_await read(**stream, buffer);
      if (!got) {
        refused_ = got.error();
        break;
      }
      if (*got == 0) break;
      seen_ += as_text(Bytes(buffer).first(*got));
      if (!seen_.ends_with("\r\n\r\n") && !seen_.ends_with("\n\n")) continue;
      co_await write(**stream, as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"));
      co_await (*stream)->shutdown_write();
    }
  }

  std::string fill_in(std::string command) {
    const std::pair<std::string, std::string> values[] = {
        {"{port}", std::to_string(endpoint_.port)}, {"{ca}", folder_ + "/ca.pem"}};
    for (const auto& [key, value] : values) {
      for (std::size_t at; (at = command.find(key)) != std::string::npos;) {
        command.replace(at, key.size(), value);
      }
    }
    return command;
  }

  // Runs a shell command while serve_once() runs. {port}, {ca} are filled in.
  std::string run(const std::string& text) {
    const std::string command = fill_in(text);
    seen_.clear();
    refused_.reset();
    info_.reset();
    auto output = std::async(std::launch::async, [command] { return shell(command); });
    run_loop(tls_.loop, serve_once());
    return output.get();
  }

  // Inside single quotes of the shell.
  static std::string quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) {
      text.replace(at, 1, "'\\''");
    }
    return text;
  }

  static std::string shell(const std::string& command) {
    std::string output;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return {};
    std::array<char, 4096> buffer;
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      output.append(buffer.data(), got);
    }
    ::pclose(pipe);
    return output;
  }

  TlsPair tls_;
  std::string folder_;
  Endpoint endpoint_;
  std::unique_ptr<Listener> listener_;
  std::string seen_;
  std::optional<Error> refused_;
  std::optional<TlsInfo> info_;
};

constexpr const char* kClient =
    "openssl s_client -connect 127.0.0.1:{port} -servername www.example.com -CAfile {ca} "
    "-verify_return_error -verify_hostname www.example.com -ign_eof ";

TEST_F(ProgramsTest, OpensslClientWithBothVersions) {
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const std::string output =
        run(std::string("printf 'GET / HTTP/1.1\\r\\n\\r\\n' | ") + kClient + version);
    EXPECT_THAT(output, AllOf(HasSubstr("Verify return code: 0 (ok)"), HasSubstr("hello")));
    EXPECT_EQ(seen_, "GET / HTTP/1.1\r\n\r\n");
    EXPECT_FALSE(refused_) << refused_->what;
  }
}

TEST_F(ProgramsTest, OldVersionsAreRefused) {
  for (const char* version : {"-tls1", "-tls1_1"}) {
    const std::string output =
        run(std::string(kClient) + version + " -cipher ALL:@SECLEVEL=0 </dev/null");
    EXPECT_THAT(output, HasSubstr("protocol version"));
    ASSERT_TRUE(refused_);
    EXPECT_EQ(refused_->code, TlsErrc::kVersion) << refused_->what;
  }
}

TEST_F(ProgramsTest, WeakCiphersAreRefused) {
  run(std::string(kClient) + "-tls1_2 -cipher 'NULL:RC4:3DES:@SECLEVEL=0' </dev/null");
  ASSERT_TRUE(refused_);
  EXPECT_EQ(refused_->code, TlsErrc::kHandshake) << refused_->what;
}

TEST_F(ProgramsTest, RenegotiationIsRefused) {
  const std::string output = folder_ + "/output";
  const std::string command =
      fill_in(
          "openssl s_client -connect 127.0.0.1:{port} -servername www.example.com "
          "-CAfile {ca} -tls1_2 >") +
      output + " 2>&1";
  FILE* input = ::popen(command.c_str(), "w");
  ASSERT_NE(input, nullptr);
  auto accepted = run_loop(tls_.loop, listener_->accept());
  ASSERT_TRUE(accepted);
  auto tcp = TcpStream::adopt(tls_.loop.get_executor(), std::move(accepted->socket));
  auto stream = run_loop(tls_.loop, accept_tls(tls_.servers, std::move(*tcp), tls_.server_options));
  ASSERT_TRUE(stream) << stream.error().what;
  std::fputs("first\n", input);
  std::fflush(input);
  EXPECT_EQ(tls_.read_up_to(**stream, 6).value(), "first\n");
  // "R" alone on a line makes s_client ask for a new handshake; it gives up when that is refused.
  std::fputs("R\n", input);
  std::fflush(input);
  auto rest = tls_.read_up_to(**stream, 1);
  EXPECT_TRUE(!rest || rest->empty());
  ::pclose(input);
  EXPECT_THAT(read_file(output).value(),
              AllOf(HasSubstr("RENEGOTIATING"), HasSubstr("no renegotiation")));
}

TEST_F(ProgramsTest, OnlyHttp2IsAnAlert) {
  const std::string output = run(std::string(kClient) + "-alpn h2 </dev/null");
  EXPECT_THAT(output, HasSubstr("no application protocol"));
  ASSERT_TRUE(refused_);
  EXPECT_EQ(refused_->code, TlsErrc::kNoApplicationProtocol);
}

TEST_F(ProgramsTest, WithoutAlpnIsFine) {
  const std::string output = run(std::string("printf 'GET / HTTP/1.1\\r\\n\\r\\n' | ") + kClient);
  EXPECT_THAT(output, HasSubstr("hello"));
  ASSERT_TRUE(info_);
  EXPECT_EQ(info_->alpn, "");
}

TEST_F(ProgramsTest, OpensslClientResumes) {
  const std::string ticket = folder_ + "/ticket";
  const std::string request = "printf 'GET / HTTP/1.1\\r\\n\\r\\n' | ";
  run(request + kClient + "-sess_out " + ticket);
  EXPECT_FALSE(info_->resumed);
  const std::string output = run(request + kClient + "-sess_in " + ticket);
  EXPECT_TRUE(info_->resumed);
  EXPECT_THAT(output, AllOf(HasSubstr("Reused"), HasSubstr("hello")));
}

TEST_F(ProgramsTest, FragmentedHellosAndRetriesAreFine) {
  // A first group that we do not have asks for a HelloRetryRequest: the second hello is checked
  // too.
  const std::string output = run(std::string("printf 'GET / HTTP/1.1\\r\\n\\r\\n' | ") + kClient +
                                 "-groups X448:P-521:P-256 -max_send_frag 512");
  EXPECT_THAT(output, AllOf(HasSubstr("hello"), HasSubstr("ECDH, prime256v1")));
  EXPECT_FALSE(refused_) << refused_->what;
}

TEST_F(ProgramsTest, Curl) {
  const std::string output =
      run("curl -sS --cacert {ca} --resolve www.example.com:{port}:127.0.0.1 "
          "https://www.example.com:{port}/");
  EXPECT_EQ(output, "hello\n");
  EXPECT_EQ(info_->alpn, "http/1.1");
}

TEST_F(ProgramsTest, CurlThatDoesNotTrustUs) {
  const std::string output =
      run("curl -sS --cacert /etc/ssl/certs/ca-certificates.crt "
          "--resolve www.example.com:{port}:127.0.0.1 https://www.example.com:{port}/");
  EXPECT_THAT(output, HasSubstr("certificate"));
  ASSERT_TRUE(refused_);
  EXPECT_EQ(refused_->code, TlsErrc::kCertificateRefused) << refused_->what;
}

struct Program {
  const char* name;     // Skipped where it is not installed.
  const char* command;  // Fetches https://localhost:{port}/ and prints what it got.
};

// With nothing but the variables that every sandbox gets.
TEST_F(ProgramsTest, ProgramsTrustUsByTheirVariables) {
  const Program programs[] = {
      {"curl", "curl -sS https://localhost:{port}/"},
      {"openssl",
       "printf 'GET / HTTP/1.1\\r\\n\\r\\n' | openssl s_client -connect localhost:{port} "
       "-servername localhost -verify_return_error -verify_hostname localhost -quiet"},
      {"python3",
       "python3 -c \"import urllib.request as u; "
       "print(u.urlopen('https://localhost:{port}/').read().decode())\""},
      {"node",
       "node -e \"require('https').get('https://localhost:{port}/', "
       "r => r.on('data', d => process.stdout.write(d)))\""},
      {"perl",
       "perl -MIO::Socket::SSL -e 'my $s = IO::Socket::SSL->new(PeerAddr => q(localhost:{port}), "
       "SSL_verifycn_name => q(localhost), SSL_hostname => q(localhost)) or die; "
       "print $s qq(GET / HTTP/1.1\\r\\n\\r\\n); print <$s>'"},
  };
  const std::string bundle = folder_ + "/ca.pem";
  std::string environment;
  for (const auto& [name, value] : certs::trust_environment(bundle, folder_, bundle)) {
    environment += name + "=" + value + " ";
  }
  tls_.server_options.leaf = tls_.leaves->mint("localhost").value();
  tls_.server_options.server_name = "localhost";
  for (const Program& program : programs) {
    if (shell(std::string("command -v ") + program.name).empty()) continue;
    if (std::string(program.name) == "perl" && !shell("perl -MIO::Socket::SSL -e 1").empty())
      continue;
    const std::string output =
        run("env " + environment + "sh -c '" + quoted(program.command) + "'");
    EXPECT_THAT(output, HasSubstr("hello")) << program.name;
  }
}

// openssl s_server as an upstream, its port chosen by the kernel and read from what it prints.
class OpensslServer {
 public:
  OpensslServer(const std::string& folder, const std::string& options) {
    const std::string command = "exec openssl s_server -accept 127.0.0.1:0 -cert " + folder +
                                "/leaf.pem -key " + folder + "/leaf.key " + options +
                                " 2>/dev/null </dev/null";
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ::fdopen(ends[0], "r");
    char line[256];
    while (std::fgets(line, sizeof(line), output_) != nullptr) {
      if (const char* port = std::strstr(line, "ACCEPT 127.0.0.1:")) {
        endpoint_ =
            Endpoint::parse(std::string(port + 7).substr(0, std::strlen(port + 7) - 1)).value();
        break;
      }
    }
  }
  ~OpensslServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::fclose(output_);
  }
  OpensslServer(const OpensslServer&) = delete;
  OpensslServer& operator=(const OpensslServer&) = delete;
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
  Endpoint endpoint_;
};

TEST_F(ProgramsTest, OpensslServerAsUpstream) {
  const TestCert root = issue(ca_spec("root"));
  const TestCert leaf = issue(host_spec("www.example.com"), &root);
  put("leaf.pem", leaf.pem());
  put("leaf.key", leaf.key_pem());
  tls_.clients = ClientContext::create(certs::TrustStore::from_pem(root.pem()).value()).value();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const OpensslServer server(folder_, std::string("-www -alpn http/1.1 ") + version);
    for (const bool again : {false, true}) {
      auto tcp = run_loop(tls_.loop,
                          connect(tls_.loop.get_executor(), server.endpoint(), milliseconds(5000)));
      ASSERT_TRUE(tcp) << tcp.error().what;
      auto stream =
          run_loop(tls_.loop, connect_tls(tls_.clients, std::move(*tcp), tls_.client_options));
      ASSERT_TRUE(stream) << stream.error().what;
      EXPECT_EQ((*stream)->info().alpn, "http/1.1");
      ASSERT_TRUE(run_loop(tls_.loop, write(**stream, as_bytes("GET / HTTP/1.0\r\n\r\n"))));
      auto page = tls_.read_up_to(**stream, 1 << 20);
      ASSERT_TRUE(page) << page.error().what;
      EXPECT_THAT(*page, HasSubstr("HTTP/1.0 200 ok"));
      EXPECT_EQ((*stream)->info().resumed, again) << version;
    }
    tls_.clients = ClientContext::create(certs::TrustStore::from_pem(root.pem()).value()).value();
  }
}

}  // namespace
}  // namespace agentsh::net
