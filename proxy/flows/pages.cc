#include "proxy/flows/pages.h"

#include "proxy/flows/connection_judge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace agentsh::flows {
namespace {

// "example.com", or the words for a connection without a name.
std::string shown(std::string_view host) {
  return host.empty() ? "this address" : std::string(host);
}

std::string denial_advice(const Route& route, std::string_view host) {
  if (route.verdict.decision() == policy::Decision::kApprove) {
    return "Ask the person in charge to approve it (agentsh approve list), then try again.";
  }
  if (route.verdict.rule() == kNameMismatchRule) {
    return fmt::format(
        "Look {} up in this session and connect to an address from the answer, or allow the "
        "address by a network rule with cidrs.",
        shown(host));
  }
  return fmt::format(
      "If {} is needed, have a network rule allow it; do not try another way to the same host.",
      shown(host));
}

}  // namespace

Trouble describe_denial(const Route& route, std::string_view host) {
  Trouble trouble;
  trouble.rule = route.verdict.rule();
  if (route.unresolved) {
    trouble.status = 502;
    trouble.code = "name_not_resolved";
    trouble.rule.clear();
    trouble.message = fmt::format("{} has no address: {}.", shown(host), route.verdict.message());
    trouble.advice = "Check the spelling of the host name.";
    return trouble;
  }
  trouble.status = 403;
  const bool asked = route.verdict.decision() == policy::Decision::kApprove;
  trouble.code = asked ? "approval_denied" : "network_denied";
  trouble.message =
      fmt::format("A connection to {} is denied by rule {}", shown(host), route.verdict.rule());
  trouble.message += route.verdict.message().empty() ? "." : ": " + route.verdict.message();
  trouble.advice = denial_advice(route, host);
  return trouble;
}

Trouble describe_refusal(http::Refusal refusal) {
  const http::RefusalInfo& info = http::describe(refusal);
  return {.status = info.status,
          .code = std::string(info.code),
          .rule = {},
          .message = fmt::format("The request is not well-formed HTTP: {}.", info.sentence),
          .advice =
              "Requests that servers could read in two ways are not forwarded. Send it "
              "in the plain form of RFC 9112."};
}

Trouble describe_misdirected(std::string_view asked, std::string_view connected) {
  return {.status = 421,
          .code = "misdirected_request",
          .rule = {},
          .message = fmt::format("The request is for {}, but the connection was made for {}.",
                                 asked, shown(connected)),
          .advice =
              "Open a connection of its own to each host; the host name in TLS and in the "
              "request must be the same."};
}

Trouble describe_unknown_service(const ServiceDirectory* services) {
  const std::vector<std::string> names =
      services == nullptr ? std::vector<std::string>() : services->names();
  return {.status = 404,
          .code = "http_service_unknown",
          .rule = {},
          .message = "The path begins with no service of the policy: it must be /svc/NAME/...",
          .advice = names.empty()
                        ? "The policy declares no http_services."
                        : fmt::format("Services of this session: {}.", fmt::join(names, ", "))};
}

Trouble describe_not_for_proxy() {
  return {.status = 400,
          .code = "not_a_proxy_request",
          .rule = {},
          .message = "This is a proxy, and the request line names no host.",
          .advice = "Send the whole URL in the request line, or use CONNECT."};
}

Trouble describe_nested_tunnel() {
  return {.status = 400,
          .code = "nested_tunnel",
          .rule = {},
          .message = "CONNECT is answered on plain connections to a proxy only.",
          .advice = "Connect to the host directly; no proxy is needed here."};
}

Trouble describe_inspector_refusal(const InspectorRefusal& refusal) {
  Trouble trouble{.status = refusal.status,
                  .code = refusal.code,
                  .rule = refusal.rule,
                  .message = refusal.message,
                  .advice = refusal.advice,
                  .body = refusal.body,
                  .content_type = refusal.content_type};
  for (const auto& [name, value] : refusal.fields) {
    trouble.fields.append(name).append(": ").append(value).append("\r\n");
  }
  return trouble;
}

Trouble describe_unreachable(const UpstreamAttempt& attempt, std::string_view host) {
  Trouble trouble;
  const bool late = attempt.error.code == std::errc::timed_out;
  trouble.status = late ? 504 : 502;
  if (attempt.tls_failed) {
    trouble.code = late ? "upstream_timeout" : "upstream_tls_failed";
    trouble.message =
        fmt::format("The TLS connection to {} failed: {}.", shown(host), attempt.error.what);
    trouble.advice =
        "The server's certificate is checked here, on behalf of the client. If the server uses a "
        "private certificate authority, add it to the appliance's upstream CA files.";
    return trouble;
  }
  trouble.code = late ? "upstream_timeout" : "upstream_unreachable";
  trouble.message = fmt::format("{} could not be reached: {}.", shown(host), attempt.error.what);
  trouble.advice = "The connection is allowed; the server or the network is the trouble.";
  return trouble;
}

Trouble describe_bad_response(http::Refusal refusal, std::string_view host) {
  const http::RefusalInfo& info = http::describe(refusal);
  return {.status = 502,
          .code = std::string(info.code),
          .rule = {},
          .message = fmt::format("The response of {} is not well-formed HTTP: {}.", shown(host),
                                 info.sentence),
          .advice =
              "Responses that clients could read in two ways are not forwarded; the server "
              "has to be mended."};
}

Trouble describe_late_response(std::string_view host) {
  return {.status = 504,
          .code = "upstream_timeout",
          .rule = {},
          .message = fmt::format("{} did not answer in time.", shown(host)),
          .advice = "Try again later."};
}

Trouble describe_broken_response(const std::error_code& error, std::string_view host) {
  const std::string why = error ? error.message() : "the connection was closed";
  return {
      .status = 502,
      .code = "upstream_closed",
      .rule = {},
      .message = fmt::format("{} ended the connection without a response: {}.", shown(host), why),
      .advice = "The connection is allowed; the server is the trouble. Trying again may help."};
}

}  // namespace agentsh::flows
