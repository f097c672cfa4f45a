// One request to the control API and the means to answer it.
#pragma once

#include "base/json_reader.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <boost/asio/awaitable.hpp>
#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::net {
class ByteStream;
class SocketStream;
}  // namespace agentsh::net

namespace agentsh::api {

// What a caller may do, in rising order. A caller without a role may do nothing.
enum class Role { kNone, kAgent, kApprover, kAdmin };

struct Caller {
  Role role = Role::kNone;
  std::string name;    // "uid 1000" or "key ci": for the audit trail.
  bool local = false;  // By the Unix socket: uid, gid and pid are the peer's (SO_PEERCRED).
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

struct Request {
  std::string method;
  std::string path;                          // Decoded, without the query.
  std::map<std::string, std::string> query;  // Decoded; the first of equal names.
  std::vector<std::string> captures;         // What the route's {placeholders} matched.
  std::string body;
  std::string api_key;
  std::string upgrade;
  std::vector<UniqueFd> fds;
  Caller caller;

  std::string_view parameter(std::string_view name, std::string_view otherwise = {}) const;
};

struct Response {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  bool handled = false;  // The handler has answered on the connection itself.

  static Response json(std::string body, int status = 200) { return {status, std::move(body)}; }
  static Response text(std::string body) {
    return {200, std::move(body), "text/plain; charset=utf-8"};
  }
  static Response error(int status, std::string_view sentence);
  // 404 for no_such_file_or_directory, 409 for file_exists, 403 for permission_denied, 503 for
  // not_supported, else 400.
  static Response error(const Error& error);
  static Response taken_over() { return {.handled = true}; }
};

// The connection of a request, for handlers that answer in their own way: streams of events,
// attached commands. Threads: the API's loop. Writes wait while the peer does not read.
class Connection {
 public:
  // A peer that does not read what is written to it for `write_timeout` loses the connection.
  Connection(std::unique_ptr<net::SocketStream> stream, std::chrono::milliseconds write_timeout);
  // Over TLS, where no descriptors come along.
  Connection(std::unique_ptr<net::ByteStream> stream, std::chrono::milliseconds write_timeout);
  ~Connection();

  net::ByteStream& stream() { return *stream_; }

  // Reads more into buffer(); false at the end of the stream. Descriptors that come along are kept
  // for take_fds().
  boost::asio::awaitable<Result<bool>> fill();
  std::string& buffer() { return buffer_; }
  std::vector<UniqueFd> take_fds();

  boost::asio::awaitable<Result<>> write(std::string_view data, std::span<const int> fds = {});
  // Head of a response whose body comes in pieces, then the pieces (HTTP chunks).
  boost::asio::awaitable<Result<>> start_stream(std::string_view content_type);
  boost::asio::awaitable<Result<>> write_chunk(std::string_view data);
  boost::asio::awaitable<Result<>> end_stream();
  // Status 101; from then on both sides send lines.
  boost::asio::awaitable<Result<>> switch_protocols(std::string_view protocol);
  // The next line, without its line feed. Fails with connection_reset at the end of the stream.
  boost::asio::awaitable<Result<std::string>> read_line();

 private:
  boost::asio::awaitable<Result<bool>> fill_from_stream();

  std::unique_ptr<net::ByteStream> stream_;
  net::SocketStream* socket_ = nullptr;  // The stream, where it is one.
  std::chrono::milliseconds write_timeout_;
  std::string buffer_;
  std::vector<UniqueFd> fds_;
};

struct Exchange {
  Request request;
  Connection& connection;

  // The body as a JSON object; an empty body is an empty object.
  Result<JsonDocument> json_body() const;
};

}  // namespace agentsh::api
