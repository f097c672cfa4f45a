#include "appliance/api/exchange.h"

#include "base/fd_passing.h"
#include "base/json_writer.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/socket_stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

namespace agentsh::api {
namespace {

constexpr std::size_t kReadSize = 64 << 10;
constexpr std::size_t kMaxLine = 64 << 10;

bool has_room(int socket) {
  pollfd state{.fd = socket, .events = POLLOUT, .revents = 0};
  return ::poll(&state, 1, 0) > 0;
}

}  // namespace

std::string_view Request::parameter(std::string_view name, std::string_view otherwise) const {
  auto found = query.find(std::string(name));
  return found == query.end() ? otherwise : std::string_view(found->second);
}

Response Response::error(int status, std::string_view sentence) {
  JsonWriter json;
  json.begin_object().field("error", sentence).end_object();
  return Response::json(json.take(), status);
}

Response Response::error(const Error& error) {
  int status = 400;
  if (error.code == std::errc::no_such_file_or_directory) status = 404;
  if (error.code == std::errc::file_exists) status = 409;
  if (error.code == std::errc::permission_denied) status = 403;
  if (error.code == std::errc::not_supported) status = 503;
  return Response::error(status, error.what);
}

Connection::Connection(std::unique_ptr<net::SocketStream> stream,
                       std::chrono::milliseconds write_timeout)
    : stream_(std::move(stream)),
      socket_(static_cast<net::SocketStream*>(stream_.get())),
      write_timeout_(write_timeout) {}
Connection::Connection(std::unique_ptr<net::ByteStream> stream,
                       std::chrono::milliseconds write_timeout)
    : stream_(std::move(stream)), write_timeout_(write_timeout) {}
Connection::~Connection() = default;

boost::asio::awaitable<Result<bool>> Connection::fill_from_stream() {
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadSize);
  auto got = co_await net::read(
      *stream_, {reinterpret_cast<std::uint8_t*>(buffer_.data()) + before, kReadSize});
  buffer_.resize(before + got.value_or(0));
  if (!got) co_return std::unexpected(got.error());
  co_return *got > 0;
}

boost::asio::awaitable<Result<bool>> Connection::fill() {
  if (socket_ == nullptr) co_return co_await fill_from_stream();
  for (;;) {
    // Not by the stream's try_read: descriptors would be lost.
    auto received = receive_with_fds(socket_->native_handle(), kReadSize, true);
    if (received) {
      for (UniqueFd& fd : received->fds) fds_.push_back(std::move(fd));
      if (fds_.size() > kMaxPassedFds)
        co_return fail("too many descriptors", std::errc::too_many_files_open);
      buffer_ += received->data;
      co_return !received->data.empty();
    }
    if (received.error().code != std::errc::resource_unavailable_try_again) {
      co_return std::unexpected(received.error());
    }
    socket_->blocked(net::Want::kRead);
    auto ready = co_await socket_->wait(net::Want::kRead);
    if (!ready) co_return std::unexpected(ready.error());
  }
}

std::vector<UniqueFd> Connection::take_fds() {
  std::vector<UniqueFd> taken = std::move(fds_);
  fds_.clear();
  return taken;
}

boost::asio::awaitable<Result<>> Connection::write(std::string_view data,
                                                   std::span<const int> fds) {
  net::StreamDeadline deadline(*stream_);
  deadline.expires_after(write_timeout_);
  if (!fds.empty()) {
    if (socket_ == nullptr) co_return fail("no descriptors over TLS", std::errc::not_supported);
    // Small messages on a socket that nothing else is waiting in: room is waited for, then it is
    // sent whole.
    for (;;) {
      auto ready = co_await socket_->wait(net::Want::kWrite);
      if (!ready) co_return ready;
      if (has_room(socket_->native_handle())) break;
      socket_->blocked(net::Want::kWrite);
    }
    co_return send_with_fds(socket_->native_handle(), data, fds);
  }
  co_return co_await net::write(*stream_, as_bytes(data));
}

boost::asio::awaitable<Result<>> Connection::start_stream(std::string_view content_type) {
  const std::string head = fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nCache-Control: no-store\r\nTransfer-Encoding: "
      "chunked\r\n\r\n",
      content_type);
  co_return co_await write(head);
}

boost::asio::awaitable<Result<>> Connection::write_chunk(std::string_view data) {
  if (data.empty()) co_return Result<>();
  const std::string chunk = fmt::format("{:x}\r\n{}\r\n", data.size(), data);
  co_return co_await write(chunk);
}

boost::asio::awaitable<Result<>> Connection::end_stream() {
  co_return co_await write("0\r\n\r\n");
}

boost::asio::awaitable<Result<>> Connection::switch_protocols(std::string_view protocol) {
  const std::string head = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n", protocol);
  co_return co_await write(head);
}

boost::asio::awaitable<Result<std::string>> Connection::read_line() {
  std::size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos) {
    if (buffer_.size() > kMaxLine) co_return fail("line too long", std::errc::message_size);
    auto more = co_await fill();
    if (!more) co_return std::unexpected(more.error());
    if (!*more) co_return fail("the client is gone", std::errc::connection_reset);
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  co_return line;
}

Result<JsonDocument> Exchange::json_body() const {
  auto document = JsonDocument::parse(request.body.empty() ? std::string_view("{}")
                                                           : std::string_view(request.body));
  if (!document) return document;
  if (!document->root().is_object()) return fail("the body must be a JSON object");
  return document;
}

}  // namespace agentsh::api
