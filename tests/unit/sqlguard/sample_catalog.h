// A small database's catalogue, as values.
#pragma once

#include "sqlguard/catalog/catalog.h"
#include "sqlguard/results/masks.h"

#include <memory>
#include <string>
#include <vector>

namespace agentsh::sql {

inline constexpr std::uint32_t kUsers = 20001, kOrders = 20002, kUserView = 20003, kChild = 20004,
                               kCounts = 20005, kViewOfView = 20006, kSecret = 20007;

inline std::shared_ptr<const Catalog> sample_catalog() {
  const auto column = [](std::uint16_t number, std::string name, std::uint32_t type) {
    return CatalogColumn{.number = number, .type = type, .name = std::move(name)};
  };
  std::vector<CatalogRelation> relations;
  relations.push_back({.oid = kUsers,
                       .schema = "public",
                       .name = "users",
                       .columns = {column(1, "id", 23), column(2, "name", 25), column(3, "ssn", 25),
                                   column(4, "profile", 3802)}});
  relations.push_back({.oid = kOrders,
                       .schema = "public",
                       .name = "orders",
                       .columns = {column(1, "id", 23), column(2, "user_id", 23),
                                   column(3, "note", 25), column(4, "name", 25)}});
  relations.push_back(
      {.oid = kUserView,
       .kind = 'v',
       .schema = "public",
       .name = "people",
       .columns = {column(1, "id", 23), column(2, "number", 25), column(3, "shouted", 25)},
       .sources = {{kUsers, 0}, {kUsers, 1}, {kUsers, 3}},
       .origins = {{kUsers, 1}, {kUsers, 3}, {0, 0}}});
  relations.push_back({.oid = kChild,
                       .schema = "public",
                       .name = "users_2024",
                       .columns = {column(1, "id", 23), column(2, "ssn", 25)},
                       .parents = {kUsers}});
  relations.push_back({.oid = kCounts,
                       .kind = 'v',
                       .schema = "public",
                       .name = "counts",
                       .columns = {column(1, "n", 20)},
                       .sources = {{kOrders, 0}},
                       .origins = {{0, 0}}});
  relations.push_back({.oid = kViewOfView,
                       .kind = 'v',
                       .schema = "public",
                       .name = "numbers",
                       .columns = {column(1, "n", 25)},
                       .sources = {{kUserView, 0}, {kUserView, 2}},
                       .origins = {{kUserView, 2}}});
  relations.push_back({.oid = kSecret,
                       .schema = "pii",
                       .name = "secrets",
                       .columns = {column(1, "id", 23), column(2, "value", 25)}});
  relations.push_back({.oid = 2619, .schema = "pg_catalog", .name = "pg_statistic"});
  relations.push_back({.oid = 1259, .schema = "pg_catalog", .name = "pg_class"});
  std::vector<CatalogFunction> functions = {
      {.schema = "public", .name = "reads_users", .volatility = 's', .language = "plpgsql"},
      {.schema = "public", .name = "adds", .volatility = 'i', .language = "c"},
      {.schema = "public", .name = "does_something", .volatility = 'v', .language = "sql"},
      {.schema = "public", .name = "safe_one", .volatility = 's', .language = "sql"}};
  return std::make_shared<const Catalog>(std::move(relations), std::move(functions));
}

inline policy::DatabaseMask mask_of(
    std::vector<std::string> columns, policy::DbMaskWith with = policy::DbMaskWith::kRedact,
    policy::DbMaskExpressions expressions = policy::DbMaskExpressions::kDeny) {
  policy::DatabaseMask mask{.name = "pii", .with = with, .expressions = expressions};
  for (std::string& column : columns) mask.columns.push_back({std::move(column), {}});
  return mask;
}

inline std::shared_ptr<const MaskedColumns> masked_columns(const policy::DatabaseMask& mask) {
  const policy::DatabaseMask masks[] = {mask};
  return std::make_shared<const MaskedColumns>(masks, sample_catalog());
}

}  // namespace agentsh::sql
