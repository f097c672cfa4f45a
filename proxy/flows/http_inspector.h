// Hooks into HTTP exchanges, for what understands more than HTTP: LLM dialects, DLP, services with
// credentials. Without an inspector no content is looked at or copied. Several see an exchange as
// one (inspector_chain.h).
//
// An inspector belongs to one exchange. Its calls come in the order of the functions below, request
// and response content possibly interleaved, all on the connection's thread. None may block, but
// prepare() may wait.
#pragma once

#include "audit/event.h"
#include "base/bytes.h"
#include "policies/approval_queue.h"
#include "policies/facts.h"
#include "policies/verdict.h"
#include "proxy/codec/http/head.h"
#include "proxy/codec/http/head_writer.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::flows {

// What happens to the content of a message.
enum class BodyUse : std::uint8_t {
  kPass,     // Forwarded unseen.
  kObserve,  // Shown to the inspector, forwarded as it came.
  // What the inspector gives out is sent instead, of the same length when all is out: framing stays
  // as it came. Another length breaks the message off.
  kSubstitute,
  kRewrite,  // What the inspector gives out is sent instead, chunked.
};

// An answer instead of the exchange.
struct InspectorRefusal {
  int status = 403;
  std::string code;
  std::string rule;
  std::string message;
  std::string advice;
  // The answer in the form that the client's protocol has for errors; empty: our own form, made of
  // the texts above. `fields` go with either.
  std::string body = {};
  std::string content_type = {};
  std::vector<std::pair<std::string, std::string>> fields = {};
};

// Something to be decided and recorded before the request goes on.
struct InspectorQuestion {
  policy::Verdict verdict;
  policy::ApprovalRequest request;
  audit::Event event;
};

struct HeadAction {
  BodyUse body = BodyUse::kPass;
  http::HeadEdits edits = {};
  std::optional<InspectorRefusal> refusal = {};
  // Of a request. Not 0: its head goes on when the content is there, at most so many bytes of it,
  // and on_request_collected() has seen that.
  std::size_t collect_at_most = 0;
};

// What a collected request still needs in its head.
struct CollectedEnd {
  http::HeadEdits edits = {};
  std::optional<InspectorRefusal> refusal = {};
};

// What both sides say after a response 101 (RFC 9110 §7.8) switched protocols. Destroyed when the
// connection is over.
class SwitchedInspector {
 public:
  enum class Side : std::uint8_t { kClient, kServer };
  virtual ~SwitchedInspector() = default;
  // Bytes that came from a side, cut anywhere. What the other side gets is appended to `onward`,
  // and to `back` what the side itself gets. A refusal ends the connection once both are sent;
  // without one `back` stays as it is.
  virtual std::optional<InspectorRefusal> on_bytes(Side from, Bytes bytes, std::string& onward,
                                                   std::string& back) = 0;
};

class HttpInspector {
 public:
  virtual ~HttpInspector() = default;

  // Asked first, until there is nothing to ask. Views of the facts that inspect() got are gone
  // afterwards.
  virtual std::optional<InspectorQuestion> question() { return {}; }
  // What the client is told when the question was answered with no.
  virtual InspectorRefusal refusal_for(const policy::Verdict& verdict);
  // True: prepare() has to be waited for before anything else.
  virtual bool must_prepare() const { return false; }
  virtual boost::asio::awaitable<std::optional<InspectorRefusal>> prepare(
      boost::asio::any_io_executor executor);

  // A refusal here means that nothing is sent to the server.
  virtual HeadAction on_request_head(const http::RequestHead& head) = 0;
  // A piece of the request's content, without transfer coding; `last` with the end, possibly empty.
  // For kRewrite: what is to be sent is appended to `out`. A refusal breaks the request off.
  virtual std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                          std::string& out) = 0;
  // The request's content as it will be sent. Asked where HeadAction::collect_at_most said so.
  virtual boost::asio::awaitable<CollectedEnd> on_request_collected(
      std::string_view content, boost::asio::any_io_executor executor);
  // An interim response; false: it is left out.
  virtual bool on_interim_head(const http::ResponseHead&) { return true; }
  // The final response. A refusal here replaces it.
  virtual HeadAction on_response_head(const http::ResponseHead& head) = 0;
  // After on_response_head() of a 101. Null: what is said afterwards is relayed as it is.
  virtual std::unique_ptr<SwitchedInspector> on_switch() { return nullptr; }
  // As above. A refusal breaks the response off, which the client sees as a cut connection.
  virtual std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                           std::string& out) = 0;
};

class HttpInspectorFactory {
 public:
  virtual ~HttpInspectorFactory() = default;
  // Called for each request once it is allowed. Null: nothing to inspect.
  virtual std::unique_ptr<HttpInspector> inspect(const policy::Actor& actor,
                                                 const policy::HttpFacts& facts) = 0;
  // Whether nothing but HTTP that is inspected may be spoken with this host: then raw bytes are not
  // relayed to it.
  virtual bool http_only(std::string_view) const { return false; }
  // Whether its TLS is opened even where a rule says passthrough.
  virtual bool opens_tls(std::string_view host) const { return http_only(host); }
};

}  // namespace agentsh::flows
