#include "proxy/dns/upstream_task.h"

#include "proxy/dns/socket_deadline.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

namespace agentsh::dns {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// Larger than what is asked for (kMaxUdpBytes); what is cut off all the same goes to TCP.
constexpr std::size_t kDatagramBytes = 4096;

template <class Protocol>
typename Protocol::endpoint to_asio(const Endpoint& server) {
  sockaddr_storage storage;
  const socklen_t length = server.to_sockaddr(storage);
  typename Protocol::endpoint endpoint;
  endpoint.resize(length);
  std::memcpy(endpoint.data(), &storage, length);
  return endpoint;
}

std::string describe(const Endpoint& server, std::string_view transport, const error_code& error) {
  return fmt::format("{} over {}: {}", server.to_string(), transport, error.message());
}

// While it lives, `hook` cancels what waits on the socket.
template <class Socket>
class CancelHook {
 public:
  CancelHook(std::function<void()>& hook, Socket& socket) : hook_(hook) {
    hook_ = [&socket] {
      error_code ignored;
      socket.cancel(ignored);
    };
  }
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;
  ~CancelHook() { hook_ = nullptr; }

 private:
  std::function<void()>& hook_;
};

// Reads one datagram and judges it. Nothing when none is there.
std::optional<ReplyKind> receive(asio::ip::udp::socket& socket, UpstreamExchange& exchange,
                                 error_code& error) {
  std::array<std::uint8_t, kDatagramBytes> buffer;
  const std::size_t size = socket.receive(asio::buffer(buffer), MSG_TRUNC, error);
  if (error == asio::error::would_block) {
    error.clear();
    return {};
  }
  if (error) return {};
  if (size > buffer.size()) return ReplyKind::kDoubtful;
  return exchange.judge(Bytes(buffer).first(size));
}

}  // namespace

UpstreamTask::UpstreamTask(asio::any_io_executor executor, UpstreamQuestion question,
                           UpstreamServers& servers, const UpstreamOptions& options)
    : executor_(std::move(executor)),
      question_(std::move(question)),
      servers_(servers),
      options_(options) {}

void UpstreamTask::stop() {
  stopped_ = true;
  if (cancel_attempt_) cancel_attempt_();
}

std::chrono::milliseconds UpstreamTask::time_left() const {
  if (stopped_) return std::chrono::milliseconds(0);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline_ - std::chrono::steady_clock::now());
  return std::max(std::chrono::milliseconds(0), left);
}

asio::awaitable<Answer> UpstreamTask::run() {
  deadline_ = std::chrono::steady_clock::now() + options_.total_timeout;
  trouble_ = "no upstream resolver is configured (dns upstream list, or nameserver lines of " +
             options_.resolv_conf + ")";
  for (int round = 0; round < options_.rounds && time_left().count() > 0; ++round) {
    for (const Endpoint& server : servers_.in_order(std::chrono::steady_clock::now())) {
      if (time_left().count() == 0) break;
      const bool answered = co_await ask_server(server);
      if (answered) {
        servers_.answered(server);
        co_return std::move(answer_);
      }
      servers_.failed(server, std::chrono::steady_clock::now());
    }
  }
  co_return failed_answer(trouble_info_, trouble_);
}

// True with answer_ filled in.
asio::awaitable<bool> UpstreamTask::ask_server(Endpoint server) {
  edns_ = true;
  exchange_ = std::make_unique<UpstreamExchange>(question_, edns_);
  ReplyKind kind = co_await over_udp(server);
  if (kind == ReplyKind::kWithoutEdns) {
    edns_ = false;
    exchange_ = std::make_unique<UpstreamExchange>(question_, edns_);
    kind = co_await over_udp(server);
  }
  if (kind == ReplyKind::kDoubtful) {
    exchange_ = std::make_unique<UpstreamExchange>(question_, edns_);
    kind = co_await over_tcp(server);
  }
  if (kind == ReplyKind::kAnswer) co_return take_answer(server);
  if (kind == ReplyKind::kFailed) {
    trouble_ = fmt::format("{} answered {}", server.to_string(),
                           to_string(exchange_->reply().header.rcode));
    trouble_info_ = ErrorInfo::kOther;
  }
  co_return false;
}

