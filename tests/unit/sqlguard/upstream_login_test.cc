#include "sqlguard/login/upstream_login.h"

#include "login_testing.h"
#include "sqlguard/login/client_login.h"

#include <gmock/gmock.h>

namespace agentsh::sql {
namespace {

using Kind = Authentication::Kind;

StartupMessage startup() {
  return {.minor = 2, .parameters = {{"user", "app"}, {"database", "shop"}}};
}

UpstreamLoginOptions with_password(std::string_view text = "pencil") {
  return {.password = secret(text), .service = "db"};
}

// What the machine sends, or "SQLSTATE message" of its failure.
std::string give(UpstreamLogin& login, const ByteVector& bytes, std::size_t piece = 1000) {
  Feed feed;
  const auto step = feed.give(bytes, piece, [&](Bytes got) { return login.receive(got); });
  if (!step) return step.error().sqlstate + " " + step.error().message;
  if (step->send.empty()) return step->done ? "done" : "";
  return text_of(step->send);
}

std::string outcome(UpstreamLoginOptions options, const ByteVector& bytes) {
  UpstreamLogin login(startup(), std::move(options));
  return give(login, bytes);
}

TEST(UpstreamLogin, BeginsWithTheStartupMessage) {
  const ByteVector sent = UpstreamLogin(startup(), {}).begin();
  const auto read = read_startup(sent);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(std::get<StartupMessage>((*read)->packet), startup());
}

TEST(UpstreamLogin, TrustAtEveryBorder) {
  const ByteVector bytes = request(Kind::kOk) + session_start();
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    UpstreamLogin login(startup(), {});
    EXPECT_EQ(give(login, bytes, piece), "done");
    EXPECT_EQ(login.method(), "trust");
    const SessionStart& start = login.start();
    EXPECT_EQ(start.minor, 2);
    EXPECT_EQ(start.parameters,
              (std::vector<std::pair<std::string, std::string>>{{"server_version", "15.0"}}));
    ASSERT_TRUE(start.cancel_key);
    EXPECT_EQ(start.cancel_key->process, 7u);
    EXPECT_EQ(start.cancel_key->key, (ByteVector{1, 2, 3, 4}));
    EXPECT_EQ(start.notices,
              bytes_of(BackendMessage(Report{.is_error = false, .fields = {{'M', "welcome"}}})));
  }
}

TEST(UpstreamLogin, TakesNothingBehindTheFirstReadyForQuery) {
  UpstreamLogin login(startup(), {});
  const ByteVector bytes = request(Kind::kOk) + session_start();
  const auto step = login.receive(bytes + bytes_of(BackendMessage(ParameterStatus{"later", "1"})));
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->done);
  EXPECT_EQ(step->taken, bytes.size());
}

TEST(UpstreamLogin, OlderServersNameTheirVersion) {
  UpstreamLogin login(startup(), {});
  const ByteVector answer = bytes_of(BackendMessage(NegotiateProtocolVersion{0, {}}));
  EXPECT_EQ(give(login, answer + request(Kind::kOk) + session_start()), "done");
  EXPECT_EQ(login.start().minor, 0);
  EXPECT_THAT(outcome({}, bytes_of(BackendMessage(NegotiateProtocolVersion{3, {}}))),
              testing::HasSubstr("08P01"));
}

TEST(UpstreamLogin, Md5) {
  UpstreamLogin login(startup(), with_password());
  // "md5", md5(md5("pencil" "app") "\1\2\3\4"), as md5sum has it.
  EXPECT_EQ(give(login, request(Kind::kMd5, "\1\2\3\4")),
            std::string("md54bfca4ca571b8df74c2fc2247888d96f") + '\0');
  EXPECT_EQ(give(login, request(Kind::kOk) + session_start()), "done");
  EXPECT_EQ(login.method(), "md5");
  UpstreamLoginOptions options = with_password();
  options.allow_md5 = false;
  EXPECT_THAT(outcome(options, request(Kind::kMd5, "\1\2\3\4")),
              testing::StartsWith("28000 the server asks for md5"));
}

TEST(UpstreamLogin, CleartextOnlyWhereItIsAllowed) {
  EXPECT_THAT(outcome(with_password(), request(Kind::kCleartext)),
              testing::StartsWith("28000 the server asks for the password in cleartext"));
  UpstreamLoginOptions options = with_password();
  options.allow_cleartext = true;
  UpstreamLogin login(startup(), options);
  EXPECT_EQ(give(login, request(Kind::kCleartext)), std::string("pencil") + '\0');
  EXPECT_EQ(give(login, request(Kind::kOk) + session_start()), "done");
  EXPECT_EQ(login.method(), "password");
}

