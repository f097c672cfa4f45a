// What a statement costs: unseen (the limit is 50 us for text of pgbench's size) and seen (0.5 us).
#include "sqlguard/classifier/analysis_cache.h"
#include "sqlguard/classifier/parse_tree.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace agentsh::sql {
namespace {

const std::string kStatements[] = {
    "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
    "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 4711;",
    "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, "
    "CURRENT_TIMESTAMP);",
    "SELECT u.id, u.name, count(o.id) FROM app.users u LEFT JOIN app.orders o ON o.user_id = u.id "
    "WHERE u.created > now() - interval '30 days' AND u.state IN ('a', 'b', 'c') GROUP BY u.id, "
    "u.name HAVING count(o.id) > 3 ORDER BY 3 DESC LIMIT 50",
};

void BM_Parse(benchmark::State& state) {
  const std::string& sql = kStatements[state.range(0)];
  for (auto _ : state) benchmark::DoNotOptimize(ParseTree::parse(sql));
}
BENCHMARK(BM_Parse)->DenseRange(0, 3);

void BM_ClassifyUnseen(benchmark::State& state) {
  const std::string& sql = kStatements[state.range(0)];
  for (auto _ : state) benchmark::DoNotOptimize(classify(sql, Dialect::kPostgres));
}
BENCHMARK(BM_ClassifyUnseen)->DenseRange(0, 3);

// Among as many other statements as a cache of the default size holds.
void BM_ClassifySeen(benchmark::State& state) {
  AnalysisCache cache;
  std::vector<std::string> texts;
  for (int i = 0; i < 10'000; ++i) {
    texts.push_back("SELECT abalance FROM pgbench_accounts WHERE aid = " + std::to_string(i) + ";");
    cache.analyse(texts.back(), Dialect::kPostgres);
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.analyse(texts[next], Dialect::kPostgres));
    next = (next + 7919) % texts.size();
  }
  state.counters["entries"] = static_cast<double>(cache.entries());
  state.counters["misses"] = static_cast<double>(cache.misses());
}
BENCHMARK(BM_ClassifySeen);

void BM_ClassifySeenAgain(benchmark::State& state) {
  AnalysisCache cache;
  const std::string& sql = kStatements[state.range(0)];
  for (auto _ : state) benchmark::DoNotOptimize(cache.analyse(sql, Dialect::kPostgres));
}
BENCHMARK(BM_ClassifySeenAgain)->DenseRange(0, 3);

void BM_CheckLimitsOfALongText(benchmark::State& state) {
  std::string sql = "INSERT INTO t VALUES (1, 'text', -2.5)";
  while (sql.size() < 1'000'000) sql += ", (1, 'text', -2.5)";
  for (auto _ : state) benchmark::DoNotOptimize(check_limits(sql));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * sql.size()));
}
BENCHMARK(BM_CheckLimitsOfALongText);

}  // namespace
}  // namespace agentsh::sql
