#include "appliance/handlers/handlers.h"
#include "appliance/sessions/directory_check.h"
#include "appliance/sessions/request_keys.h"
#include "base/encoding.h"
#include "base/json_writer.h"

#include <fmt/format.h>

#include <charconv>
#include <csignal>

namespace agentsh {
namespace {

using api::Exchange;
using api::Response;
using api::Role;
using boost::asio::awaitable;

constexpr std::uint64_t kPageLimit = 64 << 10;

Response no_such_session(std::string_view id) {
  return Response::error(404, fmt::format("session not found: {}", id));
}

std::string json_of(const Session& session) {
  JsonWriter json;
  session.write_json(json);
  std::string text = json.take();
  text.insert(text.size() - 1,
              fmt::format(",\"proxy_url\":{}", json_quoted(NetworkService::proxy_url())));
  return text;
}

std::uint64_t number(const api::Request& request, std::string_view name, std::uint64_t otherwise) {
  const std::string_view text = request.parameter(name);
  std::uint64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

awaitable<Response> create_session(SessionRegistry& sessions, Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  auto request = SessionRequest::parse(body->root());
  if (!request) co_return Response::error(request.error());
  auto session = co_await sessions.create(std::move(*request), exchange.request.caller);
  if (!session) co_return Response::error(session.error());
  co_return Response::json(json_of(**session), 201);
}

awaitable<Response> list_sessions(SessionRegistry& sessions, Exchange& exchange) {
  std::string text = "[";
  for (const auto& session : sessions.list(exchange.request.caller)) {
    if (text.size() > 1) text += ',';
    text += json_of(*session);
  }
  co_return Response::json(text + "]");
}

awaitable<Response> update_session(std::shared_ptr<Session> session, Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  const JsonValue root = body->root();
  constexpr RequestKey kKeys[] = {
      {"cwd"}, {"env", RequestKey::Type::kObject}, {"unset", RequestKey::Type::kArray}};
  if (auto checked = check_request_keys(root, kKeys); !checked)
    co_return Response::error(checked.error());
  for (const auto& [name, value] : root.member("env").members()) {
    const bool good = JsonValue(&value).is_string() && !name.empty() &&
                      name.find('=') == std::string::npos && name.find('\0') == std::string::npos &&
                      JsonValue(&value).as_text().find('\0') == std::string_view::npos;
    if (!good) co_return Response::error(400, "env: must hold names of variables and strings");
  }
  if (const std::string_view cwd = root.text("cwd"); !cwd.empty()) {
    auto directory = session->resolved(std::string(cwd));
    if (!directory) co_return Response::error(directory.error());
    if (auto entered = co_await check_directory(session, *directory); !entered)
      co_return Response::error(entered.error());
    session->set_cwd(std::move(*directory));
  }
  // Names only: values may be secrets.
  std::vector<std::string> names;
  for (const auto& [name, value] : root.member("env").members()) {
    session->set_variable(name, std::string(JsonValue(&value).as_text()));
    names.push_back(name);
  }
  const std::vector<std::string> unset = root.texts("unset");
  for (const std::string& name : unset) session->unset_variable(name);
  audit::Event event("session_updated");
  event.source = "api";
  event.field("caller", exchange.request.caller.name).field("cwd", session->cwd());
  event.field("env", std::move(names)).field("unset", unset);
  session->gate().record(std::move(event));
  co_return Response::json(json_of(*session));
}

// The session that exec names; an unknown one is made where the client stands.
awaitable<Result<std::shared_ptr<Session>>> session_for(SessionRegistry& sessions,
                                                        const ExecRequest& request,
                                                        const Exchange& exchange) {
  const std::string& id = exchange.request.captures[0];
  if (auto session = sessions.find(id, exchange.request.caller)) co_return session;
  if (request.workspace.empty())
    co_return fail("session not found: " + id, std::errc::no_such_file_or_directory);
  // An id of ours was a session's with its policy and limits; under another policy it would be a
  // way around them.
  if (is_made_session_id(id)) {
    co_return fail(
        fmt::format("session not found: {} has ended; `agentsh session create` makes a new one",
                    id),
        std::errc::no_such_file_or_directory);
  }
  SessionRequest create;
  create.id = id;
  if (!valid_session_id(id)) co_return fail(fmt::format("\"{}\" is no session id", printable(id)));
  create.workspace = request.workspace;
  create.policy = request.policy;
  for (const auto& [name, value] : request.environment) {
    if (name == "HOME") create.home = value;
  }
  co_return co_await sessions.create(std::move(create), exchange.request.caller);
}

awaitable<Response> exec(SessionRegistry& sessions, CommandRunner& commands, Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  auto request = ExecRequest::parse(body->root());
  if (!request) co_return Response::error(request.error());
  auto session = co_await session_for(sessions, *request, exchange);
  if (!session) co_return Response::error(session.error());
  std::vector<UniqueFd> fds = std::move(exchange.request.fds);
  if (exchange.request.upgrade == "agentsh-exec") {
    auto outcome =
        co_await commands.run_attached(*session, *request, std::move(fds), exchange.connection);
    if (!outcome) co_return Response::taken_over();
    co_return Response::json(render(*request, *outcome),
                             outcome->problem && outcome->problem->blocked ? 403 : 200);
  }
  const ExecOutcome outcome =
      co_await commands.run_captured(*session, *request, std::move(fds), exchange.connection);
  co_return Response::json(render(*request, outcome),
                           outcome.problem && outcome.problem->blocked ? 403 : 200);
}

awaitable<Response> kill_command(std::shared_ptr<Session> session, Exchange& exchange) {
  auto command = session->find_command(exchange.request.captures[1]);
  if (!command)
    co_return Response::error(404, "command not found: " + exchange.request.captures[1]);
  if (!command->finished()) {
    command->killed = true;
    session->process().signal(command->spawn_id, SIGKILL, true);
  }
  JsonWriter json;
  json.begin_object()
      .field("command_id", std::string_view(command->id))
      .field("killed", !command->finished());
  co_return Response::json(json.end_object().take());
}

awaitable<Response> page_output(std::shared_ptr<Session> session, Exchange& exchange) {
  auto command = session->find_command(exchange.request.captures[1]);
  if (!command)
    co_return Response::error(404, "command not found: " + exchange.request.captures[1]);
  const std::string_view stream = exchange.request.parameter("stream", "stdout");
  const StoredOutput& output =
      stream == "stderr" ? command->standard_error : command->standard_output;
  const std::uint64_t offset =
      std::min<std::uint64_t>(number(exchange.request, "offset", 0), output.text.size());
  const std::uint64_t limit =
      std::min(number(exchange.request, "limit", kPageLimit), std::uint64_t{1} << 20);
  const std::string data = output.text.substr(offset, limit);
  JsonWriter json;
  json.begin_object().field("command_id", std::string_view(command->id)).field("stream", stream);
  json.field("offset", offset).field("limit", limit).field("total_bytes", output.total);
  json.field("truncated", output.total > output.text.size());
  const bool text = is_utf8(data);
  json.field("data", std::string_view(text ? data : to_base64(data)));
  if (!text) json.field("encoding", "base64");
  json.field("has_more", offset + data.size() < output.text.size()).end_object();
  co_return Response::json(json.take());
}

awaitable<Response> publish(NetworkService& network, std::shared_ptr<Session> session,
                            Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  const std::int64_t port = body->root().integer("port");
  const std::int64_t host_port = body->root().integer("host_port");
  if (port < 1 || port > 65535 || host_port < 0 || host_port > 65535) {
    co_return Response::error(400, "port: must be a number from 1 to 65535");
  }
  if (!session->has_own_network()) {
    co_return Response::error(409,
                              "this session has no network of its own (security.mode), and nothing "
                              "in it may listen");
  }
  auto published = network.publish(
      session->id(), static_cast<std::uint16_t>(host_port), session->executor(),
      [weak = std::weak_ptr(session), port](std::function<void(Result<UniqueFd>)> done) {
        auto alive = weak.lock();
        if (!alive) return done(fail("the session has ended"));
        if (auto asked = alive->process().open_loopback(static_cast<std::uint16_t>(port), done);
            !asked) {
          done(std::unexpected(asked.error()));
        }
      });
  if (!published) co_return Response::error(published.error());
  JsonWriter json;
  json.begin_object().field("port", port).field("host_port", *published).end_object();
  co_return Response::json(json.take());
}

awaitable<Response> show_session(std::shared_ptr<Session> session) {
  co_return Response::json(json_of(*session));
}

awaitable<Response> destroy_session(SessionRegistry& sessions, std::shared_ptr<Session> session) {
  co_await sessions.destroy(std::move(session), SessionState::kCompleted);
  co_return Response{204, {}};
}

template <class Function>
awaitable<Response> with_session(SessionRegistry& sessions, Function function, Exchange& exchange) {
  auto session = sessions.find(exchange.request.captures[0], exchange.request.caller);
  if (!session) co_return no_such_session(exchange.request.captures[0]);
  co_return co_await function(std::move(session), exchange);
}

// A handler for one session that the caller may see. `function` is no coroutine itself, so nothing
// that it captures can be gone when the work goes on.
template <class Function>
api::Handler for_session(SessionRegistry& sessions, Function function) {
  return [&sessions, function](Exchange& exchange) {
    return with_session(sessions, function, exchange);
  };
}

}  // namespace

void add_session_routes(api::Router& router, SessionRegistry& sessions, CommandRunner& commands,
                        NetworkService& network) {
  router.add("POST", "/api/v1/sessions", Role::kAgent,
             [&](Exchange& exchange) { return create_session(sessions, exchange); });
  router.add("GET", "/api/v1/sessions", Role::kAgent,
             [&](Exchange& exchange) { return list_sessions(sessions, exchange); });
  router.add("GET", "/api/v1/sessions/{id}", Role::kAgent,
             for_session(sessions, [&](std::shared_ptr<Session> session, Exchange&) {
               return show_session(std::move(session));
             }));
  router.add("PATCH", "/api/v1/sessions/{id}", Role::kAgent,
             for_session(sessions, [&](std::shared_ptr<Session> session, Exchange& exchange) {
               return update_session(std::move(session), exchange);
             }));
  router.add("DELETE", "/api/v1/sessions/{id}", Role::kAgent,
             for_session(sessions, [&](std::shared_ptr<Session> session, Exchange&) {
               return destroy_session(sessions, std::move(session));
             }));
  router.add("POST", "/api/v1/sessions/{id}/exec", Role::kAgent,
             [&](Exchange& exchange) { return exec(sessions, commands, exchange); });
  router.add("POST", "/api/v1/sessions/{id}/kill/{command}", Role::kAgent,
             for_session(sessions, kill_command));
  router.add("GET", "/api/v1/sessions/{id}/output/{command}", Role::kAgent,
             for_session(sessions, page_output));
  router.add("POST", "/api/v1/sessions/{id}/publish", Role::kApprover,
             for_session(sessions, [&](std::shared_ptr<Session> session, Exchange& exchange) {
               return publish(network, std::move(session), exchange);
             }));
}

}  // namespace agentsh
