#include "proxy/net/relay.h"

#include "proxy/net/connect.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/listener.h"
#include "proxy/net/socket_stream.h"
#include "tests/support/run_loop.h"

#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;

// client <-> a [relay] b <-> server, over TCP or Unix sockets.
class RelayTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::tie(client_, a_) = make_pair();
    std::tie(server_, b_) = make_pair();
  }

  std::pair<std::unique_ptr<SocketStream>, std::unique_ptr<SocketStream>> make_pair() {
    if (!GetParam()) return std::move(stream_pair(loop_.get_executor()).value());
    UniqueFd listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0}).value();
    auto near = run_loop(
        loop_, connect(loop_.get_executor(), *local_endpoint(listening.get()), milliseconds(5000)));
    UniqueFd socket(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    auto far = SocketStream::adopt(loop_.get_executor(), std::move(socket));
    return {std::move(near.value()), std::move(far.value())};
  }

  void start(RelayLimits limits = {}) {
    asio::co_spawn(loop_, relay(*a_, *b_, limits, counters_),
                   [this](std::exception_ptr error, RelayEnd end) {
                     EXPECT_FALSE(error);
                     end_ = end;
                   });
  }

  RelayEnd wait_for_end() {
    while (!end_ && loop_.run_one() > 0) {
    }
    return end_.value();
  }

  // Reads until the end or an error.
  std::string read_all(ByteStream& stream, std::error_code* failure = nullptr) {
    std::string all;
    std::array<std::uint8_t, 65536> buffer;
    for (;;) {
      auto got = run_loop(loop_, read(stream, buffer));
      if (!got && failure != nullptr) *failure = got.error().code;
      if (!got || *got == 0) return all;
      all += as_text(std::span(buffer).first(*got));
    }
  }

  asio::io_context loop_{1};
  std::unique_ptr<SocketStream> client_, a_, b_, server_;
  RelayCounters counters_;
  std::optional<RelayEnd> end_;
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

TEST_P(RelayTest, PassesHalfClosesAndCounts) {
  start();
  ASSERT_TRUE(run_loop(loop_, write(*client_, as_bytes("request"))));
  ASSERT_TRUE(run_loop(loop_, client_->shutdown_write()));
  EXPECT_EQ(read_all(*server_), "request");
  ASSERT_TRUE(run_loop(loop_, write(*server_, as_bytes("a longer response"))));
  ASSERT_TRUE(run_loop(loop_, server_->shutdown_write()));
  EXPECT_EQ(read_all(*client_), "a longer response");
  EXPECT_EQ(wait_for_end().reason, RelayEnd::Reason::kFinished);
  EXPECT_EQ(counters_.a_to_b, 7u);
  EXPECT_EQ(counters_.b_to_a, 17u);
}

TEST_P(RelayTest, MegabytesArriveUnchangedAcrossTheChangeToSplice) {
  start({.splice_after = 100 << 10});
  const std::string sent = pattern(20 << 20);
  asio::co_spawn(loop_, write(*client_, as_bytes(sent)), [&](std::exception_ptr, Result<> done) {
    EXPECT_TRUE(done);
    ::shutdown(client_->native_handle(), SHUT_WR);
  });
  const std::string got = read_all(*server_);
  EXPECT_TRUE(got == sent) << got.size();
  ASSERT_TRUE(run_loop(loop_, server_->shutdown_write()));
  EXPECT_EQ(read_all(*client_), "");
  EXPECT_EQ(wait_for_end().reason, RelayEnd::Reason::kFinished);
  EXPECT_EQ(counters_.a_to_b, sent.size());
}

TEST_P(RelayTest, PutBackBytesGoFirst) {
  a_->unread(as_bytes("first "));
  start({.splice_after = 0});
  ASSERT_TRUE(run_loop(loop_, write(*client_, as_bytes("second"))));
  ASSERT_TRUE(run_loop(loop_, client_->shutdown_write()));
  EXPECT_EQ(read_all(*server_), "first second");
}

TEST_P(RelayTest, ASlowReaderHoldsTheSenderBack) {
  // Nobody reads at the server: what the client can get rid of is bounded by socket buffers and the
  // relay's own, whether it copies or splices.
  for (const int buffers : {SO_SNDBUF, SO_RCVBUF}) {
    const int size = 64 << 10;
    for (const auto* stream : {client_.get(), a_.get(), b_.get(), server_.get()}) {
      ::setsockopt(stream->native_handle(), SOL_SOCKET, buffers, &size, sizeof(size));
    }
  }
  start({.splice_after = 1 << 20});
  const std::string block(64 << 10, 'x');
  const Bytes data = as_bytes(block);
  std::size_t accepted = 0;
  for (int idle = 0; idle < 200;) {
    const IoResult sent = client_->try_write({&data, 1});
    accepted += sent.bytes;
    idle = sent.status == IoStatus::kOk ? 0 : idle + 1;
    loop_.restart();
    loop_.poll();
  }
  EXPECT_LT(accepted, 4u << 20);
  client_->close(true);
  server_->close(true);
  wait_for_end();
}

TEST_P(RelayTest, IdleEndsBoth) {
  start({.idle = milliseconds(60)});
  EXPECT_EQ(wait_for_end().reason, RelayEnd::Reason::kIdle);
  std::array<std::uint8_t, 16> buffer;
  auto got = run_loop(loop_, read(*client_, buffer));
  EXPECT_TRUE(!got || *got == 0);
}

TEST_P(RelayTest, HalfClosedHasItsOwnLimit) {
  start({.idle = std::chrono::hours(1), .half_closed = milliseconds(60)});
  ASSERT_TRUE(run_loop(loop_, client_->shutdown_write()));
  EXPECT_EQ(wait_for_end().reason, RelayEnd::Reason::kIdle);
}

TEST_P(RelayTest, AResetIsPassedOnWhereTheTransportHasIt) {
  start();
  ASSERT_TRUE(run_loop(loop_, write(*client_, as_bytes("x"))));
  std::array<std::uint8_t, 16> buffer;
  ASSERT_TRUE(run_loop(loop_, read(*server_, buffer)));
  client_->close(true);
  if (!GetParam()) {
    // A Unix socket has no RST: the peer sees an end, and the relay goes on until it ends too.
    EXPECT_EQ(read_all(*server_), "");
    server_->close();
    wait_for_end();
    return;
  }
  const RelayEnd end = wait_for_end();
  EXPECT_EQ(end.reason, RelayEnd::Reason::kFailed);
  EXPECT_EQ(end.error->code, std::errc::connection_reset);
  std::error_code failure;
  read_all(*server_, &failure);
  EXPECT_EQ(failure, std::errc::connection_reset);
}

TEST_P(RelayTest, ManyIdleRelaysHoldNoPipes) {
  // After a burst that was spliced the pipe is back among the spares: the next relay takes it.
  start({.splice_after = 0});
  ASSERT_TRUE(run_loop(loop_, write(*client_, as_bytes("burst"))));
  std::array<std::uint8_t, 16> buffer;
  ASSERT_TRUE(run_loop(loop_, read(*server_, buffer)));
  EXPECT_EQ(counters_.a_to_b, 5u);
  client_->close();
  server_->close();
  EXPECT_EQ(wait_for_end().reason, RelayEnd::Reason::kFinished);
}

INSTANTIATE_TEST_SUITE_P(Sockets, RelayTest, ::testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Tcp" : "Unix"; });

}  // namespace
}  // namespace agentsh::net
