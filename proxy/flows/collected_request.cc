#include "proxy/flows/collected_request.h"

#include "proxy/flows/body_forwarder.h"
#include "proxy/flows/stream_io.h"

#include <fmt/format.h>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Trouble too_large(std::size_t limit) {
  return describe_inspector_refusal(
      {.status = 413,
       .code = "request_too_large",
       .rule = {},
       .message = fmt::format("The request has to be read whole before it is sent on, and is "
                              "larger than {} bytes.",
                              limit),
       .advice = {}});
}

}  // namespace

CollectedRequest::CollectedRequest(Connection& connection, RequestSource& source)
    : c_(connection),
      source_(source),
      head_text_(as_text(connection.start.data().first(source.head_size()))) {
  static_cast<void>(reader_.read_head(as_bytes(head_text_)));
}

asio::awaitable<bool> CollectedRequest::tell_to_go_on() {
  const http::RequestHead& head = reader_.head();
  if (!head.expects_continue() || head.minor_version() == 0) co_return true;
  const Result<> told = co_await write_all(*c_.client, as_bytes(kContinue), {}, c_.bytes_received);
  co_return told.has_value();
}

asio::awaitable<std::optional<Trouble>> CollectedRequest::read(HttpInspector& inspector,
                                                               BodyUse use, std::size_t limit) {
  http::BodyReader& body = source_.reader().body();
  c_.start.consume(source_.head_size());
  complete_ = body.done();
  if (complete_) co_return std::nullopt;
  if (!co_await tell_to_go_on()) co_return std::nullopt;
  BodyForwarder forwarder(body);
  forwarder.inspect_with(inspector, &HttpInspector::on_request_body, use);
  forwarder.frame_as(OutputFraming::kPlain);
  while (true) {
    const BodyForwarder::Piece piece = forwarder.process(c_.start.data());
    if (piece.inspector_refusal) co_return describe_inspector_refusal(*piece.inspector_refusal);
    if (piece.refusal != http::Refusal::kNone) co_return describe_refusal(piece.refusal);
    content_ += as_text(piece.out);
    c_.start.consume(piece.consumed);
    if (content_.size() > limit) co_return too_large(limit);
    complete_ = piece.end;
    if (complete_) break;
    source_.deadline().expires_after(c_.options().write_stall);
    const net::IoResult got = co_await read_more(*c_.client, c_.start, ReadFirst::kTry);
    if (got.status != net::IoStatus::kOk) co_return std::nullopt;
    c_.bytes_sent += got.bytes;
  }
  source_.deadline().clear();
  co_return std::nullopt;
}

}  // namespace agentsh::flows
