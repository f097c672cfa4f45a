// What refused clients are told: status, stable code, a sentence and what to do.
#pragma once

#include "proxy/codec/http/error_page.h"
#include "proxy/codec/http/refusal.h"
#include "proxy/flows/connect_upstream.h"
#include "proxy/flows/http_inspector.h"
#include "proxy/flows/route.h"

#include <string>
#include <string_view>
#include <system_error>

namespace agentsh::flows {

// An answer with texts of its own; page() is a view of it.
struct Trouble {
  int status = 502;
  std::string code;
  std::string rule;
  std::string message;
  std::string advice;
  // In another form: see http::ErrorPage.
  std::string body = {};
  std::string content_type = {};
  std::string fields = {};

  http::ErrorPage page() const {
    return {.status = status,
            .code = code,
            .rule = rule,
            .message = message,
            .advice = advice,
            .body = body,
            .content_type = content_type,
            .fields = fields};
  }
};

// Policy said no, or the name has no address.
Trouble describe_denial(const Route& route, std::string_view host);
// A request that is refused for its form.
Trouble describe_refusal(http::Refusal refusal);
// The request is for another host than the connection (421).
Trouble describe_misdirected(std::string_view asked, std::string_view connected);

// A path at the services' address that leads to none. `services` may be null.
Trouble describe_unknown_service(const ServiceDirectory* services);
Trouble describe_not_for_proxy();  // Neither an absolute URL nor CONNECT, sent to the proxy itself.
Trouble describe_nested_tunnel();  // CONNECT inside TLS or inside a tunnel.
Trouble describe_inspector_refusal(const InspectorRefusal& refusal);

// A server that cannot be reached, or whose certificate is not valid for the name.
Trouble describe_unreachable(const UpstreamAttempt& attempt, std::string_view host);
Trouble describe_bad_response(http::Refusal refusal, std::string_view host);
Trouble describe_late_response(std::string_view host);
Trouble describe_broken_response(const std::error_code& error, std::string_view host);

}  // namespace agentsh::flows
