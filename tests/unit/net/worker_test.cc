#include "proxy/net/worker.h"

#include "proxy/net/connect.h"
#include "proxy/net/listener.h"
#include "tests/support/run_loop.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <future>
#include <memory>
#include <optional>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;

asio::awaitable<void> echo(asio::any_io_executor executor, UniqueFd socket) {
  auto stream = TcpStream::adopt(executor, std::move(socket));
  std::array<std::uint8_t, 256> buffer;
  while (stream) {
    auto got = co_await read(**stream, buffer);
    if (!got || *got == 0) co_return;
    if (!co_await write(**stream, std::span(buffer).first(*got))) co_return;
  }
}

TEST(Worker, RunsPostedWorkInItsOwnThread) {
  Worker worker("test-worker");
  std::promise<bool> inside;
  worker.post([&] { inside.set_value(worker.in_this_thread()); });
  EXPECT_TRUE(inside.get_future().get());
  EXPECT_FALSE(worker.in_this_thread());
  worker.stop(milliseconds(100));
}

TEST(Worker, SurvivesAnExceptionInPostedWork) {
  Worker worker("test-worker");
  worker.post([] { throw std::runtime_error("on purpose"); });
  std::promise<void> after;
  worker.post([&] { after.set_value(); });
  after.get_future().get();
}

TEST(WorkerPool, ServesConnectionsHandedOverAsDescriptorsAndEndsThemOnStop) {
  WorkerPool pool("test-pool", 2);
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0});
  ASSERT_TRUE(listening);
  const Endpoint endpoint = *local_endpoint(listening->get());
  auto listener = Listener::adopt(loop.get_executor(), std::move(*listening));
  ASSERT_TRUE(listener);
  std::vector<std::unique_ptr<TcpStream>> clients;
  for (int i = 0; i < 4; ++i) {
    auto client = run_loop(loop, connect(loop.get_executor(), endpoint, milliseconds(5000)));
    ASSERT_TRUE(client) << client.error().what;
    auto accepted = run_loop(loop, (*listener)->accept());
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->peer->address, endpoint.address);
    Worker& worker = pool.next();
    worker.post([&worker, socket = std::move(accepted->socket)]() mutable {
      worker.tasks().spawn("echo", echo(worker.executor(), std::move(socket)));
    });
    clients.push_back(std::move(*client));
  }
  std::array<std::uint8_t, 256> buffer;
  for (auto& client : clients) {
    ASSERT_TRUE(run_loop(loop, write(*client, as_bytes("ping"))));
    auto got = run_loop(loop, read(*client, buffer));
    ASSERT_TRUE(got);
    EXPECT_EQ(as_text(std::span(buffer).first(*got)), "ping");
  }
  pool.stop(milliseconds(2000));
  for (auto& client : clients) {
    auto got = run_loop(loop, read(*client, buffer));
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 0u);
  }
}

TEST(Listener, WaitsWhileDescriptorsAreUsedUp) {
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0});
  ASSERT_TRUE(listening);
  const Endpoint endpoint = *local_endpoint(listening->get());
  auto listener = Listener::adopt(loop.get_executor(), std::move(*listening));
  ASSERT_TRUE(listener);
  auto client = run_loop(loop, connect(loop.get_executor(), endpoint, milliseconds(5000)));
  ASSERT_TRUE(client) << client.error().what;

  // Room for no descriptor at all until the first attempt has failed.
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none = {0, before.rlim_max};
  std::optional<Result<Accepted>> accepted;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  asio::co_spawn(loop, (*listener)->accept(),
                 [&](std::exception_ptr, Result<Accepted> got) { accepted = std::move(got); });
  loop.restart();
  loop.poll();
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(accepted.has_value());
  loop.run();
  ASSERT_TRUE(accepted && *accepted) << accepted->error().what;
}

TEST(Listener, CloseEndsAccept) {
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0});
  ASSERT_TRUE(listening);
  auto listener = Listener::adopt(loop.get_executor(), std::move(*listening));
  ASSERT_TRUE(listener);
  asio::post(loop, [&] { (*listener)->close(); });
  auto accepted = run_loop(loop, (*listener)->accept());
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().code, std::errc::operation_canceled);
}

TEST(Listener, RefusesASocketThatDoesNotListen) {
  asio::io_context loop(1);
  auto pair = stream_pair(loop.get_executor());
  ASSERT_TRUE(pair);
  auto fd = pair->first->release();
  ASSERT_TRUE(fd);
  EXPECT_FALSE(Listener::adopt(loop.get_executor(), std::move(*fd)));
}

}  // namespace
}  // namespace agentsh::net
