// The response's side of HttpExchange.
#include "proxy/codec/http/head_writer.h"
#include "proxy/codec/http/text.h"
#include "proxy/flows/http_exchange.h"
#include "proxy/flows/pages.h"
#include "proxy/flows/switched_relay.h"
#include "proxy/net/relay.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;

namespace {

// After a refusal the server may still be sending.
constexpr std::chrono::milliseconds kLastWordsRead{1000};
constexpr std::size_t kMaxUnread = 4 << 20;

}  // namespace

asio::awaitable<HttpExchange::HeadOutcome> HttpExchange::read_response_head() {
  p_.response.expect({.head = p_.facts.head, .websocket = p_.facts.websocket});
  if (!upload_.running()) upstream_->deadline().expires_after(options().response_head);
  watch_.expires_after(options().client_watch);
  while (true) {
    const http::HeadStep step = p_.response.read_head(upstream_->in.data());
    if (step.size > 0) {
      if (!p_.response.head().interim()) co_return HeadOutcome::kOk;
      if (!co_await forward_interim()) co_return HeadOutcome::kFailed;
      continue;
    }
    response_refusal_ = step.refusal;
    if (step.refusal != http::Refusal::kNone) co_return HeadOutcome::kRefused;
    const IoResult got = co_await read_more(upstream_->stream(), upstream_->in, ReadFirst::kWait);
    if (got.status == IoStatus::kOk) continue;
    read_error_ = got.error;
    if (upstream_->in.empty()) {
      co_return got.status == IoStatus::kEnd ? HeadOutcome::kEnded : HeadOutcome::kFailed;
    }
    response_refusal_ = http::Refusal::kCutShort;
    co_return HeadOutcome::kRefused;
  }
}

asio::awaitable<bool> HttpExchange::forward_interim() {
  const std::size_t size = p_.response.head().text().size();
  std::string& out = p_.scratch.response_head;
  out.clear();
  // HTTP/1.0 does not know interim responses.
  const bool wanted =
      p_.facts.minor_version == 1 &&
      (p_.inspector == nullptr || p_.inspector->on_interim_head(p_.response.head()));
  if (wanted) http::write_response_head(p_.response.head(), {}, out);
  upstream_->in.consume(size);
  Outgoing sending(as_bytes(out));
  co_return push_to_client(sending) || co_await finish_sending(sending);
}

// True: all of it went at once, which is the rule and costs no coroutine. Else finish_sending().
bool HttpExchange::push_to_client(Outgoing& out) {
  if (out.push(client()) != IoStatus::kOk) return false;
  p_.connection.bytes_received += out.written();
  return true;
}

asio::awaitable<bool> HttpExchange::finish_sending(Outgoing& out) {
  IoStatus status = out.error() ? IoStatus::kError : IoStatus::kWouldBlock;
  if (status == IoStatus::kWouldBlock) {
    p_.client_deadline.expires_after(options().write_stall);
    status = co_await out.finish(client());
    p_.client_deadline.clear();
  }
  p_.connection.bytes_received += out.written();
  if (status == IoStatus::kOk) co_return true;
  client_gone_ = true;
  note("client_gone", "the client took no more of the response");
  // The server need not go on working for nobody.
  upstream_->stream().close(true);
  co_return false;
}

HeadAction HttpExchange::inspect_response_head() {
  if (p_.inspector == nullptr) return {};
  HeadAction action = p_.inspector->on_response_head(p_.response.head());
  response_body_.inspect_with(*p_.inspector, &HttpInspector::on_response_body, action.body);
  return action;
}

void HttpExchange::write_response_head(const HeadAction& action) {
  const http::ResponseHead& head = p_.response.head();
  http::ResponseRewrite rewrite;
  rewrite.edits = action.edits.empty() ? nullptr : &action.edits;
  const bool chunked = head.framing().kind == http::BodyKind::kChunked;
  const bool done = p_.response.body().done();
  const bool rewritten = action.body == BodyUse::kRewrite && !done;
  const bool substituted = action.body == BodyUse::kSubstitute && !done;
  const bool old_client = p_.facts.minor_version == 0;
  bool until_close = head.framing().kind == http::BodyKind::kUntilClose;
  if ((rewritten || (substituted && chunked)) && !old_client) {
    response_body_.frame_as(OutputFraming::kChunked);
    rewrite.framing = http::Framing{http::BodyKind::kChunked, 0};
    until_close = false;
  } else if ((rewritten || chunked) && old_client) {
    // HTTP/1.0 does not know the chunked coding.
    response_body_.frame_as(OutputFraming::kPlain);
    rewrite.framing = http::Framing{http::BodyKind::kUntilClose, 0};
    until_close = true;
  } else if (substituted) {
    response_body_.frame_as(OutputFraming::kPlain);
  }
  close_client_ = !p_.facts.keep_alive || !upload_done_ || until_close || head.minor_version() == 0;
  rewrite.close = close_client_ && !head.switches_protocols();
  rewrite.keep_alive = old_client && !close_client_;
  p_.scratch.response_head.clear();
  http::write_response_head(head, rewrite, p_.scratch.response_head);
}

// What comes before the response's content. Unless the action is a refusal, the head to send is in
// scratch.
HeadAction HttpExchange::begin_response() {
  upstream_->deadline().clear();
  const http::ResponseHead& head = p_.response.head();
  const std::string_view challenge = head.value_of("www-authenticate");
  if (http::starts_ignoring_case(challenge, "ntlm") ||
      http::starts_ignoring_case(challenge, "negotiate")) {
    upstream_->keep_private();
  }
  HeadAction action = inspect_response_head();
  if (action.refusal) return action;
  result_.status = head.status();
  write_response_head(action);
  body_stall_ = body_stall();
  upstream_->in.consume(head.text().size());
  return action;
}

