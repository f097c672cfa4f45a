#include "proxy/net/socket_stream.h"

#include "base/fd_passing.h"
#include "proxy/net/connect.h"
#include "proxy/net/listener.h"
#include "tests/support/run_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using test::run_loop;

std::string read_some(asio::io_context& loop, ByteStream& stream) {
  std::array<std::uint8_t, 1024> buffer;
  auto got = run_loop(loop, read(stream, buffer));
  EXPECT_TRUE(got) << got.error().what;
  return got ? std::string(as_text(std::span(buffer).first(*got))) : std::string();
}

struct Pair {
  asio::io_context loop{1};
  std::unique_ptr<UnixStream> one, other;
  Pair() {
    auto made = stream_pair(loop.get_executor());
    if (!made) throw std::runtime_error(made.error().what);
    one = std::move(made->first);
    other = std::move(made->second);
  }
};

TEST(SocketStream, MovesBytesBothWaysAndEnds) {
  Pair pair;
  ASSERT_TRUE(run_loop(pair.loop, write(*pair.one, as_bytes("hello"))));
  EXPECT_EQ(read_some(pair.loop, *pair.other), "hello");
  ASSERT_TRUE(run_loop(pair.loop, pair.one->shutdown_write()));
  EXPECT_EQ(read_some(pair.loop, *pair.other), "");
  ASSERT_TRUE(run_loop(pair.loop, write(*pair.other, as_bytes("still open"))));
  EXPECT_EQ(read_some(pair.loop, *pair.one), "still open");
}

TEST(SocketStream, GathersPartsInOrder) {
  Pair pair;
  const std::array<Bytes, 4> parts{as_bytes("a"), Bytes{}, as_bytes("bc"), as_bytes("def")};
  const IoResult sent = pair.one->try_write(parts);
  ASSERT_EQ(sent.status, IoStatus::kOk);
  EXPECT_EQ(sent.bytes, 6u);
  EXPECT_EQ(read_some(pair.loop, *pair.other), "abcdef");
}

TEST(SocketStream, NothingIsNotTheEnd) {
  Pair pair;
  const IoResult got = pair.one->try_read({});
  EXPECT_EQ(got.status, IoStatus::kOk);
  EXPECT_EQ(got.bytes, 0u);
  EXPECT_EQ(pair.one->try_write({}).status, IoStatus::kOk);
}

TEST(SocketStream, WouldBlockNamesWhatToWaitFor) {
  Pair pair;
  std::array<std::uint8_t, 8> buffer;
  const IoResult empty = pair.one->try_read(buffer);
  EXPECT_EQ(empty.status, IoStatus::kWouldBlock);
  EXPECT_EQ(empty.want, Want::kRead);
  const std::string block(1 << 20, 'x');
  const Bytes data = as_bytes(block);
  IoResult sent;
  do {
    sent = pair.one->try_write({&data, 1});
  } while (sent.status == IoStatus::kOk);
  EXPECT_EQ(sent.status, IoStatus::kWouldBlock);
  EXPECT_EQ(sent.want, Want::kWrite);
}

TEST(SocketStream, GivesBackWhatWasUnreadBeforeTheRest) {
  Pair pair;
  ASSERT_TRUE(run_loop(pair.loop, write(*pair.one, as_bytes("world"))));
  pair.other->unread(as_bytes("lo "));
  pair.other->unread(as_bytes("hel"));
  EXPECT_TRUE(pair.other->has_unread());
  // Ready at once: the put-back bytes are readable although no event will come for them.
  ASSERT_TRUE(run_loop(pair.loop, pair.other->wait(Want::kRead)));
  EXPECT_EQ(read_some(pair.loop, *pair.other), "hello ");
  EXPECT_FALSE(pair.other->has_unread());
  EXPECT_EQ(read_some(pair.loop, *pair.other), "world");
}

