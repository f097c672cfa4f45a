// Texts that stand for values: variables, sizes, proxy addresses.
#include "appliance/config/expand.h"
#include "appliance/config/proxy_url.h"
#include "appliance/config/size_text.h"

#include <gtest/gtest.h>

namespace agentsh::config {
namespace {

std::optional<std::string> variable(const std::string& name) {
  if (name == "HOME") return "/home/ann";
  if (name == "EMPTY") return "";
  return {};
}

TEST(ExpandVariables, Replaces) {
  struct Case {
    const char* text;
    const char* expected;
  };
  constexpr Case kCases[] = {
      {"", ""},
      {"plain", "plain"},
      {"${HOME}/x", "/home/ann/x"},
      {"${HOME}${HOME}", "/home/ann/home/ann"},
      {"${UNSET:-there}", "there"},
      {"${EMPTY:-there}", "there"},
      {"${HOME:-there}", "/home/ann"},
      {"${EMPTY}", ""},
      {"${UNSET:-}", ""},
      {"100$$", "100$"},
      {"$${HOME}", "${HOME}"},
      {"a$ b$", "a$ b$"},
      {"$1", "$1"},
  };
  for (const Case& item : kCases) {
    auto expanded = expand_variables(item.text, variable);
    ASSERT_TRUE(expanded) << item.text << ": " << expanded.error().what;
    EXPECT_EQ(*expanded, item.expected) << item.text;
  }
}

TEST(ExpandVariables, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* expected;
  };
  constexpr Case kCases[] = {
      {"${UNSET}", "the environment variable UNSET is not set"},
      {"${HOME", "\"${\" without \"}\""},
      {"${}", "\"${}\" is not a variable"},
      {"${1}", "\"${1}\" is not a variable"},
      {"${HOME-x}", "\"${HOME-x}\" is not a variable"},
      {"$HOME/x", "write ${HOME} for the variable or $$HOME for the text"},
  };
  for (const Case& item : kCases) {
    auto expanded = expand_variables(item.text, variable);
    ASSERT_FALSE(expanded) << item.text;
    EXPECT_NE(expanded.error().what.find(item.expected), std::string::npos)
        << item.text << ": " << expanded.error().what;
  }
}

TEST(SizeText, Reads) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("512K"), 512u << 10);
  EXPECT_EQ(parse_size("10MB"), 10u << 20);
  EXPECT_EQ(parse_size("10 mb"), 10u << 20);
  EXPECT_EQ(parse_size("1GiB"), 1u << 30);
  EXPECT_EQ(parse_size("7B"), 7u);
}

TEST(SizeText, RefusesTheRest) {
  for (const char* text : {"", "MB", "-1", "1.5MB", "10XB", "10MBs", "0x10", " 1", "1  K",
                           "99999999999999999999", "18446744073709551615K"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(SizeText, IsReadBack) {
  for (std::uint64_t bytes : {0ull, 1ull, 1023ull, 1024ull, 1536ull, 10ull << 20, 3ull << 30}) {
    EXPECT_EQ(parse_size(format_size(bytes)), bytes) << format_size(bytes);
  }
  EXPECT_EQ(format_size(10u << 20), "10MB");
  EXPECT_EQ(format_size(1536), "1536");
}

TEST(ProxyUrl, Reads) {
  auto proxy = parse_proxy_url("http://Proxy.Example.com:3128/");
  ASSERT_TRUE(proxy) << proxy.error().what;
  EXPECT_EQ(proxy->host, "proxy.example.com");
  EXPECT_EQ(proxy->port, 3128);
  EXPECT_EQ(proxy->user, "");

  proxy = parse_proxy_url("http://ann:p%40ss%3A%25@[2001:db8::1]:8080");
  ASSERT_TRUE(proxy) << proxy.error().what;
  EXPECT_EQ(proxy->host, "2001:db8::1");
  EXPECT_EQ(proxy->user, "ann");
  EXPECT_EQ(proxy->password, "p@ss:%");
  EXPECT_EQ(format_proxy_url(*proxy, false), "http://ann:p%40ss%3A%25@[2001:db8::1]:8080");
  EXPECT_EQ(format_proxy_url(*proxy, true), "http://ann:****@[2001:db8::1]:8080");

  proxy = parse_proxy_url("");
  ASSERT_TRUE(proxy);
  EXPECT_EQ(proxy->host, "");
  EXPECT_EQ(format_proxy_url(*proxy, true), "");
}

TEST(ProxyUrl, RefusesTheRestAndKeepsThePasswordToItself) {
  for (const char* text :
       {"https://p:1", "p:3128", "http://p", "http://:3128", "http://p:0", "http://p:99999",
        "http://ann:secret@", "http://a:secret@p:1/x", "http://a:se%0d%0acret@p:1",
        "http://a:secret%4@p:1", "http://:secret@p:1", "http://p:1\r\nX: secret", "http://a b:1",
        "http://exa%mple:1"}) {
    auto proxy = parse_proxy_url(text);
    ASSERT_FALSE(proxy) << text;
    EXPECT_EQ(proxy.error().what.find("secret"), std::string::npos) << proxy.error().what;
    EXPECT_NE(proxy.error().what.find("http://proxy.example.com:3128"), std::string::npos);
  }
}

}  // namespace
}  // namespace agentsh::config
