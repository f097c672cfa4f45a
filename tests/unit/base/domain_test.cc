#include "base/domain.h"

#include <gtest/gtest.h>

namespace agentsh {
namespace {

TEST(CanonicalHost, LowersAndStripsTheDot) {
  EXPECT_EQ(canonical_host("Example.COM."), "example.com");
  EXPECT_EQ(canonical_host("_dmarc.example.com"), "_dmarc.example.com");
  EXPECT_EQ(canonical_host("xn--bcher-kva.example"), "xn--bcher-kva.example");
}

TEST(CanonicalHost, RefusesWhatIsNoName) {
  using namespace std::string_view_literals;
  for (std::string_view text :
       {""sv, "."sv, "a..b"sv, ".a"sv, "a b"sv, "evil\0.allowed.example"sv, "a/b"sv,
        "b\xc3\xbc"
        "cher.example"sv,
        "a\n"sv, "user@host"sv}) {
    EXPECT_FALSE(canonical_host(text)) << text;
  }
  EXPECT_FALSE(canonical_host(std::string(64, 'a') + ".com"));
  EXPECT_TRUE(canonical_host(std::string(63, 'a') + ".com"));
  std::string long_name;
  for (int i = 0; i < 127; ++i) long_name += "a.";
  EXPECT_TRUE(canonical_host(long_name));
  EXPECT_FALSE(canonical_host(long_name + "aa"));
}

TEST(SubdomainOf, StopsAtLabels) {
  EXPECT_TRUE(is_subdomain_of("api.example.com", "example.com"));
  EXPECT_TRUE(is_subdomain_of("example.com", "example.com"));
  EXPECT_FALSE(is_subdomain_of("badexample.com", "example.com"));
}

TEST(SplitHostPort, AllForms) {
  EXPECT_EQ(split_host_port("a.example", 80)->port, 80);
  EXPECT_EQ(split_host_port("a.example:8080", 80)->port, 8080);
  EXPECT_EQ(split_host_port("[::1]:8080", 80)->host, "::1");
  for (const char* text : {"", ":80", "a:", "a:b", "a:99999", "::1", "[::1", "[::1]x", "a:80:90"}) {
    EXPECT_FALSE(split_host_port(text, 80)) << text;
  }
}

}  // namespace
}  // namespace agentsh
