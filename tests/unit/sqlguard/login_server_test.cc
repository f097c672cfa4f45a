// Logins at a real PostgreSQL server, which login_server beside this starts.
#include "base/file_io.h"
#include "base/unique_fd.h"
#include "certs/openssl_handles.h"
#include "certs/server_end_point.h"
#include "login_testing.h"
#include "sqlguard/codec/startup.h"
#include "sqlguard/login/startup_settings.h"
#include "sqlguard/login/upstream_login.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>

extern char** environ;

namespace agentsh::sql {
namespace {

constexpr int kPatience = 60'000;  // Milliseconds.

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// The server, for all tests of this program.
class Server : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    port_ = free_port();
    int in[2], out[2];
    ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
    UniqueFd child_in(in[0]), child_out(out[1]);
    stop_ = UniqueFd(in[1]);
    const UniqueFd said(out[0]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
    std::string program = AGENTSH_LOGIN_SERVER, port = std::to_string(port_);
    std::array<char*, 3> argv = {program.data(), port.data(), nullptr};
    ASSERT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    child_in.reset();
    child_out.reset();  // So that the end of what the script says is seen.
    char c = 0;
    pollfd ready{.fd = said.get(), .events = POLLIN, .revents = 0};
    while (::poll(&ready, 1, kPatience) == 1 && ::read(said.get(), &c, 1) == 1 && c != '\n')
      directory_.push_back(c);
  }
  static void TearDownTestSuite() {
    stop_.reset();
    int status = 0;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
  }
  void SetUp() override {
    if (directory_.starts_with("skipped")) GTEST_SKIP() << directory_;
    ASSERT_THAT(directory_, testing::StartsWith("/"));
  }

  struct Connect {
    std::string user;
    std::string password = "pencil";
    bool tls = false;
    bool certificate = false;
    std::uint16_t minor = 0;
    UpstreamLoginOptions options = {};
    ByteVector end_point = {};  // In place of the server's.
  };

  // "method user" when the login worked, else the failure.
  std::string log_in(Connect connect);

  static std::uint16_t port_;
  static pid_t pid_;
  static UniqueFd stop_;
  static std::string directory_;
};

std::uint16_t Server::port_ = 0;
pid_t Server::pid_ = -1;
UniqueFd Server::stop_;
std::string Server::directory_;

using SslPtr = std::unique_ptr<SSL, certs::OpensslFree<SSL_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, certs::OpensslFree<SSL_CTX_free>>;

// A blocking connection, with TLS when it was asked for.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  bool encrypt(const std::string& certificate, const std::string& key) {
    ByteWriter request;
    write(SslRequest{}, request);
    send(request.view());
    std::uint8_t answer = 0;
    if (::recv(fd_.get(), &answer, 1, 0) != 1 || answer != 'S') return false;
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!certificate.empty() &&
        (SSL_CTX_use_certificate_file(context_.get(), certificate.c_str(), SSL_FILETYPE_PEM) != 1 ||
         SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1))
      return false;
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_.get());
    return SSL_connect(ssl_.get()) == 1;
  }
  ByteVector end_point() const {
    return certs::server_end_point(SSL_get0_peer_certificate(ssl_.get()));
  }

  void send(Bytes bytes) {
    if (bytes.empty()) return;
    const auto size = static_cast<int>(bytes.size());
    EXPECT_EQ(ssl_ ? SSL_write(ssl_.get(), bytes.data(), size)
                   : ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              size);
  }
  // What comes next, behind what is there; false at the end.
  bool receive(ByteVector& buffer) {
    std::array<std::uint8_t, 4096> bytes{};
    const long got = ssl_ ? SSL_read(ssl_.get(), bytes.data(), bytes.size())
                          : ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (got <= 0) return false;
    buffer.insert(buffer.end(), bytes.begin(), bytes.begin() + got);
    return true;
  }

 private:
  UniqueFd fd_;
  ContextPtr context_;
  SslPtr ssl_;
};

// The first value of the first row that the statement returns.
std::string ask(Connection& connection, std::string_view sql) {
  connection.send(bytes_of(FrontendMessage(Query{sql})));
  ByteVector buffer;
  while (connection.receive(buffer)) {
    Bytes rest(buffer);
    while (true) {
      const auto frame = read_frame(rest, Direction::kBackend);
      if (!frame || !*frame) break;
      const auto message = parse_backend(**frame);
      if (!message) return message.error().what;
      if (const auto* row = std::get_if<DataRow>(&*message))
        return std::string(as_text(row->columns.at(0).value()));
      rest = rest.subspan((*frame)->size);
    }
  }
  return "no row";
}

