#include "proxy/postgres/statement_relay.h"

#include "proxy/flows/child_task.h"
#include "proxy/flows/route.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/socket_stream.h"
#include "proxy/postgres/catalog_stock.h"
#include "sqlguard/codec/startup.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace agentsh::pg {
namespace asio = boost::asio;
using flows::Buffer;
using net::IoResult;
using net::IoStatus;

namespace {

constexpr std::chrono::milliseconds kFarewell{1000};  // For a last ErrorResponse to be read.
constexpr std::size_t kKeptCapacity = 64 << 10;

// Who may write next. A place in the row is taken when the bytes are made, so they go out in that
// order whoever makes them.
class Turns {
 public:
  explicit Turns(const asio::any_io_executor& executor)
      : moved_(executor, asio::steady_timer::time_point::max()) {}

  std::uint64_t take() { return taken_++; }
  bool is_up(std::uint64_t turn) const { return done_ == turn; }
  asio::awaitable<void> wait(std::uint64_t turn) {
    while (!is_up(turn)) co_await moved_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  void done() {
    ++done_;
    if (taken_ != done_) moved_.cancel();
  }

 private:
  std::uint64_t taken_ = 0, done_ = 0;
  asio::steady_timer moved_;
};

// All parts, in order.
asio::awaitable<bool> write_parts(net::ByteStream& stream, std::vector<Bytes>& parts,
                                  std::uint64_t& count) {
  std::size_t first = 0;
  while (first < parts.size()) {
    const IoResult sent = stream.try_write(std::span(parts).subspan(first));
    if (sent.status == IoStatus::kOk) {
      count += sent.bytes;
      std::size_t left = sent.bytes;
      while (first < parts.size() && left >= parts[first].size()) left -= parts[first++].size();
      if (first < parts.size()) parts[first] = parts[first].subspan(left);
      continue;
    }
    if (sent.status != IoStatus::kWouldBlock) co_return false;
    if (!co_await stream.wait(sent.want)) co_return false;
  }
  co_return true;
}

// The worker ends its tasks.
asio::awaitable<bool> is_shutting_down() {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

class StatementRelay final : public sql::ConnectionObserver {
 public:
  StatementRelay(flows::Connection& connection, std::unique_ptr<net::ByteStream> server,
                 RelayStart start)
      : c_(connection),
        server_(std::move(server)),
        start_(std::move(start)),
        engine_(setup()),
        turns_(c_.client->executor()),
        progress_(c_.client->executor(), asio::steady_timer::time_point::max()),
        farewell_(*c_.client),
        alive_(std::make_shared<StatementRelay*>(this)) {}
  ~StatementRelay() override { *alive_ = nullptr; }

  asio::awaitable<void> run(Bytes from_server);
  void completed(const sql::StatementRecord& record) override;
  void looked_up(const std::shared_ptr<const sql::CatalogAnswer>& answer, bool first,
                 std::string_view reason) override;

 private:
  sql::GuardedConnection::Setup setup();
  void look_at_policy();
  asio::awaitable<void> serve_client();
  asio::awaitable<void> serve_server();
  asio::awaitable<bool> write_both();
  asio::awaitable<bool> write_client(std::vector<Bytes>& parts, std::uint64_t turn);
  asio::awaitable<void> ask();
  asio::awaitable<bool> open_session();
  CancelTable::Cancel canceller();
  void withdraw();
  asio::awaitable<void> wait_for_client_to_leave();

  flows::Connection& c_;
  std::unique_ptr<net::ByteStream> server_;
  RelayStart start_;
  std::shared_ptr<sql::Judge> judge_;
  sql::GuardedConnection engine_;
  Turns turns_;
  asio::steady_timer progress_;  // Canceled when the server's answers may have ended a hold.
  std::uint64_t answers_ = 0;    // Pieces of the server that the engine has seen.
  bool server_ended_ = false;
  std::optional<CancelTable::Entry> key_;
  std::string approval_id_;
  net::StreamDeadline farewell_;
  Buffer from_server_;
  sql::ByteVector sending_, answering_;
  std::vector<Bytes> parts_;
  std::shared_ptr<StatementRelay*> alive_;
};

sql::GuardedConnection::Setup StatementRelay::setup() {
  judge_ = judge_for(c_.client->executor(), start_.service);
  return {.judge = judge_.get(),
          .observer = this,
          .session = std::move(start_.session),
          .catalog = CatalogStock::of_process().find(start_.kind),
          .service = start_.client.service,
          .allow_function_calls = start_.service->service.allow_function_call_protocol};
}

// The policy may have been replaced, and the trail may be full.
void StatementRelay::look_at_policy() {
  auto now = start_.context->service();
  if (now == nullptr) {
    engine_.use(nullptr);
    return;
  }
  if (now != start_.service) {
    start_.service = std::move(now);
    judge_ = judge_for(c_.client->executor(), start_.service);
  }
  engine_.use(judge_.get());
}

void StatementRelay::completed(const sql::StatementRecord& record) {
  RecordedStatement event = statement_event(c_, start_.client, start_.service->options, record);
  ++c_.requests;
  c_.context->policy->record(std::move(event.event), event.verdict);
}

void StatementRelay::looked_up(const std::shared_ptr<const sql::CatalogAnswer>& answer, bool first,
                               std::string_view reason) {
  if (answer == nullptr) {
    audit::Event event = database_event(c_, "db_catalog_unavailable", start_.client);
    event.field("reason", std::string(reason));
    c_.context->policy->record(std::move(event));
  }
  if (first && answer != nullptr)
    CatalogStock::of_process().keep(start_.kind, answer);
  else
    CatalogStock::of_process().forget(start_.kind);
}

asio::awaitable<bool> StatementRelay::write_client(std::vector<Bytes>& parts, std::uint64_t turn) {
  if (!turns_.is_up(turn)) co_await turns_.wait(turn);
  const bool written = co_await write_parts(*c_.client, parts, c_.bytes_received);
  turns_.done();
  co_return written;
}

// What the engine made of the client's bytes, for both sides.
asio::awaitable<bool> StatementRelay::write_both() {
  if (!engine_.to_client().empty()) {
    answering_.swap(engine_.to_client());
    const std::uint64_t turn = turns_.take();
    std::vector<Bytes> parts = {answering_};
    if (!co_await write_client(parts, turn)) co_return false;
    answering_.clear();
  }
  if (!engine_.to_server().empty()) {
    sending_.swap(engine_.to_server());
    parts_.assign(1, sending_);
    std::uint64_t sent = 0;
    if (!co_await write_parts(*server_, parts_, sent)) co_return false;
    sending_.clear();
    if (sending_.capacity() > kKeptCapacity) sending_.shrink_to_fit();
  }
  co_return true;
}

asio::awaitable<void> StatementRelay::ask() {
  const sql::JudgedPtr judged = engine_.question()->judged;
  const sql::StatementDecision& decision = *judged->strictest;
  policy::ApprovalRequest request;
  request.session_id = c_.context->policy->session_id();
  request.command_id = c_.actor.command_id;
  request.kind = "db";
  request.target = start_.client.service;
  request.rule = decision.rule_name;
  request.message = decision.message;
  request.fields = {{"statement", statement_preview(start_.service->options, *judged)},
                    {"operation", std::string(name_of(decision.group))},
                    {"user", start_.client.user},
                    {"database", start_.client.database}};
  audit::Event event = database_event(c_, "db_approval", start_.client);
  event.operation = name_of(decision.group);
  event.field("statement_digest", judged->digest);
  policy::Verdict verdict = co_await flows::settle(c_, verdict_of(decision), std::move(request),
                                                   std::move(event), &approval_id_);
  approval_id_.clear();
  engine_.answer(std::move(verdict));
}

asio::awaitable<void> StatementRelay::serve_client() {
  for (;;) {
    look_at_policy();
    const std::uint64_t seen = answers_;
    c_.start.consume(engine_.from_client(c_.start.data()));
    if (!co_await write_both()) co_return;
    if (server_ended_) {
      co_await wait_for_client_to_leave();
      co_return;
    }
    if (engine_.finished()) co_return;
    if (engine_.question() != nullptr) {
      co_await ask();
      continue;
    }
    if (engine_.is_held()) {
      while (answers_ == seen && !server_ended_) {
        co_await progress_.async_wait(asio::as_tuple(asio::use_awaitable));
        if (co_await is_shutting_down()) co_return;
      }
      continue;
    }
    const IoResult got = co_await flows::read_more(*c_.client, c_.start, flows::ReadFirst::kWait);
    if (got.status != IoStatus::kOk) {
      engine_.client_ended();
      co_return;
    }
    c_.bytes_sent += got.bytes;
  }
}

asio::awaitable<void> StatementRelay::serve_server() {
  sql::Outgoing out;
  for (;;) {
    if (!from_server_.empty()) {
      out.clear();
      const std::size_t taken = engine_.from_server(from_server_.data(), out);
      ++answers_;
      if (engine_.is_held()) progress_.cancel();
      const bool finished = engine_.finished();
      if (!out.empty()) {
        const std::uint64_t turn = turns_.take();
        if (!co_await write_client(out.parts(), turn)) break;
      }
      if (finished) break;
      from_server_.consume(taken);
    }
    const IoResult got = co_await flows::read_more(*server_, from_server_, flows::ReadFirst::kWait);
    if (got.status != IoStatus::kOk) break;
  }
  server_ended_ = true;
  progress_.cancel();
  if (!approval_id_.empty()) c_.context->policy->abandon(approval_id_);
  server_->close();
  // The last words are written. The client ends its side, which serve_client() waits for, or is
  // closed.
  static_cast<void>(co_await c_.client->shutdown_write());
  farewell_.expires_after(kFarewell);
}

// What it still sends is thrown away: bytes that are not read would take the last words along.
asio::awaitable<void> StatementRelay::wait_for_client_to_leave() {
  for (;;) {
    c_.start.consume(c_.start.size());
    const IoResult got = co_await flows::read_more(*c_.client, c_.start, flows::ReadFirst::kWait);
    if (got.status != IoStatus::kOk) co_return;
  }
}

void StatementRelay::withdraw() {
  if (engine_.cancel() && !approval_id_.empty()) c_.context->policy->abandon(approval_id_);
}

// The server is asked on a connection of its own, with its own key.
asio::awaitable<void> send_cancel(std::shared_ptr<const flows::FlowContext> context,
                                  Endpoint destination, UpstreamAddress address,
                                  sql::SessionStart::CancelKey key,
                                  asio::any_io_executor executor) {
  flows::Connection asking;
  asking.context = std::move(context);
  asking.destination = destination;
  auto pair = net::stream_pair(executor);
  if (!pair) co_return;
  asking.client = std::move(pair->first);  // connect_server() runs on its loop.
  auto leg = co_await connect_server(asking, std::move(address));
  if (!leg) co_return;
  ByteWriter request;
  write(sql::CancelRequest{.process = key.process, .key = std::move(key.key)}, request);
  std::uint64_t sent = 0;
  net::StreamDeadline deadline(*leg->stream);
  deadline.expires_after(asking.options().connect);
  if (co_await flows::write_all(*leg->stream, request.view(), {}, sent))
    co_await net::drain_and_close(*leg->stream, 1024);
}

CancelTable::Cancel StatementRelay::canceller() {
  std::function<void()> run = [alive = alive_, executor = c_.client->executor(),
                               context = c_.context, destination = c_.destination,
                               address = start_.address, key = *start_.opening.cancel_key] {
    asio::post(executor, [=] {
      if (*alive == nullptr) return;
      if ((*alive)->engine_.question() != nullptr) {
        (*alive)->withdraw();
        return;
      }
      asio::co_spawn(executor, send_cancel(context, destination, address, key, executor),
                     asio::detached);
    });
  };
  return {.run = std::move(run),
          .user = start_.client.user,
          .database = start_.client.database,
          .application_name = start_.client.application_name,
          .client_identity = start_.client.client_identity};
}

asio::awaitable<bool> StatementRelay::open_session() {
  sql::SessionStart::CancelKey key;
  if (start_.opening.cancel_key) {
    key_ = start_.context->cancels->add(start_.opening.cancel_key->key.size(), canceller());
    if (key_) key = {key_->key().process, key_->key().key};
  }
  engine_.begin(sql::session_opening(start_.opening, key_ ? &key : nullptr));
  co_return co_await write_both();
}

asio::awaitable<void> StatementRelay::run(Bytes from_server) {
  if (!from_server.empty()) {
    static_cast<void>(from_server_.room());
    from_server_.append(from_server);
  }
  flows::ChildTask server_side;
  if (co_await open_session()) {
    server_side.start(c_.client->executor(), serve_server());
    co_await serve_client();
  }
  key_.reset();
  if (engine_.finished() && !server_ended_ && !engine_.client_left()) {
    // Refused by ourselves: the answer is written, the client reads it.
    net::StreamDeadline deadline(*c_.client);
    deadline.expires_after(kFarewell);
    co_await net::drain_and_close(*c_.client, 64 << 10);
  }
  server_->close();
  server_side.cancel();
  co_await server_side.join();
  c_.client->close();
}

}  // namespace

asio::awaitable<void> relay_statements(flows::Connection& connection,
                                       std::unique_ptr<net::ByteStream> server, Bytes from_server,
                                       RelayStart start) {
  StatementRelay relay(connection, std::move(server), std::move(start));
  co_await relay.run(from_server);
}

}  // namespace agentsh::pg
