#include "sqlguard/login/scram.h"

#include "base/encoding.h"
#include "sqlguard/login/client_login.h"
#include "sqlguard/login/saslprep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

// RFC 7677, section 3.
constexpr std::string_view kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
constexpr std::string_view kPassword = "pencil";
constexpr std::uint32_t kMost = 10'000;

ScramClient vector_client() {
  return ScramClient(Gs2Flag::kNone, {}, std::string(kClientNonce), "user");
}

TEST(ScramClient, SpeaksTheVectorOfTheStandard) {
  ScramClient client = vector_client();
  EXPECT_EQ(client.first(), kClientFirst);
  EXPECT_EQ(client.answer(kServerFirst, kPassword, kMost).value(), kClientFinal);
  EXPECT_TRUE(client.verify(kServerFinal));
}

TEST(ScramServer, SpeaksTheVectorOfTheStandard) {
  const auto verifier =
      ScramVerifier::of(kPassword, from_base64("W22ZaJ0SNY7soEsUEjb6gQ==").value(), 4096);
  ScramServer server(false, false, {}, std::string(kServerNonce));
  EXPECT_EQ(server.answer(kClientFirst, verifier->salt, verifier->iterations).value(),
            kServerFirst);
  EXPECT_EQ(server.finish(kClientFinal, verifier->stored_key, verifier->server_key).value(),
            kServerFinal);
}

TEST(ScramClient, DoesNotBelieveAnotherServer) {
  for (std::string_view other :
       {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=", "v=AAAA", "e=other-error", "", "x",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,p"}) {
    ScramClient client = vector_client();
    ASSERT_TRUE(client.answer(kServerFirst, kPassword, kMost));
    EXPECT_FALSE(client.verify(other)) << other;
  }
  // Before it has answered there is nothing that a server could sign.
  EXPECT_FALSE(vector_client().verify(kServerFinal));
}

TEST(ScramClient, RefusesFirstMessagesOfTheServer) {
  const std::string nonce = std::string(kClientNonce) + "x";
  for (const std::string& first :
       {std::string(), std::string("r="), "r=" + nonce, "r=" + nonce + ",s=QQ==",
        "r=" + nonce + ",s=QQ==,i=", "r=" + nonce + ",s=QQ==,i=0", "r=" + nonce + ",s=QQ==,i=-1",
        "r=" + nonce + ",s=QQ==,i=1x", "r=" + nonce + ",s=QQ==,i=99999999999",
        "r=" + nonce + ",s=QQ==,i=10001", "r=" + nonce + ",s=,i=4096", "r=" + nonce + ",s=Q,i=4096",
        "m=x,r=" + nonce + ",s=QQ==,i=4096", "r=" + nonce + ",s=QQ==,i=4096,m=x",
        std::string("r=other,s=QQ==,i=4096"), "r=" + std::string(kClientNonce) + ",s=QQ==,i=4096",
        "r=" + nonce + "\x7f,s=QQ==,i=4096", "s=QQ==,r=" + nonce + ",i=4096",
        "r=" + nonce + ",s=" + std::string(4000, 'A') + ",i=4096"}) {
    EXPECT_FALSE(vector_client().answer(first, kPassword, kMost)) << first;
  }
  // Extensions need not be understood.
  EXPECT_TRUE(vector_client().answer("r=" + nonce + ",s=QQ==,i=1,z=1", kPassword, kMost));
}

// "" for a login, else who refused.
std::string log_in(ScramClient client, ScramServer server, std::string_view known,
                   std::string_view given) {
  const auto verifier = ScramVerifier::of(known, "salt", 2);
  const auto first = server.answer(client.first(), verifier->salt, verifier->iterations);
  if (!first) return "first: " + first.error().what;
  const auto final = client.answer(*first, given, kMost);
  if (!final) return "client: " + final.error().what;
  const auto last = server.finish(*final, verifier->stored_key, verifier->server_key);
  if (!last) return "final: " + last.error().what;
  if (!*last) return "wrong";
  const auto verified = client.verify(**last);
  return verified ? "" : "server: " + verified.error().what;
}

