#include "proxy/net/connect.h"

#include "proxy/net/listener.h"
#include "tests/support/run_loop.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;
using ::testing::HasSubstr;

TEST(Connect, RefusedNamesTheEndpoint) {
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0});
  ASSERT_TRUE(listening);
  const Endpoint endpoint = *local_endpoint(listening->get());
  listening->reset();
  auto stream = run_loop(loop, connect(loop.get_executor(), endpoint, milliseconds(5000)));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, std::errc::connection_refused);
  EXPECT_THAT(stream.error().what, HasSubstr(endpoint.to_string()));
}

TEST(Connect, TimesOutWhenTheBacklogIsFull) {
  asio::io_context loop(1);
  auto listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0}, 0);
  ASSERT_TRUE(listening);
  const Endpoint endpoint = *local_endpoint(listening->get());
  std::vector<std::unique_ptr<TcpStream>> fill;
  Error last;
  // A backlog of 0 takes one or two connections; then SYNs are dropped.
  for (int i = 0; i < 8; ++i) {
    auto stream = run_loop(loop, connect(loop.get_executor(), endpoint, milliseconds(200)));
    if (!stream) {
      last = stream.error();
      break;
    }
    fill.push_back(std::move(*stream));
  }
  EXPECT_EQ(last.code, std::errc::timed_out) << last.what;
  EXPECT_THAT(last.what, HasSubstr("no answer within 200ms"));
}

TEST(ConnectUnix, AbstractNamesAndErrors) {
  asio::io_context loop(1);
  const std::string name = "@agentsh-test-" + std::to_string(::getpid());
  UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  ASSERT_EQ(::listen(listening.get(), 4), 0);
  auto stream = run_loop(loop, connect_unix(loop.get_executor(), name, milliseconds(5000)));
  EXPECT_TRUE(stream) << stream.error().what;

  const std::string missing = "/nonexistent/socket";
  auto none = run_loop(loop, connect_unix(loop.get_executor(), missing, milliseconds(5000)));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, HasSubstr(missing));
  auto longer =
      run_loop(loop, connect_unix(loop.get_executor(), std::string(200, 'a'), milliseconds(5000)));
  EXPECT_FALSE(longer);
}

}  // namespace
}  // namespace agentsh::net
