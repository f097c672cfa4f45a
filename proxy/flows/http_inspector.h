// Hooks into HTTP exchanges, for what understands more than HTTP: LLM dialects, DLP, services with
// credentials. Without an inspector no content is looked at or copied.
//
// An inspector belongs to one exchange. Its calls come in the order of the functions below, request
// and response content possibly interleaved, all on the connection's thread. None may block.
#pragma once

#include "base/bytes.h"
#include "policies/facts.h"
#include "proxy/codec/http/head.h"
#include "proxy/codec/http/head_writer.h"

#include <memory>
#include <optional>
#include <string>

namespace agentsh::flows {

// What happens to the content of a message.
enum class BodyUse : std::uint8_t {
  kPass,     // Forwarded unseen.
  kObserve,  // Shown to the inspector, forwarded as it came.
  kRewrite,  // What the inspector gives out is sent instead, chunked.
};

// An answer instead of the exchange.
struct InspectorRefusal {
  int status = 403;
  std::string code;
  std::string rule;
  std::string message;
  std::string advice;
};

struct HeadAction {
  BodyUse body = BodyUse::kPass;
  http::HeadEdits edits = {};
  std::optional<InspectorRefusal> refusal = {};
};

class HttpInspector {
 public:
  virtual ~HttpInspector() = default;

  // A refusal here means that nothing is sent to the server.
  virtual HeadAction on_request_head(const http::RequestHead& head) = 0;
  // A piece of the request's content, without transfer coding; `last` with the end, possibly empty.
  // For kRewrite: what is to be sent is appended to `out`. A refusal breaks the request off.
  virtual std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                          std::string& out) = 0;
  // The final response (not interim ones). A refusal here replaces it.
  virtual HeadAction on_response_head(const http::ResponseHead& head) = 0;
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
};

}  // namespace agentsh::flows
