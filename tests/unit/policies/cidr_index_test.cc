#include "policies/cidr_index.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::policy {
namespace {

CidrIndex index_of(const std::vector<std::string>& cidrs) {
  std::vector<CidrIndex::Entry> entries;
  for (std::uint32_t i = 0; i < cidrs.size(); ++i) entries.push_back({*Cidr::parse(cidrs[i]), i});
  return CidrIndex(std::move(entries), static_cast<std::uint32_t>(cidrs.size()));
}

std::vector<std::uint32_t> ids(const CidrIndex& index, std::string_view address) {
  const IdSet* found = index.find(*IpAddress::parse(address));
  return found == nullptr ? std::vector<std::uint32_t>{}
                          : std::vector<std::uint32_t>(found->ids().begin(), found->ids().end());
}

using Ids = std::vector<std::uint32_t>;

TEST(CidrIndex, NestedNetworksAreAllFound) {
  const CidrIndex index = index_of({"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0",
                                    "10.0.0.0/8", "255.255.255.255/32", "192.168.0.0/16"});
  EXPECT_EQ(ids(index, "10.1.2.3"), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(ids(index, "10.1.2.4"), (Ids{0, 1, 3, 4}));
  EXPECT_EQ(ids(index, "10.2.0.0"), (Ids{0, 3, 4}));
  EXPECT_EQ(ids(index, "11.0.0.0"), (Ids{3}));
  EXPECT_EQ(ids(index, "255.255.255.255"), (Ids{3, 5}));
  EXPECT_EQ(ids(index, "2001:db8::1"), Ids{});
}

TEST(CidrIndex, FamiliesAreApart) {
  const CidrIndex index = index_of({"::/0", "ffff::/16", "2001:db8::/32"});
  EXPECT_EQ(ids(index, "1.2.3.4"), Ids{});
  EXPECT_EQ(ids(index, "::ffff:1.2.3.4"), Ids{});
  EXPECT_EQ(ids(index, "2001:db8::1"), (Ids{0, 2}));
  EXPECT_EQ(ids(index, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), (Ids{0, 1}));
}

TEST(CidrIndex, AnEmptyIndexFindsNothing) {
  EXPECT_EQ(CidrIndex().find(*IpAddress::parse("1.2.3.4")), nullptr);
}

TEST(CidrIndex, AgreesWithAskingEachNetwork) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<CidrIndex::Entry> entries;
    const std::uint32_t count = 1 + random() % 60;
    for (std::uint32_t i = 0; i < count; ++i) {
      const int prefix = static_cast<int>(random() % 33);
      const std::uint32_t mask = prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
      // Few different bits, so that networks nest and touch.
      const std::uint32_t network = (random() & 0xc000'0303u) & mask;
      entries.push_back({{IpAddress::v4(network), prefix}, i});
    }
    const CidrIndex index(entries, count);
    for (int i = 0; i < 200; ++i) {
      const IpAddress address = IpAddress::v4(random() & 0xc000'0707u);
      Ids expected;
      for (const auto& entry : entries) {
        if (entry.cidr.contains(address)) expected.push_back(entry.id);
      }
      EXPECT_EQ(ids(index, address.to_string()), expected) << address.to_string();
    }
  }
}

}  // namespace
}  // namespace agentsh::policy
