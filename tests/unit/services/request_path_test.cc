#include "proxy/services/request_path.h"

#include "base/encoding.h"

#include <gtest/gtest.h>

namespace agentsh::services {
namespace {

TEST(RequestPath, IsDecodedWithoutQueryAndSlashAtItsEnd) {
  EXPECT_EQ(judged_path("/").value(), "/");
  EXPECT_EQ(judged_path("/repos/a?q=//..").value(), "/repos/a");
  EXPECT_EQ(judged_path("/repos/a/").value(), "/repos/a");
  EXPECT_EQ(judged_path("/%72epos/%C3%A9").value(), "/repos/é");
  EXPECT_EQ(judged_path("/a;v=1/b").value(), "/a;v=1/b");
  EXPECT_EQ(judged_path("/a..b/...").value(), "/a..b/...");
  EXPECT_EQ(judged_path("/100%25").value(), "/100%");
}

TEST(RequestPath, WhatCouldBeReadInTwoWaysIsRefused) {
  for (const char* path :
       {"",         "x",      "*",       "//",          "/a//b",    "/a//",           "/./a",
        "/a/.",     "/a/..",  "/a/../b", "/a/%2e%2e/b", "/a/%2E/b", "/a/..;x=1/b",    "/a/.;/b",
        "/a/;x/b",  "/a%2Fb", "/a%2fb",  "/a%5cb",      "/a\\b",    "/a%00",          "/a%0d%0ab",
        "/a%7f",    "/a%",    "/a%2",    "/a%zz",       "/a%252Fb", "/a%252e%252e/b", "/a%2525",
        "/a%c0%af", "/a#b",   "/a?x#b",  "https://h/a"}) {
    EXPECT_FALSE(judged_path(path).has_value()) << path;
  }
}

TEST(RequestPath, Encodings) {
  EXPECT_EQ(percent_decoded("a%41%zz%4"), "aA%zz%4");
  EXPECT_EQ(percent_encoded("a/b +~"), "a%2Fb%20%2B~");
}

}  // namespace
}  // namespace agentsh::services
