// The request's side; http_response.cc has the response's.
#include "proxy/flows/http_exchange.h"

#include "proxy/codec/http/head_writer.h"
#include "proxy/codec/http/text.h"
#include "proxy/flows/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;

namespace {

// Later looks at whether the client is still there.
constexpr std::chrono::milliseconds kWatchInterval{1000};

// The server knows the connection, not the request, as a user's: it must not be shared.
bool is_connection_auth(std::string_view scheme) {
  return http::starts_ignoring_case(scheme, "ntlm") ||
         http::starts_ignoring_case(scheme, "negotiate");
}

// How content of unchanged length goes on.
OutputFraming same_framing(const http::Framing& framing) {
  return framing.kind == http::BodyKind::kChunked ? OutputFraming::kChunked : OutputFraming::kPlain;
}

}  // namespace

void RequestFacts::assign(const http::RequestHead& request) {
  static constexpr std::array<std::string_view, 6> kIdempotent = {"GET",   "HEAD", "OPTIONS",
                                                                  "TRACE", "PUT",  "DELETE"};
  method.assign(request.method());
  host.assign(request.authority().host);
  authority.assign(request.host_text());
  path.assign(request.path());
  port = request.authority().port;
  minor_version = request.minor_version();
  head = request.is_head();
  websocket = request.asks_for_websocket();
  keep_alive = request.keep_alive();
  repeatable = std::ranges::find(kIdempotent, method) != kIdempotent.end();
  connection_auth = is_connection_auth(request.value_of("authorization"));
  start = std::chrono::steady_clock::now();
}

HttpExchange::HttpExchange(Parts parts, std::size_t head_size)
    : p_(parts),
      held_(head_size),
      request_body_(parts.reader.body()),
      response_body_(parts.response.body()),
      watch_(parts.client_deadline.deadlines(), &check_client, this),
      stall_(parts.client_deadline.deadlines(), &end_stalled, this) {}

void HttpExchange::note(std::string_view code, std::string_view detail) {
  if (!result_.failure.empty()) return;  // The first cause is the true one.
  result_.failure = code;
  result_.detail = detail;
}

// The client may leave while we wait for the server: nobody reads the answer, and a model that
// works on it costs money. A client that said it would close may have ended its bytes already and
// still read.
void HttpExchange::check_client(void* self) {
  auto& exchange = *static_cast<HttpExchange*>(self);
  const int socket = exchange.client().native_handle();
  if (socket >= 0 && peer_is_gone(socket, exchange.p_.facts.keep_alive)) {
    exchange.client_gone_ = true;
    exchange.note("client_gone",
                  "the client ended the connection before the response was complete");
    if (exchange.upstream_ != nullptr) exchange.upstream_->stream().close(true);
  } else {
    exchange.watch_.expires_after(kWatchInterval);
  }
}

// Looks at the content that came with the head. False: it is refused.
bool HttpExchange::prepare_request() {
  if (p_.collected != nullptr) {
    upload_done_ = true;
    return true;
  }
  http::BodyReader& body = p_.reader.body();
  if (!body.done()) {
    if (p_.inspector != nullptr) {
      request_body_.inspect_with(*p_.inspector, &HttpInspector::on_request_body,
                                 p_.request_action.body);
      if (p_.request_action.body == BodyUse::kRewrite) {
        request_body_.frame_as(OutputFraming::kChunked);
      } else if (p_.request_action.body == BodyUse::kSubstitute) {
        request_body_.frame_as(same_framing(p_.reader.head().framing()));
      }
    }
    BodyForwarder::Piece piece = request_body_.process(client_in().data().subspan(held_));
    request_refusal_ = piece.refusal;
    inspector_refusal_ = std::move(piece.inspector_refusal);
    held_ += piece.consumed;
    first_content_ = piece.out;
  }
  upload_done_ = body.done();
  return request_refusal_ == http::Refusal::kNone && !inspector_refusal_;
}

// Takes the server connection of the request before, if there is one.
bool HttpExchange::take_attached() {
  upstream_ = std::move(p_.attached);
  if (upstream_ == nullptr) return false;
  // What cannot be sent again is not sent where the end is known already.
  const bool must_look = !p_.facts.repeatable || !upload_done_;
  if (must_look && !upstream_->is_alive()) upstream_.reset();
  return upstream_ != nullptr;
}

