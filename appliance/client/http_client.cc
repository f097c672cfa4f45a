#include "appliance/client/http_client.h"

#include "appliance/client/log_hint.h"
#include "base/domain.h"
#include "base/fd_passing.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace agentsh::client {
namespace {

constexpr std::size_t kMaxHead = 64 << 10;
constexpr std::size_t kReadSize = 64 << 10;

Result<UniqueFd> connect_unix(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(errno_error("socket"));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(path + ": socket path too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(errno_error("connect", path));
  }
  return socket;
}

Result<UniqueFd> connect_tcp(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(host + ": " + ::gai_strerror(error), std::errc::host_unreachable);
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, &::freeaddrinfo);
  Error last = make_error(host + ": no address");
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    UniqueFd socket(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket && ::connect(socket.get(), entry->ai_addr, entry->ai_addrlen) == 0) return socket;
    last = errno_error("connect", host + ":" + port);
  }
  return std::unexpected(last);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
  });
  return result;
}

template <class Number>
bool parse_number(std::string_view text, Number& value, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

Result<ServerAddress> ServerAddress::parse(std::string_view text) {
  if (text.starts_with("unix:")) {
    std::string_view path = text.substr(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    if (!path.starts_with('/'))
      return fail(fmt::format("server address {}: the socket path must be absolute", text));
    return ServerAddress{std::string(path), {}, {}};
  }
  if (text.starts_with('/')) return ServerAddress{std::string(text), {}, {}};
  if (text.starts_with("https://")) {
    return fail(
        fmt::format("server address {}: the command-line client speaks plain HTTP to its own host "
                    "only; use the "
                    "Unix socket, or an SSH or TLS tunnel to a loopback port",
                    text));
  }
  if (text.starts_with("http://")) {
    std::string_view rest = text.substr(7);
    while (rest.ends_with('/')) rest.remove_suffix(1);
    if (auto parts = split_host_port(rest, 80))
      return ServerAddress{{}, parts->host, std::to_string(parts->port)};
  }
  return fail(fmt::format("server address {}: expected unix:/path or http://host:port", text));
}

std::string ServerAddress::to_string() const {
  return unix_path.empty() ? "http://" + host + ":" + port : "unix:" + unix_path;
}

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<HttpConnection> HttpConnection::open(const ServerAddress& address) {
  auto socket = address.unix_path.empty() ? connect_tcp(address.host, address.port)
                                          : connect_unix(address.unix_path);
  if (!socket) return std::unexpected(socket.error());
  return HttpConnection(std::move(*socket), address);
}

Result<> HttpConnection::send(const HttpRequest& request) {
  std::string text =
      fmt::format("{} {} HTTP/1.1\r\nHost: agentsh\r\n", request.method, request.path);
  if (!request.api_key.empty()) text += fmt::format("X-API-Key: {}\r\n", request.api_key);
  if (!request.upgrade.empty())
    text += fmt::format("Connection: Upgrade\r\nUpgrade: {}\r\n", request.upgrade);
  if (!request.fds.empty())
    text += fmt::format("X-Agentsh-Descriptors: {}\r\n", request.fds.size());
  if (!request.body.empty()) text += "Content-Type: application/json\r\n";
  text += fmt::format("Content-Length: {}\r\n\r\n{}", request.body.size(), request.body);
  auto sent = send_with_fds(socket_.get(), text, request.fds);
  if (!sent) return std::unexpected(server_gone("took no request (" + sent.error().what + ")"));
  return sent;
}

std::string HttpConnection::where_to_look() const {
  return address_.unix_path.empty() ? "" : log_hint(address_.unix_path);
}

Error HttpConnection::server_gone(std::string_view what) const {
  return make_error(fmt::format("the server {}{}", what, where_to_look()),
                    std::errc::connection_reset);
}

Result<bool> HttpConnection::fill() {
  if (wait_ && !wait_(socket_.get())) return fail("interrupted", std::errc::operation_canceled);
  auto received = receive_with_fds(socket_.get(), kReadSize);
  if (!received)
    return std::unexpected(server_gone("ended while it was asked (" + received.error().what + ")"));
  for (UniqueFd& fd : received->fds) fds_.push_back(std::move(fd));
  buffer_ += received->data;
  return !received->data.empty();
}

Result<HttpResponse> HttpConnection::read_head() {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (buffer_.size() > kMaxHead)
      return fail("the server's answer is not HTTP", std::errc::protocol_error);
    auto more = fill();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(server_gone("closed the connection without an answer"));
  }
  HttpResponse response;
  std::string_view head = std::string_view(buffer_).substr(0, end);
  if (!head.starts_with("HTTP/1.1 ") || !parse_number(head.substr(9, 3), response.status)) {
    return fail("the server's answer is not HTTP", std::errc::protocol_error);
  }
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos;) {
    const std::size_t next = head.find("\r\n", line + 2);
    std::string_view field =
        head.substr(line + 2, next == std::string_view::npos ? next : next - line - 2);
    if (const std::size_t colon = field.find(':'); colon != std::string_view::npos) {
      std::string_view value = field.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      response.headers.emplace_back(lower(field.substr(0, colon)), value);
    }
    line = next;
  }
  buffer_.erase(0, end + 4);
  return response;
}

