// A blocking HTTP/1.1 client for the control API: over its Unix socket, where descriptors can go
// along, or over TCP. Only what our own server speaks: no redirects, no proxies, no compression.
// TLS is not for the thin client: an https:// server address is refused with a sentence.
//
//   ServerAddress address = *ServerAddress::parse("unix:/run/agentsh/agentsh.sock");
//   auto connection = HttpConnection::open(address);
//   auto response = connection->request({.method = "GET", .path = "/api/v1/sessions"});
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::client {

struct ServerAddress {
  std::string unix_path;  // Empty: TCP.
  std::string host;
  std::string port;

  // "unix:/path", "unix:///path", "/path" or "http://host[:port]".
  static Result<ServerAddress> parse(std::string_view text);
  std::string to_string() const;
};

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body = {};
  std::string api_key = {};
  std::string upgrade = {};       // Protocol of an Upgrade header.
  std::span<const int> fds = {};  // Unix sockets only.
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
  std::string body;
  std::string_view header(std::string_view name) const;
};

class HttpConnection {
 public:
  static Result<HttpConnection> open(const ServerAddress& address);

  // Sends the request and reads the whole response. After status 101 the body is empty and the
  // connection speaks the upgraded protocol: read_line(), write_line().
  Result<HttpResponse> request(const HttpRequest& request);

  // As request(), but hands the body over as it arrives, for server-sent events. The callback
  // returns false to stop.
  Result<HttpResponse> stream(const HttpRequest& request,
                              const std::function<bool(std::string_view)>& on_body);

  // A line without its line feed, with the descriptors that came with it; empty text at the end of
  // the stream.
  struct Line {
    std::string text;
    std::vector<UniqueFd> fds;
    bool end = false;
  };
  Result<Line> read_line();
  Result<> write_line(std::string_view text);

  // Where the log of a server that went away is: log_hint.h.
  std::string where_to_look() const;

  // Called before each wait for the server; false gives up (operation_canceled).
  void set_wait(std::function<bool(int fd)> wait) { wait_ = std::move(wait); }

  // Readable when read_line() has something to do, unless buffered() already says so.
  int fd() const { return socket_.get(); }
  bool buffered() const { return buffer_.find('\n') != std::string::npos; }

 private:
  HttpConnection(UniqueFd socket, ServerAddress address)
      : socket_(std::move(socket)), address_(std::move(address)) {}
  Result<> send(const HttpRequest& request);
  Result<HttpResponse> read_head();
  Result<> read_body(HttpResponse& response, const std::function<bool(std::string_view)>& on_body);
  Result<bool> fill();  // False at the end of the stream.
  // "the server WHAT", and where its log is.
  Error server_gone(std::string_view what) const;

  UniqueFd socket_;
  ServerAddress address_;
  std::string buffer_;
  std::vector<UniqueFd> fds_;
  std::function<bool(int fd)> wait_;
};

}  // namespace agentsh::client
