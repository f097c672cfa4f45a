// Signatures against the vectors that AWS publishes (aws-sig-v4-test-suite).
#include "proxy/llm/sigv4.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using namespace std::chrono_literals;

const AwsCredentials kExample = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
constexpr std::chrono::sys_seconds kNow =
    std::chrono::sys_days(2015y / std::chrono::August / 30) + 12h + 36min;

SignedFields sign(std::string_view method, std::string_view path, Fields fields = {},
                  std::string_view body = {}, const AwsCredentials& credentials = kExample) {
  fields.emplace_back("Host", "example.amazonaws.com");
  return sign_v4({.method = method,
                  .path = path,
                  .fields = fields,
                  .region = "us-east-1",
                  .service = "service"},
                 credentials, sha256_hex(body), kNow);
}

std::string expected(std::string_view names, std::string_view signature) {
  return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
         "SignedHeaders=" +
         std::string(names) + ", Signature=" + std::string(signature);
}

TEST(SigV4, SignsThePublishedVectors) {
  const struct {
    const char* name;
    const char* method;
    const char* path;
    Fields fields;
    const char* body;
    const char* names;
    const char* signature;
  } cases[] = {
      {"get-vanilla",
       "GET",
       "/",
       {},
       "",
       "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-unreserved",
       "GET",
       "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
       {},
       "",
       "host;x-amz-date",
       "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
      {"get-slashes",
       "GET",
       "//example//",
       {},
       "",
       "host;x-amz-date",
       "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
      {"get-vanilla-query-order-key-case",
       "GET",
       "/?Param2=value2&Param1=value1",
       {},
       "",
       "host;x-amz-date",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-vanilla-query-order-value",
       "GET",
       "/?Param1=value2&Param1=value1",
       {},
       "",
       "host;x-amz-date",
       "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
      {"get-vanilla-utf8-query",
       "GET",
       "/?\u1234=bar",
       {},
       "",
       "host;x-amz-date",
       "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
      {"get-header-value-order",
       "GET",
       "/",
       {{"My-Header1", "value4"},
        {"My-Header1", "value1"},
        {"My-Header1", "value3"},
        {"My-Header1", "value2"}},
       "",
       "host;my-header1;x-amz-date",
       "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
      {"get-header-key-duplicate",
       "GET",
       "/",
       {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
       "",
       "host;my-header1;x-amz-date",
       "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
      {"get-header-value-trim",
       "GET",
       "/",
       {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
       "",
       "host;my-header1;my-header2;x-amz-date",
       "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
      {"post-x-www-form-urlencoded",
       "POST",
       "/",
       {{"Content-Type", "application/x-www-form-urlencoded"}},
       "Param1=value1",
       "content-type;host;x-amz-date",
       "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
  };
  for (const auto& c : cases) {
    const SignedFields fields = sign(c.method, c.path, c.fields, c.body);
    EXPECT_EQ(fields.authorization, expected(c.names, c.signature)) << c.name;
    EXPECT_EQ(fields.date, "20150830T123600Z");
  }
}

TEST(SigV4, SignsTheSessionToken) {
  AwsCredentials credentials = kExample;
  credentials.session_token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
  const SignedFields fields = sign("GET", "/", {}, {}, credentials);
  EXPECT_EQ(fields.authorization,
            expected("host;x-amz-date;x-amz-security-token",
                     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"));
  EXPECT_EQ(fields.security_token, credentials.session_token);
}

TEST(SigV4, EncodesPathsTwiceAndCleansThem) {
  const auto canonical_path = [](std::string_view path) {
    const std::string text = canonical_request({.method = "GET", .path = path}, {}, "");
    return text.substr(4, text.find('\n', 4) - 4);
  };
  EXPECT_EQ(canonical_path("/model/a%3A0/converse"), "/model/a%253A0/converse");
  EXPECT_EQ(canonical_path("/a/./b/../c/"), "/a/c/");
  EXPECT_EQ(canonical_path("/../.."), "/");
  EXPECT_EQ(canonical_path(""), "/");
}

}  // namespace
}  // namespace agentsh::llm
