#include "sqlguard/login/client_login.h"

#include "login_testing.h"
#include "sqlguard/login/service_login.h"

#include <gmock/gmock.h>

namespace agentsh::sql {
namespace {

using Method = ClientLoginOptions::Method;

ClientLoginOptions options(Method method, std::string user = "agent") {
  return {.method = method,
          .user = std::move(user),
          .required_user = "agent",
          .verifier = ScramVerifier::of("placeholder", "salt", 2),
          .service = "db",
          .nonce = "server"};
}

std::string give(ClientLogin& login, const ByteVector& bytes) {
  const auto step = login.receive(bytes);
  if (!step) return step.error().sqlstate + " " + step.error().message;
  return step->done ? "done" : "";
}

ByteVector initial(std::string_view mechanism, std::string_view data) {
  ByteWriter body;
  body.text(mechanism);
  body.u8(0);
  body.u32(static_cast<std::uint32_t>(data.size()));
  body.text(data);
  return response(as_text(body.view()));
}

TEST(ClientLogin, AsksForNothingWhereTheWaySaysWhoItIs) {
  ClientLogin login(options(Method::kNone));
  const auto step = login.begin();
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->done);
  EXPECT_EQ(step->send, request(Authentication::Kind::kOk));
  ClientLogin other(options(Method::kNone, "root"));
  EXPECT_EQ(other.begin().error().sqlstate, "28P01");
}

TEST(ClientLogin, CleartextInsideTls) {
  EXPECT_THAT(ClientLogin(options(Method::kCleartext)).begin().error().message,
              testing::HasSubstr("without TLS"));
  const auto outcome = [](std::string_view password, std::string user = "agent") {
    ClientLoginOptions given = options(Method::kCleartext, std::move(user));
    given.tls = true;
    ClientLogin login(given);
    EXPECT_EQ(login.begin().value().send, request(Authentication::Kind::kCleartext));
    return give(login, response(password));
  };
  EXPECT_EQ(outcome(std::string_view("placeholder\0", 12)), "done");
  EXPECT_THAT(outcome(std::string_view("guess\0", 6)), testing::StartsWith("28P01"));
  EXPECT_THAT(outcome(std::string_view("placeholder\0", 12), "root"), testing::StartsWith("28P01"));
  EXPECT_THAT(outcome("placeholder"), testing::StartsWith("08P01"));
}

TEST(ClientLogin, AWrongUserIsToldLikeAWrongPlaceholder) {
  for (std::string user : {"root", "agent"}) {
    ClientLogin login(options(Method::kScram, user));
    ASSERT_TRUE(login.begin());
    EXPECT_EQ(give(login, initial("SCRAM-SHA-256", "n,,n=,r=client")), "");
    EXPECT_THAT(
        give(login,
             response("c=biws,r=clientserver,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        testing::StartsWith("28P01 the guard of db does not know user"));
  }
}

TEST(ClientLogin, OnlyWhatIsAskedForIsTaken) {
  const auto outcome = [](const ByteVector& bytes) {
    ClientLogin login(options(Method::kScram));
    EXPECT_TRUE(login.begin());
    return give(login, bytes);
  };
  EXPECT_THAT(outcome(bytes_of(FrontendMessage(Query{"select 1"}))), testing::StartsWith("08P01"));
  EXPECT_THAT(outcome(initial("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=c")),
              testing::HasSubstr("not offered"));
  EXPECT_THAT(outcome(initial("SCRAM-SHA-1", "n,,n=,r=c")), testing::HasSubstr("not offered"));
  EXPECT_THAT(outcome(initial("SCRAM-SHA-256", "n,,n=")), testing::StartsWith("08P01"));
  EXPECT_THAT(outcome(response("password")), testing::StartsWith("08P01"));
  ClientLogin unasked(options(Method::kScram));
  EXPECT_THAT(give(unasked, response("x")), testing::StartsWith("08P01"));
}

TEST(ServiceLogin, FollowsTheEntryOfThePolicy) {
  policy::DbService service{.name = "db"};
  // Without credentials nobody can log in at the guard.
  ClientLogin nobody(client_login_of(service, "agent"));
  ASSERT_TRUE(nobody.begin());
  EXPECT_THAT(give(nobody, initial("SCRAM-SHA-256", "n,,n=,r=c")), testing::StartsWith("28P01"));
  EXPECT_EQ(upstream_user(service, "agent"), "agent");
  service.credentials = policy::DbCredentials{
      .user = "app_rw", .password_ref = "env:P", .client_user = "agent", .placeholder = "p"};
  EXPECT_EQ(upstream_user(service, "agent"), "app_rw");
  const ClientLoginOptions client = client_login_of(service, "agent");
  EXPECT_EQ(client.method, Method::kScram);
  EXPECT_EQ(client.required_user, "agent");
  EXPECT_EQ(client.verifier, verifier_of("p"));
  service.channel_binding = policy::DbChannelBinding::kRequire;
  EXPECT_EQ(upstream_login_of(service).channel_binding, ChannelBinding::kRequire);
  EXPECT_FALSE(upstream_login_of(service).allow_cleartext);
  EXPECT_TRUE(relayed_login_of(service, true).client_tls);
}

TEST(LoginFailure, IsAnErrorResponse) {
  ByteWriter out;
  write(LoginFailure{.sqlstate = "28000", .message = std::string("a\0b", 3), .hint = "h"}, out);
  const auto frame = read_frame(out.view(), Direction::kBackend);
  ASSERT_TRUE(frame && *frame);
  const auto message = parse_backend(**frame);
  ASSERT_TRUE(message);
  const auto& report = std::get<Report>(*message);
  EXPECT_TRUE(report.is_error);
  EXPECT_EQ(report.field('S'), "FATAL");
  EXPECT_EQ(report.field('C'), "28000");
  EXPECT_EQ(report.field('M'), "a b");
  EXPECT_EQ(report.field('H'), "h");
}

}  // namespace
}  // namespace agentsh::sql
