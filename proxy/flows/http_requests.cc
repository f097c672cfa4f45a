#include "proxy/flows/http_requests.h"

#include "proxy/flows/stream_io.h"

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;

namespace {

constexpr std::size_t kMaxDrained = 4 << 20;
constexpr std::chrono::milliseconds kDrainTime{2'000};

}  // namespace

RequestSource::RequestSource(Connection& connection) : c_(connection), deadline_(*c_.client) {}

asio::awaitable<RequestSource::Outcome> RequestSource::next() {
  reader_.next_message();
  trouble_ = {};
  if (!c_.start.empty() || c_.requests == 0) deadline_.expires_after(c_.options().request_head);
  while (true) {
    const bool idle = c_.start.empty();
    if (!idle) {
      const http::HeadStep step = reader_.read_head(c_.start.data());
      head_size_ = step.size;
      if (step.size > 0) {
        deadline_.clear();
        co_return Outcome::kHead;
      }
      if (step.refusal != http::Refusal::kNone) {
        refuse(describe_refusal(step.refusal));
        co_return Outcome::kRefused;
      }
    }
    // The first byte may come late, the rest of the head not.
    if (idle && c_.requests > 0) deadline_.expires_after(c_.options().keep_alive);
    const IoResult got = co_await read_more(*c_.client, c_.start, ReadFirst::kWait);
    if (got.status != IoStatus::kOk) co_return Outcome::kEnded;
    c_.bytes_sent += got.bytes;
    if (idle) deadline_.expires_after(c_.options().request_head);
  }
}

asio::awaitable<void> RequestSource::answer(http::ErrorPage page) {
  const std::string text = http::render(page);
  deadline_.expires_after(c_.options().write_stall);
  static_cast<void>(co_await write_all(*c_.client, as_bytes(text), {}, c_.bytes_received));
}

asio::awaitable<void> RequestSource::close(bool drain) {
  deadline_.expires_after(kDrainTime);
  if (drain) {
    co_await net::drain_and_close(*c_.client, kMaxDrained);
    co_return;
  }
  static_cast<void>(co_await c_.client->shutdown_write());
  c_.client->close();
}

}  // namespace agentsh::flows
