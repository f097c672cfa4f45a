#include "base/ip.h"

#include <gtest/gtest.h>

namespace agentsh {
namespace {

TEST(IpAddress, ParsesAndPrints) {
  EXPECT_EQ(IpAddress::parse("10.1.2.3")->to_string(), "10.1.2.3");
  EXPECT_EQ(IpAddress::parse("2001:DB8:0:0::1")->to_string(), "2001:db8::1");
  EXPECT_TRUE(IpAddress::parse("::ffff:10.1.2.3")->is_v4());
  EXPECT_EQ(*IpAddress::parse("::ffff:10.1.2.3"), *IpAddress::parse("10.1.2.3"));
}

TEST(IpAddress, RefusesFormsThatParsersDisagreeAbout) {
  for (const char* text : {"", "1", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3.4.5",
                           "1.2.3.4 ", "fe80::1%lo", "::1::", "1.2.3.256"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(Endpoint, ParsesBothFamilies) {
  EXPECT_EQ(Endpoint::parse("1.2.3.4:80")->to_string(), "1.2.3.4:80");
  EXPECT_EQ(Endpoint::parse("[::1]:443")->to_string(), "[::1]:443");
  for (const char* text :
       {"1.2.3.4", "::1:443", "[1.2.3.4]:80", "1.2.3.4:65536", "1.2.3.4:", "[::1]443"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Endpoint, SurvivesTheKernelsForm) {
  for (const char* text : {"1.2.3.4:80", "[2001:db8::5]:443"}) {
    Endpoint endpoint = *Endpoint::parse(text);
    sockaddr_storage storage;
    socklen_t length = endpoint.to_sockaddr(storage);
    EXPECT_EQ(Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), length), endpoint);
  }
}

TEST(Cidr, ContainsAndRefusesHostBits) {
  auto ten = Cidr::parse("10.0.0.0/8");
  ASSERT_TRUE(ten);
  EXPECT_TRUE(ten->contains(*IpAddress::parse("10.255.0.1")));
  EXPECT_TRUE(ten->contains(*IpAddress::parse("::ffff:10.0.0.1")));
  EXPECT_FALSE(ten->contains(*IpAddress::parse("11.0.0.1")));
  EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
  EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_TRUE(Cidr::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_TRUE(Cidr::parse("172.16.0.0/12")->contains(*IpAddress::parse("172.31.255.255")));
  EXPECT_FALSE(Cidr::parse("172.16.0.0/12")->contains(*IpAddress::parse("172.32.0.0")));
  EXPECT_EQ(Cidr::parse("10.1.1.1")->prefix, 32);
  for (const char* text :
       {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "x/8", "10.0.0.0/"}) {
    EXPECT_FALSE(Cidr::parse(text)) << text;
  }
}

struct ClassCase {
  const char* address;
  AddressClass expected;
};

TEST(AddressClass, KnowsWhatMustNotBeReachedByName) {
  const ClassCase cases[] = {
      {"8.8.8.8", AddressClass::kPublic},
      {"2606:4700::1111", AddressClass::kPublic},
      {"127.0.0.1", AddressClass::kLoopback},
      {"127.255.255.254", AddressClass::kLoopback},
      {"::1", AddressClass::kLoopback},
      {"0.0.0.0", AddressClass::kUnspecified},
      {"0.1.2.3", AddressClass::kUnspecified},
      {"::", AddressClass::kUnspecified},
      {"10.0.0.1", AddressClass::kPrivate},
      {"100.64.0.1", AddressClass::kPrivate},
      {"fd12::1", AddressClass::kPrivate},
      {"169.254.1.1", AddressClass::kLinkLocal},
      {"fe80::1", AddressClass::kLinkLocal},
      {"169.254.169.254", AddressClass::kMetadata},
      {"168.63.129.16", AddressClass::kMetadata},
      {"100.100.100.200", AddressClass::kMetadata},
      {"fd00:ec2::254", AddressClass::kMetadata},
      {"224.0.0.1", AddressClass::kMulticast},
      {"255.255.255.255", AddressClass::kBroadcast},
      // IPv4 in IPv6 clothes.
      {"::ffff:169.254.169.254", AddressClass::kMetadata},
      {"::169.254.169.254", AddressClass::kMetadata},
      {"64:ff9b::169.254.169.254", AddressClass::kMetadata},
      {"64:ff9b:1::7f00:1", AddressClass::kLoopback},
      {"2002:a9fe:a9fe::1", AddressClass::kMetadata},
      {"2002:7f00:1::", AddressClass::kLoopback},
      {"::ffff:0:10.0.0.1", AddressClass::kPrivate},
      {"2001:0:1234::5601:5601", AddressClass::kMetadata},
      {"64:ff9b::8.8.8.8", AddressClass::kPublic},
  };
  for (const ClassCase& c : cases) {
    EXPECT_EQ(classify(*IpAddress::parse(c.address)), c.expected)
        << c.address << " is " << to_string(classify(*IpAddress::parse(c.address)));
  }
}

}  // namespace
}  // namespace agentsh
