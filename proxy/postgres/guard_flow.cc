#include "proxy/postgres/guard_flow.h"

#include "proxy/flows/raw_flow.h"
#include "proxy/flows/route.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/socket_stream.h"
#include "proxy/postgres/login_flow.h"
#include "proxy/postgres/statement_event.h"
#include "proxy/postgres/statement_relay.h"
#include "proxy/postgres/upstream_leg.h"
#include "sqlguard/codec/startup.h"
#include "sqlguard/login/service_login.h"
#include "sqlguard/login/startup_settings.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace agentsh::pg {
namespace asio = boost::asio;
using flows::Buffer;
using net::IoResult;
using net::IoStatus;

namespace {

constexpr std::chrono::milliseconds kFarewell{1000};

sql::LoginFailure failure(std::string_view sqlstate, std::string message, std::string hint = {}) {
  return {.sqlstate = std::string(sqlstate),
          .message = std::move(message),
          .detail = {},
          .hint = std::move(hint)};
}

// Of sessions that start equal; empty when settings say otherwise.
std::string kind_of(const sql::StartupSettings& settings, const UpstreamAddress& address) {
  for (const auto& setting : settings.settings) {
    if (!sql::is_presentation(setting.name)) return {};
  }
  return fmt::format("{}\n{}\n{}\n{}", address.targets.at(0).endpoint.to_string(), address.host,
                     settings.database, settings.user);
}

class GuardFlow {
 public:
  GuardFlow(flows::Connection& connection, std::shared_ptr<const GuardContext> context)
      : c_(connection), context_(std::move(context)) {}

  asio::awaitable<void> run();

 private:
  // Nothing: the connection is over.
  asio::awaitable<std::optional<sql::StartupMessage>> greet();
  asio::awaitable<bool> answer_request(sql::ReadStartup read);
  asio::awaitable<bool> open_tls(bool asked);
  asio::awaitable<bool> read_client();
  asio::awaitable<bool> reply(Bytes bytes);
  asio::awaitable<void> refuse(sql::LoginFailure why);
  asio::awaitable<void> serve(sql::StartupMessage startup);
  asio::awaitable<bool> decide_connection(policy::DbConnectionKind kind);
  asio::awaitable<bool> decide_settings(const sql::StartupSettings& settings);
  asio::awaitable<Result<UpstreamAddress>> upstream();
  asio::awaitable<void> pass_replication(const sql::StartupMessage& startup);
  asio::awaitable<void> pass_through();
  asio::awaitable<void> cancel(const sql::CancelRequest& request);
  DatabaseClient describe(const sql::StartupSettings& settings) const;
  void record_failed_login(const sql::LoginFailure& why);