bool UpstreamTask::take_answer(const Endpoint& server) {
  const Name asked = Name::from_host(question_.host).value_or(Name());
  auto distilled =
      distil(exchange_->reply(), asked, question_.type, question_.dnssec, options_.answers);
  if (!distilled) {
    trouble_ = fmt::format("{} answered badly: {}", server.to_string(), distilled.error().what);
    trouble_info_ = ErrorInfo::kInvalidData;
    return false;
  }
  answer_ = std::move(*distilled);
  answer_.server = server.to_string();
  return true;
}

asio::awaitable<ReplyKind> UpstreamTask::over_udp(Endpoint server) {
  const auto endpoint = to_asio<asio::ip::udp>(server);
  asio::ip::udp::socket socket(executor_);
  CancelHook hook(cancel_attempt_, socket);
  error_code error;
  socket.open(endpoint.protocol(), error);
  if (!error) socket.connect(endpoint, error);
  if (!error) socket.non_blocking(true, error);
  const Bytes query = exchange_->query();
  if (!error) socket.send(asio::buffer(query.data(), query.size()), 0, error);
  SocketDeadline deadline(socket, std::min(options_.attempt_timeout, time_left()));
  while (!error) {
    auto [waited] = co_await socket.async_wait(asio::socket_base::wait_read, kTuple);
    if (waited || deadline.expired()) {
      error = asio::error::timed_out;
      break;
    }
    const auto kind = receive(socket, *exchange_, error);
    if (kind && *kind != ReplyKind::kStray) co_return *kind;
  }
  trouble_ = describe(server, "UDP", error);
  trouble_info_ =
      error == asio::error::timed_out ? ErrorInfo::kNoReachableAuthority : ErrorInfo::kNetworkError;
  co_return ReplyKind::kStray;
}

asio::awaitable<ReplyKind> UpstreamTask::over_tcp(Endpoint server) {
  asio::ip::tcp::socket socket(executor_);
  CancelHook hook(cancel_attempt_, socket);
  SocketDeadline deadline(socket, std::min(options_.attempt_timeout, time_left()));
  error_code error;
  socket.open(to_asio<asio::ip::tcp>(server).protocol(), error);
  if (!error) {
    std::tie(error) = co_await socket.async_connect(to_asio<asio::ip::tcp>(server), kTuple);
  }
  const Bytes query = exchange_->query();
  const std::array<std::uint8_t, 2> length = {static_cast<std::uint8_t>(query.size() >> 8),
                                              static_cast<std::uint8_t>(query.size())};
  if (!error) {
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(length),
                                                     asio::buffer(query.data(), query.size())};
    std::tie(error, std::ignore) = co_await asio::async_write(socket, parts, kTuple);
  }
  std::array<std::uint8_t, 2> prefix{};
  if (!error) {
    std::tie(error, std::ignore) = co_await asio::async_read(socket, asio::buffer(prefix), kTuple);
  }
  std::vector<std::uint8_t> reply(static_cast<std::size_t>(prefix[0]) << 8 | prefix[1]);
  if (!error) {
    std::tie(error, std::ignore) = co_await asio::async_read(socket, asio::buffer(reply), kTuple);
  }
  if (error) {
    if (deadline.expired()) error = asio::error::timed_out;
    trouble_ = describe(server, "TCP", error);
    trouble_info_ = ErrorInfo::kNetworkError;
    co_return ReplyKind::kStray;
  }
  const ReplyKind kind = exchange_->judge(reply);
  if (kind == ReplyKind::kAnswer || kind == ReplyKind::kFailed) co_return kind;
  trouble_ = fmt::format("{} over TCP: a reply that does not fit the question", server.to_string());
  trouble_info_ = ErrorInfo::kInvalidData;
  co_return ReplyKind::kStray;
}

}  // namespace agentsh::dns
