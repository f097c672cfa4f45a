#include "sqlguard/classifier/analysis_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

TEST(AnalysisCache, TheSameTextIsClassifiedOnce) {
  AnalysisCache cache;
  const auto first = cache.analyse("select * from t", Dialect::kPostgres);
  EXPECT_EQ(cache.analyse("select * from t", Dialect::kPostgres), first);
  EXPECT_EQ(cache.hits(), 1u);
  EXPECT_EQ(cache.misses(), 1u);
}

TEST(AnalysisCache, DialectsAndTextsAreApart) {
  AnalysisCache cache;
  const std::string unload = "unload ('select 1') to 's3://b/'";
  EXPECT_EQ(cache.analyse(unload, Dialect::kPostgres)->statements[0].primary_group(),
            Group::kUnknown);
  EXPECT_EQ(cache.analyse(unload, Dialect::kRedshift)->statements[0].primary_group(),
            Group::kBulkExport);
  EXPECT_NE(cache.analyse("select 1", Dialect::kPostgres),
            cache.analyse("select 1 ", Dialect::kPostgres));
  EXPECT_EQ(cache.entries(), 4u);
}

TEST(AnalysisCache, StaysWithinItsBound) {
  constexpr std::size_t kBound = 256 << 10;
  AnalysisCache cache(kBound);
  for (int i = 0; i < 5000; ++i) {
    cache.analyse("select " + std::to_string(i), Dialect::kPostgres);
    ASSERT_LE(cache.bytes(), kBound);
  }
  EXPECT_GT(cache.entries(), 100u);
  EXPECT_LT(cache.entries(), 5000u);
  // The newest is there, the oldest is not.
  const auto misses = cache.misses();
  cache.analyse("select 4999", Dialect::kPostgres);
  EXPECT_EQ(cache.misses(), misses);
  cache.analyse("select 0", Dialect::kPostgres);
  EXPECT_EQ(cache.misses(), misses + 1);
}

TEST(AnalysisCache, WhatIsUsedStays) {
  AnalysisCache cache(128 << 10);
  cache.analyse("select 'kept'", Dialect::kPostgres);
  for (int i = 0; i < 3000; ++i) {
    cache.analyse("select " + std::to_string(i), Dialect::kPostgres);
    cache.analyse("select 'kept'", Dialect::kPostgres);
  }
  EXPECT_EQ(cache.hits(), 3000u);
}

TEST(AnalysisCache, AHugeStatementDoesNotPushTheRestOut) {
  AnalysisCache cache(256 << 10);
  cache.analyse("select 1", Dialect::kPostgres);
  cache.analyse("select '" + std::string(100'000, 'x') + "'", Dialect::kPostgres);
  EXPECT_EQ(cache.entries(), 1u);
}

}  // namespace
}  // namespace agentsh::sql
