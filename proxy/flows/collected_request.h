// A request that is read to its end before anything of it goes on, because its head depends on its
// content (a signature over both).
//
// Threads: those of the connection. Memory: the content, at most as large as is said.
#pragma once

#include "proxy/flows/http_inspector.h"
#include "proxy/flows/http_requests.h"
#include "proxy/flows/pages.h"

#include <optional>
#include <string>

namespace agentsh::flows {

class CollectedRequest {
 public:
  // Copies the head of the request that `source` has read.
  CollectedRequest(Connection& connection, RequestSource& source);

  // Reads the content, as the inspector changes it. Nothing to tell and complete() false: the
  // client has gone.
  boost::asio::awaitable<std::optional<Trouble>> read(HttpInspector& inspector, BodyUse use,
                                                      std::size_t limit);
  bool complete() const { return complete_; }

  // Of the copy.
  http::RequestReader& reader() { return reader_; }
  const std::string& content() const { return content_; }

 private:
  boost::asio::awaitable<bool> tell_to_go_on();

  Connection& c_;
  RequestSource& source_;
  std::string head_text_;
  http::RequestReader reader_;
  std::string content_;
  bool complete_ = false;
};

}  // namespace agentsh::flows
