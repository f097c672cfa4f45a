// The address of a corporate proxy as a URL (RFC 3986): "http://[user:password@]host:port", user
// and password percent-encoded where they hold "@", ":", "/" or "%".
#pragma once

#include "appliance/config/config.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::config {

// An empty text is no proxy. The error says what the URL must be and never repeats the password.
Result<UpstreamProxy> parse_proxy_url(std::string_view text);

// The URL, "" for no proxy; with `masked`, "****" stands for the password.
std::string format_proxy_url(const UpstreamProxy& proxy, bool masked);

}  // namespace agentsh::config