// What the server's buffer holds after a read that ended like this.
BodyForwarder::Piece HttpExchange::next_response_piece(const IoResult& got) {
  if (got.status == IoStatus::kOk) return response_body_.process(upstream_->in.data());
  // A TLS stream that was cut off without its own end does not complete a body that lasts until the
  // end: someone on the way may have cut it.
  if (got.status == IoStatus::kEnd) return response_body_.finish_at_close();
  read_error_ = got.error;
  BodyForwarder::Piece cut;
  cut.refusal = http::Refusal::kCutShort;
  return cut;
}

// How long this response's content may pause. What is made to wait for something that happens may
// pause for ever: the connection's keep-alive (TCP) finds a server that is gone.
std::chrono::milliseconds HttpExchange::body_stall() const {
  const std::string_view type = p_.response.head().value_of("content-type");
  return http::starts_ignoring_case(type, "text/event-stream") ? std::chrono::milliseconds(0)
                                                               : options().body_stall;
}

void HttpExchange::end_stalled(void* self) {
  static_cast<HttpExchange*>(self)->upstream_->stream().close(true);
}

asio::awaitable<bool> HttpExchange::relay_content() {
  Bytes head = as_bytes(p_.scratch.response_head);
  BodyForwarder::Piece piece = response_body_.process(upstream_->in.data());
  while (true) {
    if (piece.refused()) {
      const bool begun = head.empty();
      if (piece.inspector_refusal && !begun) {
        co_await answer_inspector(*piece.inspector_refusal);
      } else if (!begun) {
        response_refusal_ = piece.refusal;
        result_.status = 0;
        co_await answer_failure(HeadOutcome::kRefused);
      } else {
        const std::string code = piece.inspector_refusal
                                     ? piece.inspector_refusal->code
                                     : std::string(http::describe(piece.refusal).code);
        break_off(code, read_error_ ? read_error_.message()
                                    : std::string(http::describe(piece.refusal).sentence));
      }
      upstream_->stream().close(true);
      co_return false;
    }
    const Bytes out = piece.out;
    result_.response_bytes += out.size();
    Outgoing sending(std::exchange(head, {}), out);
    if (!push_to_client(sending) && !co_await finish_sending(sending)) co_return false;
    upstream_->in.consume(piece.consumed);
    if (piece.end) co_return true;
    watch_.expires_after(options().client_watch);
    if (body_stall_.count() > 0) stall_.expires_after(body_stall_);
    const IoResult got = co_await read_more(upstream_->stream(), upstream_->in, ReadFirst::kWait);
    if (client_gone_) co_return false;
    if (stall_.expired()) {
      break_off("upstream_stalled",
                fmt::format("no more of the response came for {}", body_stall_));
      co_return false;
    }
    stall_.clear();
    piece = next_response_piece(got);
  }
}

// The client sees that this is not all.
void HttpExchange::break_off(std::string_view code, std::string_view detail) {
  note(code, detail);
  close_client_ = true;
  client().close(true);
}

// After 101 both sides speak another protocol; what either sent already goes first.
asio::awaitable<void> HttpExchange::relay_upgraded() {
  watch_.clear();
  upstream_->deadline().clear();
  close_client_ = true;
  client_in().consume(std::exchange(held_, 0));
  if (const auto inspector = p_.inspector != nullptr ? p_.inspector->on_switch() : nullptr) {
    co_await relay_inspected(*inspector);
    co_return;
  }
  Outgoing sending(as_bytes(p_.scratch.response_head), upstream_->in.data());
  if (!push_to_client(sending) && !co_await finish_sending(sending)) co_return;
  result_.response_bytes += upstream_->in.size();
  upstream_->in.consume(upstream_->in.size());
  upstream_->in.release_if_empty();
  Result<> sent =
      co_await write_all(upstream_->stream(), client_in().data(), {}, result_.request_bytes);
  if (!sent) {
    break_off("upstream_failed", sent.error().what);
    co_return;
  }
  client_in().consume(client_in().size());
  client_in().release_if_empty();
  net::RelayCounters counters;
  const net::RelayEnd end = co_await net::relay(
      client(), upstream_->stream(), {.half_closed = options().raw_half_closed}, counters);
  result_.request_bytes += counters.a_to_b;
  result_.response_bytes += counters.b_to_a;
  p_.connection.bytes_sent += counters.a_to_b;
  p_.connection.bytes_received += counters.b_to_a;
  if (end.error) note("websocket_broken", end.error->what);
}

asio::awaitable<void> HttpExchange::relay_inspected(SwitchedInspector& inspector) {
  Outgoing sending(as_bytes(p_.scratch.response_head));
  if (!push_to_client(sending) && !co_await finish_sending(sending)) co_return;
  const SwitchedEnd end = co_await relay_switched({.client = client(),
                                                   .server = upstream_->stream(),
                                                   .from_client = client_in(),
                                                   .from_server = upstream_->in,
                                                   .client_deadline = p_.client_deadline,
                                                   .server_deadline = upstream_->deadline(),
                                                   .last_words = options().write_stall},
                                                  inspector);
  result_.request_bytes += end.to_server;
  result_.response_bytes += end.to_client;
  p_.connection.bytes_sent += end.to_server;
  p_.connection.bytes_received += end.to_client;
  if (end.refusal) note(end.refusal->code, end.refusal->message);
  if (end.error) note("websocket_broken", end.error->what);
  // Whoever was told last why it is over should be able to read it.
  client_sends_on_ = end.refusal.has_value();
  if (end.refusal) {
    upstream_->deadline().expires_after(kLastWordsRead);
    co_await net::drain_and_close(upstream_->stream(), kMaxUnread);
  }
}

}  // namespace agentsh::flows
