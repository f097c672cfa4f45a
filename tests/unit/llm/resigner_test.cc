// Signing again: what is taken from the client's signature, what is ours.
#include "proxy/llm/resigner.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace agentsh::llm {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::sys_seconds kNow =
    std::chrono::sys_days(2015y / std::chrono::August / 30) + 12h + 36min;

Resigner::Fields fields_with(std::string authorization) {
  return {{"Host", "bedrock-runtime.eu-west-1.amazonaws.com"},
          {"Content-Type", "application/json"},
          {"X-Amz-Date", "20010101T000000Z"},
          {"X-Amz-Security-Token", "theirs"},
          {"amz-sdk-request", "attempt=1"},
          {"Authorization", std::move(authorization)}};
}

const std::string kTheirs =
    "AWS4-HMAC-SHA256 Credential=AKIA/20010101/eu-west-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=00";

std::string value_of(const Resigner::Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
  return found == fields.end() ? std::string() : found->second;
}

TEST(Resigner, SignsWithTheRegionAndServiceOfTheClient) {
  const auto signer = Resigner::of("POST", "/model/m%3A0/converse", fields_with(kTheirs));
  ASSERT_TRUE(signer);
  const AwsCredentials keys{"AKIDEXAMPLE", "secret", "ours"};
  const auto set = signer->sign("content", keys, kNow);
  const Resigner::Fields signed_ones = {{"host", "bedrock-runtime.eu-west-1.amazonaws.com"},
                                        {"content-type", "application/json"}};
  const SignedFields expected = sign_v4({.method = "POST",
                                         .path = "/model/m%3A0/converse",
                                         .fields = signed_ones,
                                         .region = "eu-west-1",
                                         .service = "bedrock"},
                                        keys, sha256_hex("content"), kNow);
  EXPECT_EQ(value_of(set, "Authorization"), expected.authorization);
  EXPECT_EQ(value_of(set, "X-Amz-Date"), "20150830T123600Z");
  EXPECT_EQ(value_of(set, "X-Amz-Security-Token"), "ours");
  EXPECT_EQ(value_of(set, "X-Amz-Content-Sha256"), "");
  EXPECT_NE(signer->sign("other", keys, kNow), set);
}

TEST(Resigner, SendsTheHashWhereTheClientDid) {
  auto fields = fields_with(kTheirs);
  fields.emplace_back("x-amz-content-sha256", "theirs");
  const auto set = Resigner::of("POST", "/", fields)->sign("content", {"A", "b", ""}, kNow);
  EXPECT_EQ(value_of(set, "X-Amz-Content-Sha256"), sha256_hex("content"));
  EXPECT_EQ(value_of(set, "X-Amz-Security-Token"), "");
}

TEST(Resigner, OtherSignaturesAreNotKnown) {
  for (const char* other :
       {"", "Bearer key", "AWS4-ECDSA-P256-SHA256 Credential=A/20010101/bedrock/aws4_request",
        "AWS4-HMAC-SHA256 Signature=00", "AWS4-HMAC-SHA256 Credential=A/aws4_request, x",
        "AWS4-HMAC-SHA256 Credential=A/20010101//bedrock/aws4_request, x"}) {
    EXPECT_FALSE(Resigner::of("POST", "/", fields_with(other))) << other;
  }
}

}  // namespace
}  // namespace agentsh::llm
