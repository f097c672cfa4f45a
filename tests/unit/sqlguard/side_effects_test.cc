// The tables of functions against those that a server has (server_functions).
#include "sqlguard/classifier/side_effects.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace agentsh::sql {
namespace {

struct Function {
  char volatility;
  std::string schema, name;
};

std::vector<Function> functions_of_server() {
  std::ifstream file(AGENTSH_SERVER_FUNCTIONS);
  std::vector<Function> functions;
  for (Function f; file >> f.volatility >> f.schema >> f.name;) functions.push_back(f);
  return functions;
}

// Volatile, but only because what they look at changes: looked through one by one.
const std::set<std::string_view> kOnlyLook = {
    // Of pg_catalog.
    "amvalidate",
    "clock_timestamp",
    "current_query",
    "currval",
    "gen_random_uuid",
    "lastval",
    "pg_blocking_pids",
    "pg_collation_actual_version",
    "pg_control_checkpoint",
    "pg_control_init",
    "pg_control_recovery",
    "pg_control_system",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_database_collation_actual_version",
    "pg_database_size",
    "pg_get_backend_memory_contexts",
    "pg_get_multixact_members",
    "pg_get_shmem_allocations",
    "pg_get_wal_replay_pause_state",
    "pg_get_wal_resource_managers",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_is_wal_replay_paused",
    "pg_isolation_test_session_is_blocked",
    "pg_jit_available",
    "pg_last_committed_xact",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_lock_status",
    "pg_notification_queue_usage",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_prepared_xact",
    "pg_relation_size",
    "pg_replication_origin_progress",
    "pg_replication_origin_session_is_setup",
    "pg_replication_origin_session_progress",
    "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value",
    "pg_show_replication_origin_status",
    "pg_stat_clear_snapshot",
    "pg_stat_force_next_flush",
    "pg_stat_get_recovery_prefetch",
    "pg_stat_get_xact_blocks_fetched",
    "pg_stat_get_xact_blocks_hit",
    "pg_stat_get_xact_function_calls",
    "pg_stat_get_xact_function_self_time",
    "pg_stat_get_xact_function_total_time",
    "pg_stat_get_xact_numscans",
    "pg_stat_get_xact_tuples_deleted",
    "pg_stat_get_xact_tuples_fetched",
    "pg_stat_get_xact_tuples_hot_updated",
    "pg_stat_get_xact_tuples_inserted",
    "pg_stat_get_xact_tuples_returned",
    "pg_stat_get_xact_tuples_updated",
    "pg_stat_have_stats",
    "pg_table_size",
    "pg_tablespace_size",
    "pg_total_relation_size",
    "pg_xact_commit_timestamp",
    "pg_xact_commit_timestamp_origin",
    "pg_xact_status",
    "plpgsql_validator",
    "random",
    "timeofday",
    "txid_status",
    // Of contrib modules: random numbers, statistics of tables and caches, checksums of pages that
    // the
    // caller gives, the client's certificate.
    "gen_random_bytes",
    "gen_salt",
    "normal_rand",
    "pgp_pub_encrypt",
    "pgp_pub_encrypt_bytea",
    "pgp_sym_encrypt",
    "pgp_sym_encrypt_bytea",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "pg_buffercache_pages",
    "pg_freespace",
    "pg_old_snapshot_time_mapping",
    "pg_stat_statements",
    "pg_stat_statements_info",
    "pg_check_frozen",
    "pg_check_visible",
    "pg_visibility",
    "pg_visibility_map",
    "pg_visibility_map_summary",
    "pg_relpages",
    "pgstatindex",
    "pgstatginindex",
    "pgstathashindex",
    "pgstattuple",
    "pgstattuple_approx",
    "postgres_fdw_get_connections",
    "postgres_fdw_validator",
    "file_fdw_validator",
    "int_agg_final_array",
    "int_agg_state",
    "dintdict_lexize",
    "dxsyn_lexize",
    "unaccent_lexize",
    "ssl_cipher",
    "ssl_client_cert_present",
    "ssl_client_dn",
    "ssl_client_dn_field",
    "ssl_client_serial",
    "ssl_extension_info",
    "ssl_is_used",
    "ssl_issuer_dn",
    "ssl_issuer_field",
    "ssl_version",
    "brin_metapage_info",
    "brin_page_type",
    "brin_revmap_data",
    "gin_leafpage_items",
    "gin_metapage_info",
    "gin_page_opaque_info",
    "gist_page_items",
    "gist_page_items_bytea",
    "gist_page_opaque_info",
    "hash_metapage_info",
    "hash_page_items",
    "hash_page_stats",
    "hash_page_type",
    "heap_page_item_attrs",
    "heap_page_items",
    "heap_tuple_infomask_flags",
    "page_checksum",
    "page_header",
};

// Whoever can be called and is volatile has an effect in the table or was looked at.
TEST(SideEffects, EveryVolatileFunctionIsAccountedFor) {
  const auto functions = functions_of_server();
  if (functions.empty()) GTEST_SKIP() << "no PostgreSQL server is installed here";
  ASSERT_GT(functions.size(), 2000u);
  for (const Function& f : functions) {
    if (f.volatility != 'v' || kOnlyLook.contains(f.name)) continue;
    EXPECT_NE(side_effect_of(f.name), nullptr) << f.schema << "." << f.name;
  }
}

TEST(SideEffects, EveryBuiltInIsOnOneOfTheLists) {
  const auto functions = functions_of_server();
  if (functions.empty()) GTEST_SKIP() << "no PostgreSQL server is installed here";
  for (const Function& f : functions) {
    if (f.schema != "pg_catalog") continue;
    EXPECT_NE(side_effect_of(f.name) != nullptr, is_harmless_builtin(f.name)) << f.name;
  }
}

// Not volatile, but not harmless: they run queries, or take a transaction's number.
TEST(SideEffects, StableFunctionsThatRunQueries) {
  for (const char* name :
       {"table_to_xml", "schema_to_xml", "database_to_xml", "crosstab", "crosstab_hash",
        "connectby", "txid_current", "pg_current_xact_id", "xpath_table"})
    EXPECT_NE(side_effect_of(name), nullptr) << name;
}

TEST(SideEffects, FamiliesByTheBeginningOfTheName) {
  ASSERT_NE(side_effect_of("dblink_something_new"), nullptr);
  EXPECT_EQ(side_effect_of("dblink_something_new")->subtype, "dblink_call");
  EXPECT_NE(side_effect_of("pg_advisory_xact_lock_shared"), nullptr);
  EXPECT_EQ(side_effect_of("lower"), nullptr);
  EXPECT_EQ(side_effect_of(""), nullptr);
}

TEST(SideEffects, SubtypesAreThoseThatPoliciesName) {
  for (const SideEffect& effect : side_effects()) {
    EXPECT_NE(effect.group, Group::kUnknown);
    EXPECT_FALSE(is_harmless_builtin(effect.function)) << effect.function;
  }
}

}  // namespace
}  // namespace agentsh::sql
