// Which handler answers which request, and who may ask.
//
//   router.add("POST", "/api/v1/sessions/{id}/exec", Role::kAgent, handler);
//
// Paths are compared segment by segment, decoded. Threads: built at start, then read only.
#pragma once

#include "appliance/api/exchange.h"

#include <functional>
#include <string>
#include <vector>

namespace agentsh::api {

using Handler = std::function<boost::asio::awaitable<Response>(Exchange&)>;

class Router {
 public:
  void add(std::string method, std::string_view pattern, Role role, Handler handler);

  // Runs the handler, or answers 404, 405, 401 or 403.
  boost::asio::awaitable<Response> route(Exchange& exchange) const;

  // "GET /health" ... for documentation.
  struct Description {
    std::string method;
    std::string pattern;
    Role role;
  };
  std::vector<Description> describe() const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;  // "{id}" captures.
    Role role;
    Handler handler;
  };
  std::vector<Route> routes_;
};

// Splits "/a/b%20c?x=1" into path segments and query, percent-decoded. False for malformed
// encodings and NUL bytes.
bool parse_target(std::string_view target, Request& request);

}  // namespace agentsh::api