asio::awaitable<bool> HttpExchange::acquire(const Route& route, const UpstreamRequest& request,
                                            bool fresh) {
  UpstreamRequest wanted = request;
  wanted.fresh = fresh;
  UpstreamAttempt attempt =
      co_await connect_upstream(p_.connection, route.targets, std::move(wanted));
  upstream_ = std::move(attempt.upstream);
  if (upstream_ != nullptr) co_return true;
  const Trouble trouble = describe_unreachable(attempt, p_.facts.host);
  note(trouble.code, trouble.message);
  co_await answer(trouble.page());
  co_return false;
}

void HttpExchange::write_head() {
  http::RequestRewrite rewrite;
  // An HTTP/1.0 server that keeps connections would be asked for it; not worth it.
  rewrite.close = p_.facts.minor_version == 0;
  rewrite.edits = p_.request_action.edits.empty() ? nullptr : &p_.request_action.edits;
  std::string origin;
  if (upstream_->forward_proxy()) {
    origin = fmt::format("http://{}", p_.facts.authority);
    rewrite.origin = origin;
    rewrite.proxy_authorization = upstream_->proxy_authorization();
  }
  if (p_.collected != nullptr) {
    const bool had_content = p_.reader.head().framing().kind != http::BodyKind::kNone;
    if (had_content || !p_.collected->empty()) {
      rewrite.framing = http::Framing{http::BodyKind::kLength, p_.collected->size()};
    }
  } else if (!first_content_.empty() || !upload_done_) {
    const bool substituted = p_.request_action.body == BodyUse::kSubstitute &&
                             p_.reader.head().framing().kind == http::BodyKind::kChunked;
    if (p_.request_action.body == BodyUse::kRewrite || substituted) {
      rewrite.framing = http::Framing{http::BodyKind::kChunked, 0};
    }
  }
  p_.scratch.request_head.clear();
  http::write_request_head(p_.reader.head(), rewrite, p_.scratch.request_head);
}

void HttpExchange::start_sending() {
  if (p_.collected != nullptr) first_content_ = as_bytes(*p_.collected);
  write_head();
  if (p_.facts.connection_auth) upstream_->keep_private();
  sending_.emplace(as_bytes(p_.scratch.request_head), first_content_);
  const IoStatus sent = sending_->push(upstream_->stream());
  if (sent == IoStatus::kWouldBlock || (sent == IoStatus::kOk && !upload_done_)) {
    upload_.start(client().executor(), upload());
  }
  // An error is found again by whoever reads the response: it may have come before it.
}

// Sends what start_sending() left, then the rest of the content as the client sends it.
asio::awaitable<void> HttpExchange::upload() {
  upstream_->deadline().expires_after(options().write_stall);
  const IoStatus sent = co_await sending_->finish(upstream_->stream());
  if (sent == IoStatus::kError) co_return;
  result_.request_bytes += first_content_.size();
  first_content_ = {};
  client_in().consume(std::exchange(held_, 0));
  while (!upload_done_) {
    if (!co_await upload_rest()) co_return;
  }
  // A response that began before the request ended may last.
  if (result_.status == 0) {
    upstream_->deadline().expires_after(options().response_head);
  } else {
    upstream_->deadline().clear();
  }
}

asio::awaitable<bool> HttpExchange::upload_rest() {
  p_.client_deadline.expires_after(options().write_stall);
  const IoResult got = co_await read_more(client(), client_in(), ReadFirst::kWait);
  if (got.status != IoStatus::kOk) {
    client_gone_ = true;
    note("client_gone", "the client ended the connection in the middle of its request");
    abort_upload();
    co_return false;
  }
  p_.connection.bytes_sent += got.bytes;
  BodyForwarder::Piece piece = request_body_.process(client_in().data());
  request_refusal_ = piece.refusal;
  inspector_refusal_ = std::move(piece.inspector_refusal);
  if (request_refusal_ != http::Refusal::kNone || inspector_refusal_) {
    abort_upload();
    co_return false;
  }
  upstream_->deadline().expires_after(options().write_stall);
  Outgoing out(piece.out);
  IoStatus status = out.push(upstream_->stream());
  if (status == IoStatus::kWouldBlock) status = co_await out.finish(upstream_->stream());
  result_.request_bytes += out.written();
  client_in().consume(piece.consumed);
  upload_done_ = piece.end;
  co_return status == IoStatus::kOk;
}

// The server sees the request break off and cannot take a part for the whole.
void HttpExchange::abort_upload() {
  upstream_->stream().close(true);
}

bool HttpExchange::may_repeat() const {
  // All of the request is still here, nothing of the response came, and the connection was an old
  // one: the server had closed it.
  const bool broken_off = client_gone_ || response_refusal_ != http::Refusal::kNone;
  const bool kept = held_ > 0 || p_.collected != nullptr;
  return upstream_->reused() && upload_done_ && kept && !broken_off && upstream_->in.empty() &&
         !upstream_->deadline().expired() && (p_.facts.repeatable || sending_->written() == 0);
}

