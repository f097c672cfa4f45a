#include "base/encoding.h"

#include <gtest/gtest.h>

namespace agentsh {
namespace {

TEST(Base64, RoundTrips) {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(from_base64(to_base64(text)), text);
  }
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_FALSE(from_base64("Zg"));
  EXPECT_FALSE(from_base64("Z==="));
  EXPECT_FALSE(from_base64("Zm9v\n"));
}

TEST(Utf8, AcceptsOnlyWellFormedText) {
  EXPECT_TRUE(is_utf8("plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"));
  for (const char* text :
       {"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\x80"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(Printable, HidesNothing) {
  EXPECT_EQ(printable("a\x1b[31m\n"), "a\\x1b[31m\\x0a");
}

}  // namespace
}  // namespace agentsh
