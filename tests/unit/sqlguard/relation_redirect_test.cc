#include "sqlguard/rules/relation_redirect.h"

#include <gtest/gtest.h>

namespace agentsh::sql {
namespace {

std::string redirected(std::string_view sql) {
  const auto result = redirect_relation(sql, "app.users", "safe.people");
  return result ? *result : "refused: " + result.error().what;
}

TEST(RelationRedirect, EveryMentionReadsTheOther) {
  EXPECT_EQ(redirected("select * from app.users"), "SELECT * FROM safe.people users");
  EXPECT_EQ(redirected("select users.id from users where users.id = $1 -- x"),
            "SELECT users.id FROM safe.people users WHERE users.id = $1");
  EXPECT_EQ(redirected("select u.id from \"app\" . users as u join t on t.id = u.id"),
            "SELECT u.id FROM safe.people u JOIN t ON t.id = u.id");
  EXPECT_EQ(redirected("select 1 where exists (select 1 from app.users)"),
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM safe.people users)");
  EXPECT_EQ(redirected("select * from users a, users b"),
            "SELECT * FROM safe.people a, safe.people b");
  EXPECT_EQ(redirected("select 'app.users', '\xc3\xa9' from only app.users"),
            "SELECT 'app.users', '\xc3\xa9' FROM ONLY safe.people users");
}

TEST(RelationRedirect, WhatIsNotAPlainReadOfItIsRefused) {
  for (const char* sql :
       {"select * from other.users", "select * from t", "delete from app.users",
        "select * from app.users for update", "select * into x from app.users",
        "with users as (select 1) select * from users", "select 1; select 2",
        "copy app.users to stdout", "explain select * from app.users", "selekt", ""})
    EXPECT_TRUE(redirected(sql).starts_with("refused: ")) << sql << " -> " << redirected(sql);
}

}  // namespace
}  // namespace agentsh::sql
