#include "appliance/handlers/handlers.h"
#include "base/json_writer.h"
#include "base/lock_guarded.h"
#include "proxy/net/socket_stream.h"

#include <fmt/format.h>

#include <charconv>
#include <deque>
#include <map>

namespace agentsh {
namespace {

using api::Exchange;
using api::Response;
using api::Role;
using boost::asio::awaitable;

// A subscriber that reads too slowly loses its stream rather than growing the daemon.
constexpr std::size_t kMaxQueued = 20'000;
constexpr std::size_t kMaxRows = 100'000;

std::optional<WallTime> parse_time(std::string_view text) {
  if (auto time = parse_rfc3339(text)) return time;
  if (auto back = parse_duration(text)) {
    return std::chrono::system_clock::now() -
           std::chrono::duration_cast<std::chrono::system_clock::duration>(*back);
  }
  return {};
}

std::vector<std::string> types_of_kind(std::string_view kind) {
  if (kind == "net")
    return {"dns_query",        "dns_redirect",  "net_connect",     "net_close",
            "net_http_request", "tls_intercept", "connect_redirect"};
  if (kind == "exec")
    return {"command_policy", "command_redirected", "command_started", "command_finished",
            "command_killed"};
  if (kind == "fs")
    return {"file_open", "file_read", "file_write", "file_create", "file_delete", "file_rename"};
  return {};
}

Result<audit::EventQuery> parse_query(const api::Request& request, std::string session_id) {
  audit::EventQuery query;
  query.session_id =
      session_id.empty() ? std::string(request.parameter("session")) : std::move(session_id);
  std::string_view types = request.parameter("type");
  while (!types.empty()) {
    const std::size_t comma = types.find(',');
    query.types.emplace_back(types.substr(0, comma));
    types.remove_prefix(comma == std::string_view::npos ? types.size() : comma + 1);
  }
  for (std::string& type : types_of_kind(request.parameter("kind")))
    query.types.push_back(std::move(type));
  query.decision = request.parameter("decision");
  query.path_like = request.parameter("path_like");
  query.domain_like = request.parameter("domain_like");
  query.text_like = request.parameter("text_like");
  const std::string_view order = request.parameter("order", "asc");
  if (order != "asc" && order != "desc") {
    return fail(fmt::format("order: \"{}\" is neither asc nor desc", order));
  }
  query.ascending = order == "asc";
  for (const auto& [name, target] :
       {std::pair("since", &query.since), std::pair("until", &query.until)}) {
    const std::string_view text = request.parameter(name);
    if (text.empty()) continue;
    *target = parse_time(text);
    if (!*target)
      return fail(fmt::format("{}: \"{}\" is neither an RFC 3339 time nor a duration", name, text));
  }
  for (const auto& [name, target] :
       {std::pair("limit", &query.limit), std::pair("offset", &query.offset)}) {
    const std::string_view text = request.parameter(name);
    if (text.empty()) continue;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *target);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return fail(fmt::format("{}: \"{}\" is no number that is possible here", name, text));
    }
  }
  query.limit = std::min(query.limit, kMaxRows);
  return query;
}

awaitable<Response> search(SessionRegistry& sessions, audit::Recorder& recorder,
                           std::string session_id, Exchange& exchange) {
  auto query = parse_query(exchange.request, std::move(session_id));
  if (!query) co_return Response::error(query.error());
  recorder.flush();
  auto page = recorder.query(*query);
  if (!page) co_return Response::error(page.error());
  // Ended sessions are found by whoever may see all; others see the sessions that are theirs.
  const bool all = exchange.request.caller.role == Role::kAdmin || !exchange.request.caller.local;
  JsonWriter json;
  json.begin_object().key("events").begin_array();
  for (const audit::RecordedEvent& event : page->events) {
    if (all || sessions.find(event.session_id, exchange.request.caller)) json.raw(event.json);
  }
  json.end_array().field("complete", page->complete).end_object();
  co_return Response::json(json.take());
}

// Events on their way from the recorder's thread to one client.
struct EventQueue {
  explicit EventQueue(boost::asio::any_io_executor executor) : wake(executor) {}
  LockGuarded<std::deque<std::string>> lines;
  std::atomic<bool> overflow = false;
  boost::asio::steady_timer wake;
};

awaitable<Response> follow(audit::Recorder& recorder, boost::asio::any_io_executor executor,
                           std::string session_id, Exchange& exchange) {
  auto queue = std::make_shared<EventQueue>(executor);
  queue->wake.expires_at(boost::asio::steady_timer::time_point::max());
  auto subscription =
      recorder.subscribe([queue, session_id, executor](const audit::RecordedEvent& event) {
        if (!session_id.empty() && event.session_id != session_id) return;
        auto lines = queue->lines.lock();
        if (lines->size() >= kMaxQueued) {
          queue->overflow = true;
          return;
        }
        lines->push_back(event.json);
        if (lines->size() == 1) boost::asio::post(executor, [queue] { queue->wake.cancel(); });
      });
  if (!co_await exchange.connection.start_stream("text/event-stream"))
    co_return Response::taken_over();
  if (!co_await exchange.connection.write_chunk("event: ready\ndata: {}\n\n"))
    co_return Response::taken_over();
  for (;;) {
    std::string text;
    {
      auto lines = queue->lines.lock();
      for (const std::string& line : *lines) text += "data: " + line + "\n\n";
      lines->clear();
    }
    if (!text.empty()) {
      if (!co_await exchange.connection.write_chunk(text)) break;
      continue;
    }
    if (queue->overflow) {
      co_await exchange.connection.write_chunk(
          "event: overflow\ndata: {\"error\":\"the client reads too slowly\"}\n\n");
      break;
    }
    queue->wake.expires_after(std::chrono::seconds(15));
    auto [error] =
        co_await queue->wake.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    // A comment now and then finds out that the client is gone.
    if (!error && !co_await exchange.connection.write_chunk(": alive\n\n")) break;
  }
  co_await exchange.connection.end_stream();
  co_return Response::taken_over();
}

