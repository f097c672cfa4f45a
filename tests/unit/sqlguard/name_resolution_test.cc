#include "sqlguard/classifier/name_resolution.h"

#include <gtest/gtest.h>

namespace agentsh::sql {
namespace {

const Object kUsers{.kind = ObjectKind::kTable, .name = "users"};
const Object kAppUsers{.kind = ObjectKind::kTable, .schema = "app", .name = "users"};

TEST(NameResolution, ByWhatIsKnownOfTheSession) {
  NameContext names;
  EXPECT_EQ(resolution_of(kAppUsers, names), Resolution::kQualifiedSyntactic);
  EXPECT_EQ(resolution_of(kUsers, names), Resolution::kUnqualifiedSyntactic);
  names.search_path = {"app"};
  EXPECT_EQ(resolution_of(kUsers, names), Resolution::kUnqualifiedSyntactic);
  names.search_path = {"app", "public"};
  EXPECT_EQ(resolution_of(kUsers, names), Resolution::kAmbiguousAfterSearchPath);
  names.temporary.insert("users");
  EXPECT_EQ(resolution_of(kUsers, names), Resolution::kMaybeTempShadowed);
  EXPECT_EQ(resolution_of(kAppUsers, names), Resolution::kQualifiedSyntactic);
}

TEST(NameResolution, TheLeastCertainObjectCounts) {
  const Effect effect{.group = Group::kRead, .objects = {kAppUsers, kUsers}};
  EXPECT_EQ(resolution_of(effect, {}), Resolution::kUnqualifiedSyntactic);
  EXPECT_EQ(resolution_of(Effect{.group = Group::kUnknown}, {}), Resolution::kUnresolved);
  EXPECT_EQ(resolution_of(Effect{.group = Group::kTransaction}, {}),
            Resolution::kQualifiedSyntactic);
}

TEST(NameResolution, SchemasThatANameMayBeIn) {
  using Schemas = std::vector<std::string>;
  NameContext names;
  EXPECT_EQ(possible_schemas(kUsers, names), std::nullopt);
  EXPECT_EQ(possible_schemas(kAppUsers, names), Schemas{"app"});
  names.search_path = {"app", "public"};
  EXPECT_EQ(possible_schemas(kUsers, names), (Schemas{"app", "public"}));
  names.temporary.insert("users");
  EXPECT_EQ(possible_schemas(kUsers, names), (Schemas{"app", "public", "pg_temp"}));
  EXPECT_EQ(possible_schemas({.kind = ObjectKind::kTable, .name = "pg_class"}, names),
            (Schemas{"app", "public", "pg_catalog"}));
  EXPECT_EQ(possible_schemas({.kind = ObjectKind::kRole, .name = "users"}, names), Schemas{});
  EXPECT_EQ(possible_schemas({.kind = ObjectKind::kSchema, .name = "app"}, names), Schemas{"app"});
}

}  // namespace
}  // namespace agentsh::sql