TEST(Scram, BothSidesWithAndWithoutBinding) {
  const auto binding = as_bytes("certificate");
  const auto client = [&](Gs2Flag flag, Bytes data = {}) {
    return ScramClient(flag, data, scram_nonce());
  };
  const auto server = [&](bool offered, bool plus, Bytes data = {}) {
    return ScramServer(offered, plus, data, scram_nonce());
  };
  EXPECT_EQ(log_in(client(Gs2Flag::kNone), server(false, false), "a", "a"), "");
  EXPECT_EQ(log_in(client(Gs2Flag::kNone), server(true, false, binding), "a", "a"), "");
  EXPECT_EQ(log_in(client(Gs2Flag::kUnoffered), server(false, false), "a", "a"), "");
  EXPECT_EQ(log_in(client(Gs2Flag::kBound, binding), server(true, true, binding), "a", "a"), "");
  EXPECT_EQ(log_in(client(Gs2Flag::kNone), server(false, false), "a", "b"), "wrong");
  // Somebody took -PLUS out of the offer.
  EXPECT_THAT(log_in(client(Gs2Flag::kUnoffered), server(true, false, binding), "a", "a"),
              testing::HasSubstr("believes that channel binding was not offered"));
  // Another certificate stands between the two.
  EXPECT_THAT(
      log_in(client(Gs2Flag::kBound, as_bytes("other")), server(true, true, binding), "a", "a"),
      testing::HasSubstr("does not fit this connection"));
  EXPECT_THAT(log_in(client(Gs2Flag::kBound, binding), server(true, false, binding), "a", "a"),
              testing::StartsWith("first:"));
  EXPECT_THAT(log_in(client(Gs2Flag::kNone), server(true, true, binding), "a", "a"),
              testing::StartsWith("first:"));
}

TEST(ScramServer, RefusesWhatIsMalformed) {
  const auto verifier = ScramVerifier::of("a", "salt", 2);
  for (std::string_view first :
       {"", "n", "n,", "n,,", "n,,n=", "n,,n=,r=", "n,,r=abc", "x,,n=,r=abc", "n,a=root,n=,r=abc",
        "p=tls-unique,,n=,r=abc", "p=,,n=,r=abc", "n,,m=x,n=,r=abc", "n,,n=,r=a b", "n,,n=,r=a,m=x",
        "n,,n=,r=a,,"}) {
    ScramServer server(false, false, {}, "server");
    EXPECT_FALSE(server.answer(first, verifier->salt, verifier->iterations)) << first;
  }
  for (std::string_view final :
       {"", "c=biws,r=clientserver", "c=biws,r=clientserver,p=", "c=biws,r=clientserver,p=AAAA",
        "c=eSws,r=clientserver,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "c=biws,r=client,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "r=clientserver,c=biws,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "c=biws,r=clientserver,m=x,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}) {
    ScramServer server(false, false, {}, "server");
    ASSERT_TRUE(server.answer("n,,n=,r=client", verifier->salt, verifier->iterations));
    EXPECT_FALSE(server.finish(final, verifier->stored_key, verifier->server_key)) << final;
  }
  ScramServer unasked(false, false, {}, "server");
  EXPECT_FALSE(unasked.finish(
      "c=biws,r=clientserver,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", verifier->stored_key,
      verifier->server_key));
}

TEST(Saslprep, PreparesAsPostgresqlDoes) {
  EXPECT_EQ(prepared_password("pencil"), "pencil");
  EXPECT_EQ(prepared_password("a\tb"), "a\tb");    // ASCII is left alone.
  EXPECT_EQ(prepared_password("I\u00ADX"), "IX");  // RFC 4013, section 3.
  EXPECT_EQ(prepared_password("\u00AA"), "a");
  EXPECT_EQ(prepared_password("\u2168"), "IX");
  EXPECT_EQ(prepared_password("p\u00E4ss\u00A0w"), "p\u00E4ss w");
  EXPECT_EQ(prepared_password("\u0627\u0031"), "\u0627\u0031");    // Fails the check of direction.
  EXPECT_EQ(prepared_password("a\u0007\u00E4"), "a\u0007\u00E4");  // Prohibited.
  EXPECT_EQ(prepared_password("\xff\xfe"), "\xff\xfe");            // Not UTF-8.
  EXPECT_EQ(prepared_password("\u00AD"), "\u00AD");                // Nothing would be left.
  EXPECT_EQ(prepared_password("\U0001F600"), "\U0001F600");        // Not assigned in Unicode 3.2.
  EXPECT_EQ(prepared_password(""), "");
}

}  // namespace
}  // namespace agentsh::sql