  flows::Connection& c_;
  std::shared_ptr<const GuardContext> context_;
  std::shared_ptr<const GuardedService> service_;
  DatabaseClient client_;
  sql::SessionState session_;
  Buffer from_server_;
  bool tls_ = false;
  std::vector<std::uint8_t> end_point_;  // Of the certificate that the client was shown.
};

asio::awaitable<bool> GuardFlow::read_client() {
  const IoResult got = co_await flows::read_more(*c_.client, c_.start, flows::ReadFirst::kTry);
  if (got.status != IoStatus::kOk) co_return false;
  c_.bytes_sent += got.bytes;
  co_return true;
}

asio::awaitable<bool> GuardFlow::reply(Bytes bytes) {
  co_return (co_await flows::write_all(*c_.client, bytes, {}, c_.bytes_received)).has_value();
}

asio::awaitable<void> GuardFlow::refuse(sql::LoginFailure why) {
  ByteWriter answer;
  write(why, answer);
  net::StreamDeadline deadline(*c_.client);
  deadline.expires_after(kFarewell);
  if (co_await reply(answer.view())) co_await net::drain_and_close(*c_.client, 64 << 10);
}

// --- before the login ----------------------------------------------------------------------------

asio::awaitable<std::optional<sql::StartupMessage>> GuardFlow::greet() {
  net::StreamDeadline deadline(*c_.client);
  deadline.expires_after(c_.options().hello);
  for (;;) {
    auto read = sql::read_startup(c_.start.data());
    if (!read) {
      co_await refuse(failure(sql::kProtocolViolation, read.error().what));
      co_return std::nullopt;
    }
    if (!*read) {
      if (!co_await read_client()) co_return std::nullopt;
      continue;
    }
    if (auto* startup = std::get_if<sql::StartupMessage>(&(*read)->packet)) {
      c_.start.consume((*read)->size);
      co_return std::move(*startup);
    }
    if (!co_await answer_request(std::move(**read))) co_return std::nullopt;
    deadline.expires_after(c_.options().hello);
  }
}

// False: the connection is over.
asio::awaitable<bool> GuardFlow::answer_request(sql::ReadStartup read) {
  if (const auto* request = std::get_if<sql::CancelRequest>(&read.packet)) {
    co_await cancel(*request);
    co_return false;
  }
  if (std::holds_alternative<sql::DirectTls>(read.packet)) co_return co_await open_tls(false);
  // What comes before the answer would be taken for what comes inside of the encryption
  // (CVE-2021-23214).
  c_.start.consume(read.size);
  if (!c_.start.empty()) {
    co_await refuse(
        failure(sql::kProtocolViolation, "unencrypted data came behind a request for encryption"));
    co_return false;
  }
  const bool offered = std::holds_alternative<sql::SslRequest>(read.packet) && !tls_ &&
                       context_->accept_tls != nullptr;
  const std::uint8_t answer = offered ? 'S' : 'N';
  if (!co_await reply({&answer, 1})) co_return false;
  if (offered) co_return co_await open_tls(true);
  co_return true;
}

asio::awaitable<bool> GuardFlow::open_tls(bool asked) {
  if (tls_ || context_->accept_tls == nullptr) co_return false;
  if (!asked) {
    auto* socket = dynamic_cast<net::SocketStream*>(c_.client.get());
    if (socket == nullptr) co_return false;
    socket->unread(c_.start.data());
    c_.start.consume(c_.start.size());
  }
  auto leg = co_await context_->accept_tls(std::move(c_.client));
  if (!leg) {
    audit::Event event = database_event(c_, "db_handshake_fail", client_);
    event.field("reason", leg.error().what);
    c_.context->policy->record(std::move(event));
    co_return false;
  }
  c_.client = std::move(leg->stream);
  // PostgreSQL demands ALPN of those who speak TLS without asking.
  if (!asked && leg->alpn != "postgresql") co_return false;
  end_point_ = std::move(leg->end_point);
  tls_ = c_.tls = true;
  co_return true;
}

asio::awaitable<void> GuardFlow::cancel(const sql::CancelRequest& request) {
  const CancelTable::Cancel found = context_->cancels->find(request.process, request.key);
  if (!found) {
    c_.context->policy->record(database_event(c_, "db_cancel_unmatched", client_));
    co_return;
  }
  // Decided as the connection's own.
  client_.user = found.user;
  client_.database = found.database;
  client_.application_name = found.application_name;
  client_.client_identity = found.client_identity;
  if (co_await decide_connection(policy::DbConnectionKind::kCancel)) found.run();
}

// --- decisions -----------------------------------------------------------------------------------

DatabaseClient GuardFlow::describe(const sql::StartupSettings& settings) const {
  DatabaseClient client = client_;
  client.user = sql::upstream_user(service_->service, settings.user);
  if (service_->service.credentials) client.client_identity = settings.user;
  client.database = settings.database;
  client.application_name = settings.application_name;
  return client;
}

asio::awaitable<bool> GuardFlow::decide_connection(policy::DbConnectionKind kind) {
  const sql::ConnectionDecision decision =
      service_->connections->decide({.kind = kind,
                                     .db_user = client_.user,
                                     .database = client_.database,
                                     .application_name = client_.application_name,
                                     .client_identity = client_.client_identity});
  audit::Event event = database_event(c_, "db_connection", client_);
  const bool canceling = kind == policy::DbConnectionKind::kCancel;
  event.operation = canceling ? "cancel" : "connect";
  event.field("rule_kind", std::string(canceling ? "cancel" : "connection"))
      .field("reason", decision.reason);
  policy::ApprovalRequest request;
  request.session_id = c_.context->policy->session_id();
  request.command_id = c_.actor.command_id;
  request.kind = "db";
  request.target = client_.service;
  request.rule = decision.rule_name;
  request.message = decision.message;
  request.fields = {{"user", client_.user}, {"database", client_.database}};
  const policy::Verdict verdict =
      co_await flows::settle(c_, verdict_of(decision), std::move(request), std::move(event));
  if (verdict.permitted()) co_return true;
  if (!canceling)
    co_await refuse(
        failure(sql::kInvalidAuthorization,
                fmt::format("the policy does not permit this connection: {}", verdict.message())));
  co_return false;
}

asio::awaitable<bool> GuardFlow::decide_settings(const sql::StartupSettings& settings) {
  const sql::StartupDecision decision =
      sql::judge(settings, *service_->statements, service_->dialect, session_);
  if (!decision.decisive) co_return true;
  const sql::StatementDecision& statement = decision.decisions.at(*decision.decisive);
  audit::Event event = database_event(c_, "db_connection", client_);
  event.operation = "connect";
  event.field("rule_kind", std::string("statement"))
      .field("startup_parameter", settings.settings.at(*decision.decisive).name)
      .field("reason", statement.reason);
  policy::ApprovalRequest request;
  request.session_id = c_.context->policy->session_id();
  request.kind = "db";
  request.target = client_.service;
  request.rule = statement.rule_name;
  request.message = statement.message;
  request.fields = {{"startup_parameter", settings.settings.at(*decision.decisive).name},
                    {"user", client_.user}};
  const policy::Verdict verdict =
      co_await flows::settle(c_, verdict_of(statement), std::move(request), std::move(event));
  if (verdict.permitted()) co_return true;
  co_await refuse(sql::denial_of(settings, decision, *decision.decisive));
  co_return false;
}

// --- the server ----------------------------------------------------------------------------------

asio::awaitable<Result<UpstreamAddress>> GuardFlow::upstream() {
  const policy::DbService& service = service_->service;
  UpstreamAddress address;
  address.host = service.upstream_host;
  address.port = service.upstream_port;
  address.tls = service.tls_mode == policy::DbTlsMode::kTerminateReissue;
  if (!context_->resolve_upstream) {
    address.targets.push_back(
        {.endpoint = c_.destination, .unix_path = {}, .name = service.upstream_host});
    co_return address;
  }
  if (const auto fixed = IpAddress::parse(address.host)) {
    address.targets.push_back({.endpoint = {*fixed, address.port}, .unix_path = {}, .name = {}});
    co_return address;
  }
  auto found = co_await c_.context->resolver->look_up(address.host);
  if (!found) co_return std::unexpected(found.error());
  for (const IpAddress& one : *found)
    address.targets.push_back(
        {.endpoint = {one, address.port}, .unix_path = {}, .name = address.host});
  co_return address;
}

void GuardFlow::record_failed_login(const sql::LoginFailure& why) {
  audit::Event event = database_event(c_, "db_handshake_fail", client_);
  event.field("reason", why.message).field("error_code", why.sqlstate);
  c_.context->policy->record(std::move(event));
}

// The policy permits replication: what is in it is not looked into.
asio::awaitable<void> GuardFlow::pass_replication(const sql::StartupMessage& startup) {
  auto address = co_await upstream();
  if (!address) co_return co_await refuse(failure(sql::kConnectionFailure, address.error().what));
  auto leg = co_await connect_server(c_, std::move(*address));
  if (!leg) co_return co_await refuse(std::move(leg.error()));
  c_.context->policy->record(database_event(c_, "degraded_visibility_warning", client_));
  ByteWriter first;
  write(startup, first);
  std::uint64_t sent = 0;
  if (!co_await flows::write_all(*leg->stream, first.view(), {}, sent)) co_return;
  co_await flows::relay_bytes(c_, *leg->stream);
}

asio::awaitable<void> GuardFlow::pass_through() {
  if (!co_await decide_connection(policy::DbConnectionKind::kConnect)) co_return;
  auto address = co_await upstream();
  if (!address) co_return co_await refuse(failure(sql::kConnectionFailure, address.error().what));
  address->tls = false;
  auto leg = co_await connect_server(c_, std::move(*address));
  if (!leg) co_return co_await refuse(std::move(leg.error()));
  c_.context->policy->record(database_event(c_, "degraded_visibility_warning", client_));
  co_await flows::relay_bytes(c_, *leg->stream);
}

asio::awaitable<void> GuardFlow::serve(sql::StartupMessage startup) {
  auto settings = sql::read_settings(startup);
  if (!settings) co_return co_await refuse(std::move(settings.error()));
  client_ = describe(*settings);
  const auto kind = settings->is_replication ? policy::DbConnectionKind::kReplication
                                             : policy::DbConnectionKind::kConnect;
  if (!co_await decide_connection(kind)) co_return;
  if (settings->is_replication) co_return co_await pass_replication(startup);
  if (!co_await decide_settings(*settings)) co_return;

  auto address = co_await upstream();
  if (!address) co_return co_await refuse(failure(sql::kConnectionFailure, address.error().what));
  const sql::Negotiation negotiation = sql::negotiate(startup);
  if (negotiation.answer) {
    ByteWriter answer;
    write(sql::BackendMessage{*negotiation.answer}, answer);
    if (!co_await reply(answer.view())) co_return;
  }
  LoginRequest request{.service = service_,
                       .credentials = context_->credentials,
                       .address = *address,
                       .startup = sql::upstream_startup(*settings, negotiation.minor, client_.user),
                       .client_user = settings->user,
                       .client_tls = tls_,
                       .client_end_point = std::move(end_point_)};
  service_->statements->floor().impose_on(request.startup);
  auto logged_in = co_await log_in(c_, std::move(request), from_server_);
  if (!logged_in) {
    record_failed_login(logged_in.error());
    co_return co_await refuse(std::move(logged_in.error()));
  }
  client_.upstream_subject = logged_in->leg.subject;
  address->targets = {logged_in->leg.target};
  RelayStart start{.context = context_,
                   .service = service_,
                   .client = client_,
                   .address = std::move(*address),
                   .session = std::move(session_),
                   .opening = std::move(logged_in->opening)};
  start.kind = kind_of(*settings, start.address);
  for (const auto& [name, value] : start.opening.parameters) start.session.reported(name, value);
  co_await relay_statements(c_, std::move(logged_in->leg.stream), from_server_.data(),
                            std::move(start));
}

asio::awaitable<void> GuardFlow::run() {
  service_ = context_->service();
  if (service_ == nullptr) {
    co_await refuse(failure(sql::kConnectionRejected,
                            "the guard cannot decide: the policy has no such service, or the audit "
                            "log cannot be written"));
    co_return;
  }
  client_.service = service_->service.name;
  client_.dialect = name_of(service_->dialect);
  client_.client_identity = context_->client_identity;
  c_.name = service_->service.upstream_host;
  if (service_->service.tls_mode == policy::DbTlsMode::kPassthrough) {
    co_await pass_through();
    co_return;
  }
  auto startup = co_await greet();
  if (startup) co_await serve(std::move(*startup));
}

}  // namespace

asio::awaitable<void> run_guard(flows::Connection& connection,
                                std::shared_ptr<const GuardContext> context) {
  GuardFlow flow(connection, std::move(context));
  co_await flow.run();
}

}  // namespace agentsh::pg
