#include "sqlguard/login/relayed_login.h"

#include "login_testing.h"
#include "sqlguard/login/client_login.h"
#include "sqlguard/login/upstream_login.h"

#include <gmock/gmock.h>

namespace agentsh::sql {
namespace {

using Kind = Authentication::Kind;

StartupMessage startup() {
  return {.parameters = {{"user", "app"}}};
}

const std::string kPlain("SCRAM-SHA-256\0\0", 15);
const std::string kBoth("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", 34);

std::string from_server(RelayedLogin& login, const ByteVector& bytes) {
  const auto step = login.from_server(bytes);
  if (!step) return step.error().sqlstate + " " + step.error().message;
  return step->done ? "done" : "";
}
std::string from_client(RelayedLogin& login, const ByteVector& bytes) {
  const auto step = login.from_client(bytes);
  return step ? "" : step.error().sqlstate + " " + step.error().message;
}
std::string outcome(const ByteVector& bytes, RelayedLoginOptions options = {}) {
  options.service = "db";
  RelayedLogin login(startup(), options);
  return from_server(login, bytes);
}

// A client without TLS, and a server that offers binding: the client logs in with what is left.
TEST(RelayedLogin, ScramAtEveryBorder) {
  for (std::size_t piece = 1; piece < 130; ++piece) {
    RelayedLogin relay(startup(), {.service = "db"});
    UpstreamLogin client(startup(), {.password = secret("pencil")});
    ClientLogin server({.user = "app",
                        .verifier = ScramVerifier::of("pencil", "salt", 2),
                        .tls = true,
                        .end_point = ByteVector(32, 5)});
    Feed at_relay_server, at_relay_client, at_client, at_server;
    EXPECT_EQ(relay.begin(), client.begin());
    ByteVector from_server = server.begin().value().send;
    bool done = false;
    for (int turn = 0; turn < 6 && !done; ++turn) {
      auto to_client = at_relay_server.give(from_server, piece,
                                            [&](Bytes got) { return relay.from_server(got); });
      ASSERT_TRUE(to_client) << to_client.error().message;
      done = to_client->done;
      EXPECT_EQ(relay.awaits_client(), !done && turn < 2);
      auto said =
          at_client.give(to_client->send, piece, [&](Bytes got) { return client.receive(got); });
      ASSERT_TRUE(said) << said.error().message;
      auto to_server = at_relay_client.give(said->send, piece,
                                            [&](Bytes got) { return relay.from_client(got); });
      ASSERT_TRUE(to_server) << to_server.error().message;
      auto answer =
          at_server.give(to_server->send, piece, [&](Bytes got) { return server.receive(got); });
      ASSERT_TRUE(answer) << answer.error().message;
      from_server = answer->send;
      if (answer->done) from_server = std::move(from_server) + session_start();
    }
    EXPECT_TRUE(done);
    EXPECT_EQ(relay.method(), "scram-sha-256");
    EXPECT_EQ(relay.start().cancel_key->process, 7u);
  }
}

TEST(RelayedLogin, BindingCannotCross) {
  EXPECT_EQ(outcome(request(Kind::kSasl, kBoth)), "");
  EXPECT_EQ(outcome(request(Kind::kSasl, kPlain), {.client_tls = true}), "");
  RelayedLogin login(startup(), {.client_tls = true, .service = "db"});
  const auto step = login.from_server(request(Kind::kSasl, kBoth));
  ASSERT_FALSE(step);
  EXPECT_THAT(step.error().message, testing::HasSubstr("cannot be relayed"));
  EXPECT_THAT(step.error().hint, testing::HasSubstr("Set credentials of db_services.db"));
  EXPECT_THAT(outcome(request(Kind::kSasl, std::string("SCRAM-SHA-256-PLUS\0\0", 20))),
              testing::HasSubstr("no SASL mechanism that can be relayed"));
}

TEST(RelayedLogin, Passwords) {
  const std::string_view password("secret\0", 7);
  RelayedLogin md5(startup(), {});
  EXPECT_EQ(from_server(md5, request(Kind::kMd5, "abcd")), "");
  EXPECT_EQ(from_client(md5, response(password)), "");
  EXPECT_EQ(from_server(md5, request(Kind::kOk) + session_start()), "done");
  EXPECT_EQ(md5.method(), "md5");
  EXPECT_THAT(outcome(request(Kind::kMd5, "abcd"), {.allow_md5 = false}),
              testing::HasSubstr("md5, which is not allowed"));
  EXPECT_THAT(outcome(request(Kind::kCleartext)), testing::HasSubstr("which is not allowed"));
  EXPECT_EQ(outcome(request(Kind::kCleartext), {.allow_cleartext = true}), "");
  RelayedLogin malformed(startup(), {});
  EXPECT_EQ(from_server(malformed, request(Kind::kMd5, "abcd")), "");
  EXPECT_THAT(from_client(malformed, response("no end")), testing::StartsWith("08P01"));
}

TEST(RelayedLogin, TrustAndTheServersRefusal) {
  EXPECT_EQ(outcome(request(Kind::kOk) + session_start()), "done");
  EXPECT_EQ(outcome(bytes_of(
                BackendMessage(Report{.is_error = true, .fields = {{'C', "28000"}, {'M', "no"}}}))),
            "28000 no");
  EXPECT_THAT(outcome(request(Kind::kGss)), testing::HasSubstr("cannot be relayed"));
}

TEST(RelayedLogin, NobodySpeaksOutOfTurn) {
  RelayedLogin early(startup(), {});
  EXPECT_THAT(from_client(early, response("x")), testing::HasSubstr("before it is asked"));
  EXPECT_THAT(outcome(request(Kind::kSasl, kPlain) + request(Kind::kOk)),
              testing::HasSubstr("did not wait"));
  EXPECT_THAT(outcome(request(Kind::kSaslContinue, "r=")), testing::HasSubstr("out of turn"));
  EXPECT_THAT(outcome(request(Kind::kSaslFinal, "v=")), testing::HasSubstr("out of turn"));
  EXPECT_THAT(outcome(session_start()), testing::StartsWith("08P01"));
  RelayedLogin statement(startup(), {});
  EXPECT_EQ(from_server(statement, request(Kind::kSasl, kPlain)), "");
  EXPECT_THAT(from_client(statement, bytes_of(FrontendMessage(Query{"drop table a"}))),
              testing::HasSubstr("a password was expected"));
  RelayedLogin twice(startup(), {});
  const std::string_view password("p\0", 2);
  EXPECT_EQ(from_server(twice, request(Kind::kMd5, "abcd")), "");
  EXPECT_THAT(from_client(twice, response(password) + response(password)),
              testing::HasSubstr("before it is asked"));
  RelayedLogin started(startup(), {});
  EXPECT_EQ(from_server(started, request(Kind::kOk)), "");
  EXPECT_THAT(from_client(started, response(password)), testing::HasSubstr("before it is asked"));
  // SCRAM that ends before the server has shown that it knows the password.
  RelayedLogin unproven(startup(), {});
  ByteWriter body;
  body.text(std::string_view("SCRAM-SHA-256\0\0\0\0\4n,,x", 22));
  EXPECT_EQ(from_server(unproven, request(Kind::kSasl, kPlain)), "");
  EXPECT_EQ(from_client(unproven, response(as_text(body.view()))), "");
  EXPECT_THAT(from_server(unproven, request(Kind::kOk)), testing::StartsWith("08P01"));
}

}  // namespace
}  // namespace agentsh::sql