Result<> HttpConnection::read_body(HttpResponse& response,
                                   const std::function<bool(std::string_view)>& on_body) {
  const bool chunked = response.header("transfer-encoding") == "chunked";
  std::size_t left = 0;
  if (!chunked && !parse_number(response.header("content-length"), left)) left = 0;
  auto need = [&](std::size_t count) -> Result<> {
    while (buffer_.size() < count) {
      auto more = fill();
      if (!more) return std::unexpected(more.error());
      if (!*more)
        return std::unexpected(server_gone("closed the connection in the middle of an answer"));
    }
    return {};
  };
  for (;;) {
    if (chunked) {
      std::size_t line;
      while ((line = buffer_.find("\r\n")) == std::string::npos) {
        if (auto have = need(buffer_.size() + 1); !have) return have;
      }
      if (!parse_number(std::string_view(buffer_).substr(0, line), left, 16)) {
        return fail("the server's answer is not HTTP", std::errc::protocol_error);
      }
      buffer_.erase(0, line + 2);
    }
    const bool last = left == 0;
    while (left > 0) {
      if (auto have = need(1); !have) return have;
      const std::size_t take = std::min(left, buffer_.size());
      if (!on_body(std::string_view(buffer_).substr(0, take))) return {};
      buffer_.erase(0, take);
      left -= take;
    }
    if (!chunked) return {};
    if (auto have = need(2); !have) return have;
    buffer_.erase(0, 2);
    if (last) return {};
  }
}

Result<HttpResponse> HttpConnection::stream(const HttpRequest& request,
                                            const std::function<bool(std::string_view)>& on_body) {
  if (auto sent = send(request); !sent) return std::unexpected(sent.error());
  auto response = read_head();
  if (!response || response->status == 101) return response;
  if (auto read = read_body(*response, on_body); !read) return std::unexpected(read.error());
  return response;
}

Result<HttpResponse> HttpConnection::request(const HttpRequest& request) {
  std::string body;
  auto response = stream(request, [&](std::string_view part) {
    body += part;
    return true;
  });
  if (response) response->body = std::move(body);
  return response;
}

Result<HttpConnection::Line> HttpConnection::read_line() {
  while (!buffered()) {
    auto more = fill();
    if (!more) return std::unexpected(more.error());
    if (!*more) return Line{{}, {}, true};
  }
  const std::size_t end = buffer_.find('\n');
  Line line{buffer_.substr(0, end), std::move(fds_), false};
  fds_.clear();
  buffer_.erase(0, end + 1);
  return line;
}

Result<> HttpConnection::write_line(std::string_view text) {
  return send_with_fds(socket_.get(), std::string(text) + "\n", {});
}

}  // namespace agentsh::client