TEST(UpstreamLogin, WithoutAPasswordNothingIsSent) {
  UpstreamLoginOptions options{.allow_cleartext = true};
  const std::string sasl("SCRAM-SHA-256\0\0", 15);
  for (const ByteVector& asked :
       {request(Kind::kCleartext), request(Kind::kMd5, "abcd"), request(Kind::kSasl, sasl)})
    EXPECT_EQ(outcome(options, asked), "28000 the server asks for a password, and there is none");
}

TEST(UpstreamLogin, OtherMethodsAreNotSpoken) {
  for (Kind kind : {Kind::kKerberosV5, Kind::kGss, Kind::kSspi, Kind::kGssContinue})
    EXPECT_THAT(outcome(with_password(), request(kind)), testing::StartsWith("0A000"));
}

TEST(UpstreamLogin, TheServersRefusalIsToldAsItIs) {
  const ByteVector error = bytes_of(BackendMessage(Report{
      .is_error = true, .fields = {{'S', "FATAL"}, {'C', "28P01"}, {'M', "no"}, {'H', "try"}}}));
  UpstreamLogin login(startup(), {});
  const auto step = login.receive(error);
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().sqlstate, "28P01");
  EXPECT_EQ(step.error().message, "no");
  EXPECT_EQ(step.error().hint, "try");
  EXPECT_TRUE(step.error().by_server);
  // One without a SQLSTATE, as pgbouncer fell over.
  EXPECT_EQ(outcome({}, bytes_of(BackendMessage(Report{.is_error = true, .fields = {}}))),
            "08004 the server refused the connection");
}

// A whole login against the guard's own server side, which is tested with the vectors of the
// standard, in pieces of each size.
struct Scram {
  UpstreamLoginOptions client = with_password();
  ClientLoginOptions server{
      .user = "app", .verifier = ScramVerifier::of("pencil", "salt", 3), .service = "db"};

  std::string run(std::size_t piece, std::string* method = nullptr) const {
    UpstreamLogin login(startup(), client);
    ClientLogin other(server);
    Feed at_client, at_server;
    ByteVector to_client = other.begin().value().send;
    for (int turn = 0; turn < 10; ++turn) {
      auto step = at_client.give(to_client, piece, [&](Bytes got) { return login.receive(got); });
      if (!step) return "client: " + step.error().message;
      if (method != nullptr) *method = login.method();
      if (step->done) return "done";
      auto answer =
          at_server.give(step->send, piece, [&](Bytes got) { return other.receive(got); });
      if (!answer) return "server: " + answer.error().sqlstate + " " + answer.error().message;
      to_client = answer->send;
      if (answer->done) to_client = std::move(to_client) + session_start();
    }
    return "no end";
  }
};

TEST(UpstreamLogin, ScramAtEveryBorder) {
  Scram scram;
  for (std::size_t piece = 1; piece < 120; ++piece) {
    std::string method;
    EXPECT_EQ(scram.run(piece, &method), "done");
    EXPECT_EQ(method, "scram-sha-256");
  }
}

TEST(UpstreamLogin, ScramBoundAtEveryBorder) {
  Scram scram;
  scram.client.tls = scram.server.tls = true;
  scram.client.end_point = scram.server.end_point = ByteVector(32, 5);
  scram.client.channel_binding = ChannelBinding::kRequire;
  for (std::size_t piece = 1; piece < 120; ++piece) {
    std::string method;
    EXPECT_EQ(scram.run(piece, &method), "done");
    EXPECT_EQ(method, "scram-sha-256-plus");
  }
}