awaitable<Response> statistics(audit::Recorder& recorder, std::string session_id) {
  audit::EventQuery query;
  query.session_id = session_id;
  query.limit = kMaxRows;
  recorder.flush();
  auto page = recorder.query(query);
  if (!page) co_return Response::error(page.error());
  std::map<std::string, std::map<std::string, std::uint64_t>> counts;
  for (const audit::RecordedEvent& event : page->events) {
    ++counts[event.type][event.decision.empty() ? "none" : event.decision];
  }
  JsonWriter json;
  json.begin_object()
      .field("session_id", std::string_view(session_id))
      .field("events", page->events.size());
  json.key("by_type").begin_object();
  for (const auto& [type, decisions] : counts) {
    json.key(type).begin_object();
    for (const auto& [decision, count] : decisions) json.field(decision, count);
    json.end_object();
  }
  json.end_object().end_object();
  co_return Response::json(json.take());
}

// What wrap prints at the end: what was denied and why, what was reached.
awaitable<Response> summary(audit::Recorder& recorder, std::string session_id) {
  audit::EventQuery query;
  query.session_id = session_id;
  query.limit = kMaxRows;
  query.ascending = true;
  recorder.flush();
  auto page = recorder.query(query);
  if (!page) co_return Response::error(page.error());
  std::map<std::string, std::uint64_t> hosts, denials;
  std::uint64_t commands = 0;
  for (const audit::RecordedEvent& event : page->events) {
    auto document = JsonDocument::parse(event.json);
    if (!document) continue;
    const JsonValue root = document->root();
    if (event.type == "command_started") ++commands;
    const std::string_view domain =
        root.text("domain").empty() ? root.text("remote") : root.text("domain");
    if (event.type == "net_connect" && event.decision != "deny") ++hosts[std::string(domain)];
    if (event.decision == "deny") {
      const JsonValue policy = root.member("policy");
      const std::string_view target =
          domain.empty() ? root.member("fields").text("command") : domain;
      ++denials[fmt::format("{} {} (rule {}): {}", event.type, target, policy.text("rule"),
                            policy.text("message"))];
    }
  }
  std::string text = fmt::format("\nagentsh session {}\n  commands   {}\n  hosts      {}\n",
                                 session_id, commands, hosts.size());
  for (const auto& [host, count] : hosts)
    text += fmt::format("             {} ({})\n", host, count);
  text += fmt::format("  denied     {}\n", denials.size());
  for (const auto& [what, count] : denials)
    text += fmt::format("             {}{}\n", what, count > 1 ? fmt::format(" x{}", count) : "");
  if (!denials.empty()) {
    text += fmt::format("  To see more: agentsh events query --session {} --decision deny\n",
                        session_id);
  }
  co_return Response::text(std::move(text));
}

bool visible(const SessionRegistry& sessions, const Exchange& exchange) {
  return sessions.find(exchange.request.captures[0], exchange.request.caller) != nullptr ||
         exchange.request.caller.role == Role::kAdmin;
}

template <class Function>
awaitable<Response> with_visible(SessionRegistry& sessions, Function function, Exchange& exchange) {
  const std::string id = exchange.request.captures[0];
  if (!visible(sessions, exchange)) co_return Response::error(404, "session not found: " + id);
  co_return co_await function(id, exchange);
}

template <class Function>
api::Handler for_visible(SessionRegistry& sessions, Function function) {
  return [&sessions, function](Exchange& exchange) {
    return with_visible(sessions, function, exchange);
  };
}

}  // namespace

void add_event_routes(api::Router& router, SessionRegistry& sessions, audit::Recorder& recorder,
                      boost::asio::any_io_executor executor) {
  router.add("GET", "/api/v1/sessions/{id}/history", Role::kAgent,
             for_visible(sessions, [&](std::string id, Exchange& exchange) {
               return search(sessions, recorder, std::move(id), exchange);
             }));
  router.add("GET", "/api/v1/sessions/{id}/events", Role::kAgent,
             for_visible(sessions, [&recorder, executor](std::string id, Exchange& exchange) {
               return follow(recorder, executor, std::move(id), exchange);
             }));
  router.add("GET", "/api/v1/sessions/{id}/stats", Role::kAgent,
             for_visible(sessions, [&](std::string id, Exchange&) {
               return statistics(recorder, std::move(id));
             }));
  router.add("GET", "/api/v1/sessions/{id}/summary", Role::kAgent,
             for_visible(sessions, [&](std::string id, Exchange&) {
               return summary(recorder, std::move(id));
             }));
  router.add("GET", "/api/v1/events/search", Role::kAgent,
             [&](Exchange& exchange) { return search(sessions, recorder, {}, exchange); });
  router.add("GET", "/api/v1/events", Role::kAdmin, [&recorder, executor](Exchange& exchange) {
    return follow(recorder, executor, {}, exchange);
  });
}

}  // namespace agentsh
