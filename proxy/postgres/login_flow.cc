#include "proxy/postgres/login_flow.h"

#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"
#include "sqlguard/login/relayed_login.h"
#include "sqlguard/login/service_login.h"

#include <utility>

namespace agentsh::pg {
namespace asio = boost::asio;
using flows::Buffer;
using net::IoResult;
using net::IoStatus;
using sql::LoginFailure;
using sql::LoginResult;

namespace {

std::unexpected<LoginFailure> ended(std::string_view who) {
  return std::unexpected(LoginFailure{.sqlstate = std::string(sql::kConnectionFailure),
                                      .message = std::string(who) + " closed the connection"});
}

class LoginFlow {
 public:
  LoginFlow(flows::Connection& connection, LoginRequest request, Buffer& from_server)
      : c_(connection), r_(std::move(request)), from_server_(from_server) {}

  asio::awaitable<LoginResult<LoggedIn>> run() {
    if (r_.service->service.credentials) return run_brokered();
    return run_relayed();
  }

 private:
  asio::awaitable<LoginResult<LoggedIn>> run_brokered();
  asio::awaitable<LoginResult<LoggedIn>> run_relayed();
  asio::awaitable<LoginResult<bool>> log_client_in();
  asio::awaitable<LoginResult<bool>> relay_client(sql::RelayedLogin& login, ServerLeg& leg);
  asio::awaitable<LoginResult<bool>> read_client();
  asio::awaitable<LoginResult<bool>> read_server(ServerLeg& leg);
  asio::awaitable<LoginResult<bool>> send_client(const std::vector<std::uint8_t>& bytes);
  static asio::awaitable<LoginResult<bool>> send_server(ServerLeg& leg,
                                                        const std::vector<std::uint8_t>& bytes);

