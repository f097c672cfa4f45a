// Which handler answers, and who may ask.
#include "appliance/api/router.h"

#include "proxy/net/socket_stream.h"
#include "tests/support/run_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>

namespace agentsh::api {
namespace {

using boost::asio::awaitable;

class Routing : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    peer_ = UniqueFd(ends[1]);
    auto stream = net::SocketStream::adopt(loop_.get_executor(), UniqueFd(ends[0]));
    ASSERT_TRUE(stream);
    connection_.emplace(std::move(*stream), std::chrono::seconds(1));
    router_.add("GET", "/things/{id}", Role::kAgent, [](Exchange& exchange) -> awaitable<Response> {
      co_return Response::text("thing " + exchange.request.captures.at(0));
    });
    router_.add("DELETE", "/things/{id}", Role::kAdmin,
                [](Exchange&) -> awaitable<Response> { co_return Response::text("gone"); });
  }

  Response ask(std::string method, std::string_view target, Role role) {
    Exchange exchange{{}, *connection_};
    exchange.request.method = std::move(method);
    exchange.request.caller.role = role;
    EXPECT_TRUE(parse_target(target, exchange.request));
    return test::run_loop(loop_, router_.route(exchange));
  }

  boost::asio::io_context loop_{1};
  UniqueFd peer_;
  std::optional<Connection> connection_;
  Router router_;
};

TEST_F(Routing, ByMethodPathAndRole) {
  EXPECT_EQ(ask("GET", "/things/a%20b", Role::kAgent).body, "thing a b");
  EXPECT_EQ(ask("DELETE", "/things/x", Role::kAdmin).body, "gone");
  EXPECT_EQ(ask("DELETE", "/things/x", Role::kAgent).status, 403);
  EXPECT_EQ(ask("DELETE", "/things/x", Role::kApprover).status, 403);
  EXPECT_EQ(ask("GET", "/things/x", Role::kNone).status, 401);
  EXPECT_EQ(ask("PUT", "/things/x", Role::kAdmin).status, 405);
  EXPECT_EQ(ask("GET", "/things", Role::kAdmin).status, 404);
  EXPECT_EQ(ask("GET", "/things/x/y", Role::kAdmin).status, 404);
}

TEST(Targets, AreDecodedOrRefused) {
  Request request;
  ASSERT_TRUE(parse_target("/a/b%2Fc?x=1&y=%41+b&x=2&z", request));
  EXPECT_EQ(request.parameter("x"), "1");
  EXPECT_EQ(request.parameter("none", "otherwise"), "otherwise");
  for (std::string_view bad : {"", "a", "/%", "/%4", "/%zz", "/a%00b", "http://host/"}) {
    Request other;
    EXPECT_FALSE(parse_target(bad, other)) << bad;
  }
}

}  // namespace
}  // namespace agentsh::api
