// One request and its response, between a client and a server.
//
// Content streams both ways as it comes: each read is written on at once, nothing is read before it
// was. The response may come before the request has ended. A server connection that was idle and
// proves dead is replaced once, if nothing of the response came and the request can be repeated.
//
// Ends: whatever happens, the client gets an answer it can read (our own, if the response has not
// begun) or sees the connection break off; never a part that looks like the whole.
#pragma once

#include "proxy/codec/http/error_page.h"
#include "proxy/codec/http/message_reader.h"
#include "proxy/flows/body_forwarder.h"
#include "proxy/flows/child_task.h"
#include "proxy/flows/connect_upstream.h"
#include "proxy/flows/connection.h"
#include "proxy/flows/route.h"
#include "proxy/flows/stream_io.h"

#include <functional>
#include <optional>
#include <string>

namespace agentsh::flows {

// What is kept of a request head, which is gone once its bytes are.
struct RequestFacts {
  std::string method;
  std::string host;       // Without port and brackets, as written.
  std::string authority;  // With them.
  std::string path;
  std::uint16_t port = 0;
  int minor_version = 1;
  bool https = false;
  bool head = false;
  bool websocket = false;
  bool keep_alive = true;
  bool repeatable = false;       // Idempotent (RFC 9110 §9.2.2).
  bool connection_auth = false;  // Authorization that counts for the connection.
  std::chrono::steady_clock::time_point start;

  void assign(const http::RequestHead& request);
};

struct ExchangeResult {
  int status = 0;       // That the client got; 0: none.
  std::string failure;  // A code like "upstream_unreachable"; empty when all went well.
  std::string detail;
  std::uint64_t request_bytes = 0;   // Content, as sent on.
  std::uint64_t response_bytes = 0;  // Content, as given to the client.
  bool sent = false;                 // Some of the request may have reached the server.
  bool declined = false;             // See Parts::declines.
  bool unanswered = false;           // See Parts::answers_failures; `failure` says what it was.
  bool keep_client = false;          // The connection may carry another request.
  bool unread = false;               // The client may still be sending this one.
};

// Strings that are used again for each request of a connection.
struct ExchangeScratch {
  std::string request_head;
  std::string response_head;
};

class HttpExchange {
 public:
  struct Parts {
    Connection& connection;
    http::RequestReader& reader;  // Its head has been read and is still in connection.start.
    http::ResponseReader& response;
    net::Deadline& client_deadline;
    const RequestFacts& facts;
    ExchangeScratch& scratch;
    // Kept from request to request; taken when it fits, left here when it can be used again.
    std::unique_ptr<Upstream>& attached;
    HttpInspector* inspector = nullptr;
    const HeadAction& request_action;
    // The request's content, where it was read and inspected before: it is sent with its length,
    // and nothing is read from the client any more. `reader` may then be of a copy of the head.
    const std::string* collected = nullptr;
    // For who has other servers to try. True: this response is not given to the client.
    const std::function<bool(const http::ResponseHead&)>* declines = nullptr;
    // False: what would be answered with a page of ours is left to the caller.
    bool answers_failures = true;
  };

  // `head_size`: of the request's head in connection.start.
  HttpExchange(Parts parts, std::size_t head_size);

  // Sends the request to one of the route's targets and the response to the client.
  boost::asio::awaitable<ExchangeResult> run(const Route& route, const UpstreamRequest& request);

 private:
  // How reading the response's head ended.
  enum class HeadOutcome : std::uint8_t { kOk, kEnded, kFailed, kRefused };

  // http_exchange.cc: the request.
  bool prepare_request();
  bool take_attached();
  boost::asio::awaitable<bool> acquire(const Route& route, const UpstreamRequest& request,
                                       bool fresh);
  void write_head();
  void start_sending();
  boost::asio::awaitable<void> upload();
  boost::asio::awaitable<bool> upload_rest();
  void abort_upload();
  bool may_repeat() const;
  void decline();
  void finish();
  boost::asio::awaitable<void> answer(http::ErrorPage page);
  boost::asio::awaitable<void> answer_inspector(const InspectorRefusal& refusal);
  boost::asio::awaitable<void> answer_failure(HeadOutcome outcome);
  void note(std::string_view code, std::string_view detail);
  static void check_client(void* self);

  // http_response.cc: the response.
  boost::asio::awaitable<HeadOutcome> read_response_head();
  boost::asio::awaitable<bool> forward_interim();
  HeadAction begin_response();
  HeadAction inspect_response_head();
  void write_response_head(const HeadAction& action);
  std::chrono::milliseconds body_stall() const;
  static void end_stalled(void* self);
  boost::asio::awaitable<bool> relay_content();
  bool push_to_client(Outgoing& out);
  boost::asio::awaitable<bool> finish_sending(Outgoing& out);
  BodyForwarder::Piece next_response_piece(const net::IoResult& got);
  void break_off(std::string_view code, std::string_view detail);
  boost::asio::awaitable<void> relay_upgraded();
  boost::asio::awaitable<void> relay_inspected(SwitchedInspector& inspector);

  net::ByteStream& client() { return *p_.connection.client; }
  Buffer& client_in() { return p_.connection.start; }
  const FlowOptions& options() const { return p_.connection.options(); }

  Parts p_;
  ExchangeResult result_;
  std::unique_ptr<Upstream> upstream_;

  // At the front of the client's buffer: the head and content that was sent but not consumed, as it
  // may have to be sent again.
  std::size_t held_;
  Bytes first_content_;  // What goes with the head.
  std::optional<Outgoing> sending_;
  BodyForwarder request_body_;
  ChildTask upload_;
  bool upload_done_ = false;

  BodyForwarder response_body_;
  bool response_complete_ = false;
  bool close_client_ = false;
  bool client_gone_ = false;
  bool client_sends_on_ = false;  // After a switch of protocols that we ended.
  net::Deadline watch_;
  net::Deadline stall_;                      // Of the response's content,
  std::chrono::milliseconds body_stall_{0};  // which may pause for so long; 0: for ever.

  // Why the request was broken off, where we did it.
  std::optional<InspectorRefusal> inspector_refusal_;
  http::Refusal request_refusal_ = http::Refusal::kNone;
  http::Refusal response_refusal_ = http::Refusal::kNone;
  std::error_code read_error_;
};

}  // namespace agentsh::flows