std::string Server::log_in(Connect connect) {
  Connection connection(port_);
  UpstreamLoginOptions& options = connect.options;
  if (!connect.password.empty()) options.password = secret(connect.password);
  if (connect.tls) {
    const std::string name = connect.certificate ? directory_ + "/client" : "";
    if (!connection.encrypt(connect.certificate ? name + ".crt" : "",
                            connect.certificate ? name + ".key" : ""))
      return "no TLS";
    options.tls = true;
    options.end_point = connect.end_point.empty() ? connection.end_point() : connect.end_point;
  }
  StartupSettings settings{.user = connect.user, .database = "postgres"};
  settings.settings.push_back({"search_path", "one,\"Two\""});
  UpstreamLogin login(upstream_startup(settings, connect.minor), options);
  connection.send(login.begin());
  ByteVector buffer;
  while (true) {
    const auto step = login.receive(buffer);
    if (!step) return step.error().sqlstate + " " + step.error().message;
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(step->taken));
    connection.send(step->send);
    if (step->done) break;
    if (!connection.receive(buffer)) return "closed";
  }
  EXPECT_TRUE(login.start().cancel_key);
  EXPECT_EQ(login.start().minor, 0);  // Of PostgreSQL 15 to 17.
  EXPECT_THAT(login.start().parameters, testing::Contains(testing::Pair("is_superuser", "off")));
  EXPECT_EQ(ask(connection, "show search_path"), "one,\"Two\"");
  return std::string(login.method()) + " " + ask(connection, "select current_user");
}

TEST_F(Server, EveryMethod) {
  EXPECT_EQ(log_in({.user = "trusting"}), "trust trusting");
  EXPECT_EQ(log_in({.user = "trusting", .password = "", .minor = 2}), "trust trusting");
  EXPECT_EQ(log_in({.user = "plain", .options = {.allow_cleartext = true}}), "password plain");
  EXPECT_EQ(log_in({.user = "digest"}), "md5 digest");
  EXPECT_EQ(log_in({.user = "scram"}), "scram-sha-256 scram");
  EXPECT_EQ(log_in({.user = "scram", .minor = 2}), "scram-sha-256 scram");
  EXPECT_EQ(log_in({.user = "certified", .password = "", .tls = true, .certificate = true}),
            "trust certified");
}

TEST_F(Server, PasswordsThatHaveToBePrepared) {
  EXPECT_EQ(log_in({.user = "scram_utf8", .password = "p\u00E4ss\u00A0\u2168"}),
            "scram-sha-256 scram_utf8");
  EXPECT_EQ(log_in({.user = "scram_utf8", .password = "p\u00E4ss IX"}), "scram-sha-256 scram_utf8");
}

TEST_F(Server, ChannelBinding) {
  const UpstreamLoginOptions required{.channel_binding = ChannelBinding::kRequire};
  EXPECT_EQ(log_in({.user = "bound", .tls = true}), "scram-sha-256-plus bound");
  EXPECT_EQ(log_in({.user = "bound", .tls = true, .options = required}),
            "scram-sha-256-plus bound");
  EXPECT_EQ(
      log_in(
          {.user = "bound", .tls = true, .options = {.channel_binding = ChannelBinding::kDisable}}),
      "scram-sha-256 bound");
  // Another certificate than the server's, as somebody in between would have.
  EXPECT_EQ(log_in({.user = "bound", .tls = true, .end_point = ByteVector(48, 1)}),
            "28000 SCRAM channel binding check failed");
  // Methods and connections that cannot be bound.
  for (const char* user : {"trusting", "digest"})
    EXPECT_THAT(log_in({.user = user, .tls = true, .options = required}),
                testing::HasSubstr("channel binding is required"));
  EXPECT_THAT(log_in({.user = "scram", .options = required}),
              testing::HasSubstr("channel binding is required"));
}

TEST_F(Server, WhatIsWrongIsToldByTheServer) {
  for (const char* user : {"digest", "scram"})
    EXPECT_EQ(log_in({.user = user, .password = "pencils"}),
              std::string("28P01 password authentication failed for user \"") + user + "\"");
  EXPECT_THAT(log_in({.user = "nobody"}), testing::StartsWith("28000 no pg_hba.conf entry"));
  EXPECT_THAT(log_in({.user = "bound"}), testing::StartsWith("28000 no pg_hba.conf entry"));
  EXPECT_THAT(log_in({.user = "certified", .tls = true}), testing::StartsWith("28000"));
  EXPECT_THAT(log_in({.user = "plain"}), testing::HasSubstr("in cleartext"));
}

}  // namespace
}  // namespace agentsh::sql