TEST(SocketStream, CloseEndsAWaitWithCanceled) {
  Pair pair;
  asio::post(pair.loop, [&] { pair.one->close(); });
  Result<> waited = run_loop(pair.loop, pair.one->wait(Want::kRead));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, std::errc::operation_canceled);
  // And whatever is tried afterwards says the same.
  std::array<std::uint8_t, 8> buffer;
  EXPECT_EQ(pair.one->try_read(buffer).error, std::errc::operation_canceled);
  const Bytes data = as_bytes("x");
  EXPECT_EQ(pair.one->try_write({&data, 1}).error, std::errc::operation_canceled);
  EXPECT_FALSE(run_loop(pair.loop, pair.one->wait(Want::kWrite)));
  EXPECT_EQ(pair.one->native_handle(), -1);
}

TEST(SocketStream, PeerThatGoesIsAnErrorForTheWriterNotASignal) {
  Pair pair;
  pair.other.reset();
  Result<> sent = run_loop(pair.loop, write(*pair.one, as_bytes("x")));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, std::errc::broken_pipe);
}

TEST(SocketStream, ReleaseGivesTheDescriptorBack) {
  Pair pair;
  pair.one->unread(as_bytes("x"));
  EXPECT_FALSE(pair.one->release()) << "put-back bytes would be lost";
  EXPECT_EQ(read_some(pair.loop, *pair.one), "x");
  auto fd = pair.one->release();
  ASSERT_TRUE(fd);
  EXPECT_EQ(::send(fd->get(), "raw", 3, 0), 3);
  EXPECT_EQ(read_some(pair.loop, *pair.other), "raw");
}

TEST(SocketStream, RefusesWhatIsNoStreamSocket) {
  asio::io_context loop(1);
  auto datagrams = unix_socket_pair(SOCK_DGRAM);
  ASSERT_TRUE(datagrams);
  EXPECT_FALSE(SocketStream::adopt(loop.get_executor(), std::move(datagrams->first)));
  EXPECT_FALSE(SocketStream::adopt(loop.get_executor(), UniqueFd(::open("/dev/null", O_RDWR))));
  EXPECT_FALSE(SocketStream::adopt(loop.get_executor(), UniqueFd()));
}

TEST(SocketStream, TcpIsWithoutDelayAndResetsWhenAsked) {
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0});
  ASSERT_TRUE(listening);
  const Endpoint endpoint = *local_endpoint(listening->get());
  auto client = run_loop(loop, connect(loop.get_executor(), endpoint, std::chrono::seconds(5)));
  ASSERT_TRUE(client) << client.error().what;
  auto listener = Listener::adopt(loop.get_executor(), std::move(*listening));
  ASSERT_TRUE(listener);
  auto accepted = run_loop(loop, (*listener)->accept());
  ASSERT_TRUE(accepted);
  auto server = TcpStream::adopt(loop.get_executor(), std::move(accepted->socket));
  ASSERT_TRUE(server);
  for (const auto* stream : {client->get(), server->get()}) {
    int on = 0;
    socklen_t size = sizeof(on);
    ::getsockopt(stream->native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    EXPECT_EQ(on, 1);
  }
  (*server)->close(true);
  std::array<std::uint8_t, 8> buffer;
  auto got = run_loop(loop, read(**client, buffer));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, std::errc::connection_reset);
}

TEST(SocketStream, DrainingDeliversAnAnswerThatCameBeforeTheRequestWasRead) {
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("::1"), 0});
  ASSERT_TRUE(listening);
  auto client = run_loop(loop, connect(loop.get_executor(), *local_endpoint(listening->get()),
                                       std::chrono::seconds(5)));
  ASSERT_TRUE(client) << client.error().what;
  auto server = TcpStream::adopt(
      loop.get_executor(), UniqueFd(::accept4(listening->get(), nullptr, nullptr, SOCK_CLOEXEC)));
  ASSERT_TRUE(server);
  const std::string upload(1 << 20, 'u');
  asio::co_spawn(loop, write(**client, as_bytes(upload)), [&](std::exception_ptr, Result<> sent) {
    EXPECT_TRUE(sent);
    ::shutdown((*client)->native_handle(), SHUT_WR);
  });
  ASSERT_TRUE(run_loop(loop, write(**server, as_bytes("403"))));
  run_loop(loop, drain_and_close(**server, 8 << 20));
  EXPECT_EQ(read_some(loop, **client), "403");
  EXPECT_EQ(read_some(loop, **client), "");
}

}  // namespace
}  // namespace agentsh::net
