#include "proxy/dns/name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

// A message of a 12-byte header and `tail`.
std::vector<std::uint8_t> message_of(std::string_view tail) {
  std::vector<std::uint8_t> message(12, 0);
  message.insert(message.end(), tail.begin(), tail.end());
  return message;
}

TEST(DnsName, HostNamesGoBothWays) {
  for (std::string_view host :
       {"a", "example.com", "_dmarc.example.com", "xn--bcher-kva.example"}) {
    const auto name = Name::from_host(host);
    ASSERT_TRUE(name) << host;
    EXPECT_EQ(name->to_text(), host);
    EXPECT_EQ(name->host(), host);
    EXPECT_EQ(Name::from_wire(name->wire()), name);
  }
  EXPECT_EQ(Name::from_host("Example.COM.")->host(), "example.com");
  EXPECT_FALSE(Name::from_host(""));
  EXPECT_FALSE(Name::from_host("a..b"));
  EXPECT_FALSE(Name::from_host(std::string(64, 'a')));
  EXPECT_FALSE(Name::from_host("exa mple.com"));
}

TEST(DnsName, LongestNameFits) {
  std::string host;
  for (int i = 0; i < 126; ++i) host += "a.";
  host += "a";
  ASSERT_EQ(host.size(), 253u);
  const auto name = Name::from_host(host);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->wire().size(), Name::kMaxWireBytes);
  EXPECT_EQ(name->host(), host);
}

TEST(DnsName, ReadsThroughPointers) {
  const auto message =
      message_of(std::string("\3www\7example\3com\0", 17) + "\4mail\xc0\x10" + "\xc0\x1d");
  std::size_t position = 12;
  EXPECT_EQ(Name::read(message, position)->to_text(), "www.example.com");
  EXPECT_EQ(position, 29u);
  EXPECT_EQ(Name::read(message, position)->to_text(), "mail.example.com");
  EXPECT_EQ(position, 36u);
  EXPECT_EQ(Name::read(message, position)->to_text(), "mail.example.com");
  EXPECT_EQ(position, 38u);
}

struct BadName {
  std::string what;
  std::string bytes;
};

TEST(DnsName, RefusesMalformedNames) {
  std::string too_long;
  for (int i = 0; i < 128; ++i) too_long += "\1a";
  const BadName cases[] = {
      {"points at itself", "\xc0\x0c"},
      {"points forward", std::string("\xc0\x0e\0", 3)},
      {"points into the header", std::string("\xc0\x04")},
      {"loops through a label", "\1a\xc0\x0c"},
      {"label runs out", "\5abc"},
      {"no end", "\3abc"},
      {"half a pointer", "\xc0"},
      {"reserved label type 01", std::string("\x41"
                                             "a\0",
                                             3)},
      {"reserved label type 10", std::string("\x81"
                                             "a\0",
                                             3)},
      {"longer than 255", too_long + std::string(1, '\0')},
      {"empty", ""},
  };
  for (const BadName& bad : cases) {
    const auto message = message_of(bad.bytes);
    std::size_t position = 12;
    EXPECT_FALSE(Name::read(message, position)) << bad.what;
  }
}

TEST(DnsName, OddBytesAreEscapedAndAreNoHost) {
  const auto name = Name::from_wire(std::string("\4a\0.b\3com\0", 10));
  ASSERT_TRUE(name);
  EXPECT_EQ(name->to_text(), "a\\000\\046b.com");
  EXPECT_FALSE(name->host());
  EXPECT_EQ(Name().to_text(), ".");
  EXPECT_FALSE(Name().host());
}

TEST(DnsName, ComparesWithoutCase) {
  const Name lower = *Name::from_host("example.com");
  const Name mixed = lower.with_case_bits("\x55");
  EXPECT_EQ(lower, mixed);
  EXPECT_FALSE(lower.same_case(mixed));
  EXPECT_EQ(mixed.host(), "example.com");
  EXPECT_FALSE(lower == *Name::from_host("example.org"));
}

TEST(DnsName, CaseBitsReachEveryLetter) {
  const Name upper = Name::from_host("a1-b.example")->with_case_bits("\xff\xff");
  EXPECT_EQ(upper.wire(), std::string_view("\4A1-B\7EXAMPLE\0", 14));
  EXPECT_EQ(upper.with_case_bits(std::string_view("\0", 1)).wire(),
            std::string_view("\4a1-b\7example\0", 14));
}

}  // namespace
}  // namespace agentsh::dns