  flows::Connection& c_;
  LoginRequest r_;
  Buffer& from_server_;
};

asio::awaitable<LoginResult<bool>> LoginFlow::read_client() {
  const IoResult got = co_await flows::read_more(*c_.client, c_.start);
  if (got.status != IoStatus::kOk) co_return ended("the client");
  c_.bytes_sent += got.bytes;
  co_return true;
}

asio::awaitable<LoginResult<bool>> LoginFlow::read_server(ServerLeg& leg) {
  const IoResult got = co_await flows::read_more(*leg.stream, from_server_);
  if (got.status != IoStatus::kOk) co_return ended("the database server");
  co_return true;
}

asio::awaitable<LoginResult<bool>> LoginFlow::send_client(const std::vector<std::uint8_t>& bytes) {
  if (bytes.empty()) co_return true;
  if (!co_await flows::write_all(*c_.client, bytes, {}, c_.bytes_received))
    co_return ended("the client");
  co_return true;
}

asio::awaitable<LoginResult<bool>> LoginFlow::send_server(ServerLeg& leg,
                                                          const std::vector<std::uint8_t>& bytes) {
  std::uint64_t sent = 0;
  if (!bytes.empty() && !co_await flows::write_all(*leg.stream, bytes, {}, sent))
    co_return ended("the database server");
  co_return true;
}

// --- the guard logs in ---------------------------------------------------------------------------

asio::awaitable<LoginResult<bool>> LoginFlow::log_client_in() {
  sql::ClientLoginOptions options = sql::client_login_of(r_.service->service, r_.client_user);
  options.tls = r_.client_tls;
  options.end_point = r_.client_end_point;
  sql::ClientLogin login(std::move(options));
  auto step = login.begin();
  for (;;) {
    if (!step) co_return std::unexpected(std::move(step.error()));
    c_.start.consume(step->taken);
    if (auto sent = co_await send_client(step->send); !sent) co_return sent;
    if (step->done) co_return true;
    if (c_.start.empty() || step->taken == 0) {
      if (auto read = co_await read_client(); !read) co_return read;
    }
    step = login.receive(c_.start.data());
  }
}

asio::awaitable<LoginResult<LoggedIn>> LoginFlow::run_brokered() {
  if (auto client = co_await log_client_in(); !client)
    co_return std::unexpected(std::move(client.error()));
  if (r_.credentials == nullptr)
    co_return std::unexpected(LoginFailure{.sqlstate = std::string(sql::kConnectionRejected),
                                           .message = "there is no source of credentials"});
  const policy::DbService& service = r_.service->service;
  auto secrets =
      co_await r_.credentials->resolve(service.name, *service.credentials, r_.service->providers);
  if (!secrets) co_return std::unexpected(std::move(secrets.error()));
  r_.address.certificate = secrets->certificate;
  auto leg = co_await connect_server(c_, r_.address);
  if (!leg) co_return std::unexpected(std::move(leg.error()));
  sql::UpstreamLoginOptions options = sql::upstream_login_of(service);
  options.password = secrets->password;
  options.tls = leg->tls;
  options.end_point = leg->end_point;
  sql::UpstreamLogin login(r_.startup, std::move(options));
  net::StreamDeadline deadline(*leg->stream);
  deadline.expires_after(c_.options().request_head);
  if (auto sent = co_await send_server(*leg, login.begin()); !sent)
    co_return std::unexpected(std::move(sent.error()));
  for (;;) {
    if (auto read = co_await read_server(*leg); !read)
      co_return std::unexpected(std::move(read.error()));
    auto step = login.receive(from_server_.data());
    if (!step) co_return std::unexpected(std::move(step.error()));
    from_server_.consume(step->taken);
    if (auto sent = co_await send_server(*leg, step->send); !sent)
      co_return std::unexpected(std::move(sent.error()));
    if (step->done) co_return LoggedIn{std::move(*leg), login.start(), std::string(login.method())};
  }
}

// --- the client logs in --------------------------------------------------------------------------

asio::awaitable<LoginResult<bool>> LoginFlow::relay_client(sql::RelayedLogin& login,
                                                           ServerLeg& leg) {
  while (login.awaits_client()) {
    if (c_.start.empty()) {
      if (auto read = co_await read_client(); !read) co_return read;
    }
    auto step = login.from_client(c_.start.data());
    if (!step) co_return std::unexpected(std::move(step.error()));
    c_.start.consume(step->taken);
    if (auto sent = co_await send_server(leg, step->send); !sent) co_return sent;
    if (step->taken == 0) {
      if (auto read = co_await read_client(); !read) co_return read;
    }
  }
  co_return true;
}

asio::awaitable<LoginResult<LoggedIn>> LoginFlow::run_relayed() {
  auto leg = co_await connect_server(c_, r_.address);
  if (!leg) co_return std::unexpected(std::move(leg.error()));
  sql::RelayedLogin login(r_.startup, sql::relayed_login_of(r_.service->service, r_.client_tls));
  net::StreamDeadline deadline(*leg->stream);
  deadline.expires_after(c_.options().request_head);
  if (auto sent = co_await send_server(*leg, login.begin()); !sent)
    co_return std::unexpected(std::move(sent.error()));
  for (;;) {
    if (auto read = co_await read_server(*leg); !read)
      co_return std::unexpected(std::move(read.error()));
    auto step = login.from_server(from_server_.data());
    if (!step) co_return std::unexpected(std::move(step.error()));
    from_server_.consume(step->taken);
    if (auto sent = co_await send_client(step->send); !sent)
      co_return std::unexpected(std::move(sent.error()));
    if (step->done) co_return LoggedIn{std::move(*leg), login.start(), std::string(login.method())};
    if (auto relayed = co_await relay_client(login, *leg); !relayed)
      co_return std::unexpected(std::move(relayed.error()));
  }
}

}  // namespace

asio::awaitable<LoginResult<LoggedIn>> log_in(flows::Connection& connection, LoginRequest request,
                                              Buffer& from_server) {
  LoginFlow flow(connection, std::move(request), from_server);
  co_return co_await flow.run();
}

}  // namespace agentsh::pg
