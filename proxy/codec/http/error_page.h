// Answers of our own: a denial or a failure, told in the form that the client's program shows.
//
//   {"error":{"type":"agentsh","status":403,"code":"network_denied","rule":"deny-metadata",
//             "message":"...","advice":"..."}}
//
// Several LLM clients print error.message as it is, so it is a whole sentence.
#pragma once

#include <string>
#include <string_view>

namespace agentsh::http {

struct ErrorPage {
  int status = 403;
  std::string_view code;     // Stable: "network_denied", "upstream_tls_failed", or a Refusal's.
  std::string_view rule;     // The policy's rule; empty when none decided.
  std::string_view message;  // What happened.
  std::string_view advice;   // What to do instead.
  // A body in another form, for clients of a protocol with error shapes of its own, and fields that
  // go with it, whole lines each. Empty: the form above.
  std::string_view body = {};
  std::string_view content_type = {};
  std::string_view fields = {};
  bool head_request = false;
  bool close = true;  // The connection ends after it.
};

// The whole response. Content-Length is that of the body also where HEAD leaves it out.
std::string render(const ErrorPage& page);

// "Bad Gateway" for 502; "Error" for a status that is not known.
std::string_view reason_phrase(int status);

}  // namespace agentsh::http
