// Writes a head for the next hop. What concerns one connection only is taken out (RFC 9110 §7.6.1:
// Connection and what it names, Keep-Alive, TE, Upgrade, Proxy-*), the target is put into the form
// that an origin server expects; every other byte stays as it came, in its order. No Via and
// nothing else of ours is added: neither side is to notice us.
#pragma once

#include "proxy/codec/http/head.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::http {

// Changes that an inspector asks for.
struct HeadEdits {
  std::string target;  // A request's, in origin form, instead of its own; empty: as it is.
  // By index into the head's fields: the value that the field has instead. What `set` and `remove`
  // say of its name goes before.
  std::vector<std::pair<std::size_t, std::string>> values;
  // The value replaces that of the first field of the name (the others go) or is added at the end.
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> remove;

  bool empty() const { return target.empty() && values.empty() && set.empty() && remove.empty(); }
};

struct RequestRewrite {
  bool close = false;  // Ask for "Connection: close".
  const HeadEdits* edits = nullptr;
  // Framing of the content that is really sent, where an inspector changes it.
  std::optional<Framing> framing = {};
  // For the next proxy: "http://host:port" before the path, and its Proxy-Authorization.
  std::string_view origin = {};
  std::string_view proxy_authorization = {};
};

struct ResponseRewrite {
  bool close = false;       // Say "Connection: close".
  bool keep_alive = false;  // Say "Connection: keep-alive", for HTTP/1.0 clients that asked.
  const HeadEdits* edits = nullptr;
  std::optional<Framing> framing = {};  // kUntilClose takes the chunked coding out.
};

// Append to `out`. Interim and 101 responses are written by the same function.
void write_request_head(const RequestHead& head, const RequestRewrite& rewrite, std::string& out);
void write_response_head(const ResponseHead& head, const ResponseRewrite& rewrite,
                         std::string& out);

}  // namespace agentsh::http