TEST(UpstreamLogin, BindingIsUsedWhereItCanBe) {
  Scram scram;
  std::string method;
  scram.client.tls = scram.server.tls = true;
  scram.client.end_point = scram.server.end_point = ByteVector(32, 5);
  scram.client.channel_binding = ChannelBinding::kDisable;
  EXPECT_EQ(scram.run(1000, &method), "done");
  EXPECT_EQ(method, "scram-sha-256");
  scram.client.channel_binding = ChannelBinding::kPrefer;
  EXPECT_EQ(scram.run(1000, &method), "done");
  EXPECT_EQ(method, "scram-sha-256-plus");
  // Somebody in between has another certificate.
  scram.client.end_point = ByteVector(32, 6);
  EXPECT_THAT(scram.run(1000), testing::HasSubstr("does not fit this connection"));
  // The server offers none.
  scram.server.tls = false;
  EXPECT_EQ(scram.run(1000, &method), "done");
  EXPECT_EQ(method, "scram-sha-256");
  scram.client.channel_binding = ChannelBinding::kRequire;
  EXPECT_THAT(scram.run(1000), testing::HasSubstr("channel binding is required"));
}

TEST(UpstreamLogin, AWrongPassword) {
  Scram scram;
  scram.client = with_password("pencils");
  EXPECT_THAT(scram.run(1000), testing::StartsWith("server: 28P01"));
}

// What a server that does not know the password, or an attacker in its place, could say instead.
TEST(UpstreamLogin, ADishonestServerIsRefused) {
  const std::string sasl("SCRAM-SHA-256\0\0", 15);
  const ByteVector offer = request(Kind::kSasl, sasl);
  UpstreamLoginOptions options = with_password();
  options.nonce = "abc";
  const ByteVector first = request(Kind::kSaslContinue, "r=abcdef,s=c2FsdA==,i=2");
  EXPECT_THAT(outcome(options, offer + request(Kind::kOk)),
              testing::HasSubstr("did not show that it knows the password"));
  EXPECT_THAT(outcome(options, offer + first + request(Kind::kOk)),
              testing::HasSubstr("did not show that it knows the password"));
  EXPECT_THAT(outcome(options, offer + first +
                                   request(Kind::kSaslFinal,
                                           "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
              testing::HasSubstr("did not show that it knows the password"));
  EXPECT_THAT(outcome(options, offer + offer), testing::HasSubstr("out of turn"));
  EXPECT_THAT(outcome(options, offer + request(Kind::kMd5, "abcd")),
              testing::HasSubstr("out of turn"));
  EXPECT_THAT(outcome(options, offer + first + first), testing::HasSubstr("out of turn"));
  EXPECT_THAT(outcome(options, first), testing::HasSubstr("out of turn"));
  EXPECT_THAT(outcome(options, request(Kind::kSaslFinal, "v=x")),
              testing::HasSubstr("out of turn"));
  EXPECT_THAT(
      outcome(options, offer + request(Kind::kSaslContinue, "r=abcdef,s=c2FsdA==,i=200001")),
      testing::HasSubstr("200001 iterations"));
  EXPECT_THAT(outcome(options, request(Kind::kSasl, std::string("SCRAM-SHA-1\0\0", 13))),
              testing::HasSubstr("no SASL mechanism"));
  EXPECT_THAT(outcome(options, request(Kind::kMd5, "abc")), testing::StartsWith("08P01"));
  EXPECT_THAT(outcome(options, session_start()), testing::StartsWith("08P01"));
  EXPECT_THAT(outcome(options, bytes_of(BackendMessage(CommandComplete{"SELECT 1"}))),
              testing::StartsWith("08P01"));
  const ByteVector ok = request(Kind::kOk);
  EXPECT_THAT(outcome(options, ok + ok), testing::StartsWith("08P01"));
  EXPECT_THAT(outcome(options, ok + bytes_of(BackendMessage(DataRow{}))),
              testing::StartsWith("08P01"));
  EXPECT_THAT(
      outcome(options,
              ok + bytes_of(BackendMessage(ReadyForQuery{ReadyForQuery::State::kTransaction}))),
      testing::HasSubstr("begins in a transaction"));
}

TEST(UpstreamLogin, WhatTheServerSaysIsBounded) {
  ByteVector bytes = request(Kind::kOk);
  const std::string value(9000, 'x');
  for (int i = 0; i < 40; ++i)
    bytes = std::move(bytes) + bytes_of(BackendMessage(ParameterStatus{"a", value}));
  EXPECT_THAT(outcome({}, bytes), testing::HasSubstr("says too much"));
  EXPECT_THAT(outcome({}, ByteVector{'E', 0x20, 0, 0, 0}), testing::StartsWith("08P01"));
  EXPECT_THAT(outcome({}, ByteVector{'R', 0, 0, 0, 0}), testing::StartsWith("08P01"));
}

}  // namespace
}  // namespace agentsh::sql
