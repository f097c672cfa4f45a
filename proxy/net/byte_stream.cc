#include "proxy/net/byte_stream.h"

#include <array>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

class StreamCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "stream"; }
  std::string message(int) const override { return "the stream was cut off before its end"; }
};

Error io_error(const char* verb, const std::error_code& code) {
  return Error{code, std::string(verb) + ": " + code.message()};
}

}  // namespace

std::error_code make_error_code(StreamErrc code) {
  static const StreamCategory category;
  return {static_cast<int>(code), category};
}

bool truncated(const std::error_code& code) {
  return code == StreamErrc::kTruncated;
}

Error canceled_error() {
  return make_error("the wait was canceled", std::errc::operation_canceled);
}

asio::awaitable<Result<std::size_t>> read(ByteStream& stream, std::span<std::uint8_t> buffer) {
  for (;;) {
    const IoResult got = stream.try_read(buffer);
    if (got.status == IoStatus::kOk) co_return got.bytes;
    if (got.status == IoStatus::kEnd) co_return 0;
    if (got.status == IoStatus::kError) co_return std::unexpected(io_error("read", got.error));
    Result<> ready = co_await stream.wait(got.want);
    if (!ready) co_return std::unexpected(ready.error());
  }
}

asio::awaitable<Result<>> write(ByteStream& stream, Bytes data) {
  while (!data.empty()) {
    const IoResult sent = stream.try_write({&data, 1});
    if (sent.status == IoStatus::kOk) {
      data = data.subspan(sent.bytes);
      continue;
    }
    if (sent.status != IoStatus::kWouldBlock) {
      co_return std::unexpected(io_error("write", sent.error));
    }
    Result<> ready = co_await stream.wait(sent.want);
    if (!ready) co_return std::unexpected(ready.error());
  }
  co_return Result<>();
}

asio::awaitable<void> drain_and_close(ByteStream& stream, std::size_t limit) {
  Result<> ended = co_await stream.shutdown_write();
  std::array<std::uint8_t, 4096> scrap;
  while (ended && limit > 0) {
    Result<std::size_t> got =
        co_await read(stream, std::span(scrap).first(std::min(limit, scrap.size())));
    if (!got || *got == 0) break;
    limit -= *got;
  }
  stream.close();
}

}  // namespace agentsh::net