asio::awaitable<ExchangeResult> HttpExchange::run(const Route& route,
                                                  const UpstreamRequest& request) {
  p_.client_deadline.clear();
  HeadOutcome outcome = HeadOutcome::kFailed;
  if (prepare_request()) {
    bool repeated = false;
    while (true) {
      if (!take_attached() && !co_await acquire(route, request, repeated)) co_return result_;
      start_sending();
      outcome = co_await read_response_head();
      if (outcome == HeadOutcome::kOk || repeated || upload_.running() || !may_repeat()) break;
      repeated = true;
    }
  }
  result_.sent = sending_ && sending_->written() > 0;
  if (outcome == HeadOutcome::kOk && p_.declines != nullptr && (*p_.declines)(p_.response.head())) {
    decline();
  } else if (outcome == HeadOutcome::kOk) {
    const HeadAction action = begin_response();
    if (action.refusal) {
      co_await answer_inspector(*action.refusal);
      upstream_->stream().close(true);
    } else if (p_.response.head().switches_protocols()) {
      co_await relay_upgraded();
    } else {
      response_complete_ = co_await relay_content();
    }
  } else {
    co_await answer_failure(outcome);
  }
  watch_.clear();
  stall_.clear();
  if (upload_.running()) {
    upload_.cancel();
    co_await upload_.join();
  }
  finish();
  co_return result_;
}

// The inspector learns how it ended all the same.
void HttpExchange::decline() {
  result_.declined = true;
  result_.status = p_.response.head().status();
  if (p_.inspector != nullptr) {
    std::string unused;
    static_cast<void>(p_.inspector->on_response_head(p_.response.head()));
    static_cast<void>(p_.inspector->on_response_body({}, true, unused));
  }
  upstream_->stream().close(true);
}

// What becomes of the connections.
void HttpExchange::finish() {
  if (held_ > 0 || p_.collected != nullptr) result_.request_bytes += first_content_.size();
  if (upload_done_) client_in().consume(std::exchange(held_, 0));
  result_.unread = !upload_done_ || client_sends_on_;
  result_.keep_client = response_complete_ && upload_done_ && !close_client_ && !client_gone_;
  if (upstream_ == nullptr) return;
  upstream_->deadline().clear();
  const bool reusable = response_complete_ && upload_done_ && upstream_->in.empty() &&
                        p_.response.head().keep_alive() && p_.facts.minor_version == 1 &&
                        result_.failure.empty();
  if (!reusable) return;
  upstream_->count_exchange();
  p_.attached = std::move(upstream_);
}

asio::awaitable<void> HttpExchange::answer(http::ErrorPage page) {
  result_.unread = !upload_done_;
  if (!p_.answers_failures) {
    result_.unanswered = true;
    co_return;
  }
  page.head_request = p_.facts.head;
  page.close = true;
  close_client_ = true;
  result_.status = page.status;
  const std::string text = http::render(page);
  p_.client_deadline.expires_after(options().write_stall);
  static_cast<void>(co_await write_all(client(), as_bytes(text), {}, p_.connection.bytes_received));
}

asio::awaitable<void> HttpExchange::answer_inspector(const InspectorRefusal& refusal) {
  note(refusal.code, refusal.message);
  const Trouble trouble = describe_inspector_refusal(refusal);
  co_await answer(trouble.page());
}

asio::awaitable<void> HttpExchange::answer_failure(HeadOutcome outcome) {
  if (client_gone_) co_return;
  if (inspector_refusal_) {
    const InspectorRefusal refusal = *inspector_refusal_;
    co_await answer_inspector(refusal);
    co_return;
  }
  if (request_refusal_ != http::Refusal::kNone) {
    const http::RefusalInfo& info = http::describe(request_refusal_);
    note(info.code, info.sentence);
    const Trouble trouble = describe_refusal(request_refusal_);
    co_await answer(trouble.page());
    co_return;
  }
  Trouble trouble;
  if (outcome == HeadOutcome::kRefused) {
    trouble = describe_bad_response(response_refusal_, p_.facts.host);
  } else if (upstream_->deadline().expired()) {
    trouble = describe_late_response(p_.facts.host);
  } else {
    trouble = describe_broken_response(read_error_, p_.facts.host);
  }
  note(trouble.code, trouble.message);
  co_await answer(trouble.page());
}

}  // namespace agentsh::flows
