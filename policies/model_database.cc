#include "policies/model_database.h"

#include <algorithm>
#include <array>

namespace agentsh::policy {
namespace {

constexpr std::array<std::string_view, 18> kGroups = {
    "read",          "write",        "modify",         "delete",     "bulk_load",   "bulk_export",
    "schema_create", "schema_alter", "schema_destroy", "privilege",  "transaction", "session",
    "maintenance",   "lock",         "notify",         "procedural", "unsafe_io",   "unknown"};

constexpr std::array<std::string_view, 6> kDangerous = {
    "schema_destroy", "privilege", "unsafe_io", "procedural", "bulk_export", "lock"};

struct Alias {
  std::string_view word;
  std::array<std::string_view, 6> groups;
};

constexpr Alias kAliases[] = {
    {"READ", {"read"}},
    {"INSERT", {"write"}},
    {"UPDATE", {"modify"}},
    {"DELETE", {"delete"}},
    {"REMOVE", {"delete"}},
    {"CREATE", {"schema_create"}},
    {"DROP", {"schema_destroy"}},
    {"TRUNCATE", {"schema_destroy"}},
    {"ALTER", {"schema_alter"}},
    {"EXPORT", {"bulk_export", "unsafe_io"}},
    {"LOAD", {"bulk_load"}},
    {"MUTATE", {"write", "modify", "delete"}},
    {"SCHEMA", {"schema_create", "schema_alter", "schema_destroy"}},
    {"MAINTENANCE", {"maintenance"}},
    {"LOCK_TABLES", {"lock"}},
    {"LISTEN_NOTIFY", {"notify"}},
    {"DANGEROUS", kDangerous},
};

constexpr std::string_view kSubtypes[] = {
    // session
    "set", "set_search_path", "set_role", "set_session_authorization", "set_local", "reset",
    "reset_all", "discard", "discard_all", "discard_temp", "discard_plans", "discard_sequences",
    "cancel_request",
    // schema_create
    "create_table", "create_index", "create_view", "create_schema", "create_function",
    "create_materialized_view", "create_extension", "create_database", "create_publication",
    // schema_alter
    "alter_publication",
    // schema_destroy
    "drop_table", "drop_database", "drop_schema", "drop_index", "drop_view", "drop_function",
    "drop_publication", "truncate",
    // privilege
    "grant", "revoke", "alter_role", "create_role", "drop_role", "alter_system", "security_label",
    // bulk_load, bulk_export
    "copy_from_stdin", "copy_from_s3", "copy_to_stdout", "unload_to_s3",
    // procedural
    "function_call_protocol", "escalated_function_call", "call", "do", "anonymous_block",
    "do_or_anon",
    // unsafe_io
    "create_subscription", "alter_subscription", "drop_subscription", "create_server",
    "alter_server", "drop_server", "create_user_mapping", "alter_user_mapping", "drop_user_mapping",
    "create_tablespace", "alter_tablespace", "drop_tablespace", "copy_to_path", "copy_from_path",
    "copy_to_program", "copy_from_program", "large_object_io", "server_file_read", "dblink_call",
    "fdw_access"};

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

}  // namespace

std::vector<std::string_view> db_groups_of(std::string_view word) {
  if (word == "*") return {kGroups.begin(), kGroups.end() - 1};  // All but unknown.
  const std::string wanted = upper(word);
  for (std::string_view group : kGroups) {
    if (upper(group) == wanted) return {group};
  }
  for (const Alias& alias : kAliases) {
    if (alias.word != wanted) continue;
    std::vector<std::string_view> groups;
    for (std::string_view group : alias.groups) {
      if (!group.empty()) groups.push_back(group);
    }
    return groups;
  }
  return {};
}

std::vector<std::string_view> db_operation_words() {
  std::vector<std::string_view> words(kGroups.begin(), kGroups.end());
  for (const Alias& alias : kAliases) words.push_back(alias.word);
  return words;
}

std::vector<std::string_view> db_subtypes() {
  return {std::begin(kSubtypes), std::end(kSubtypes)};
}

bool db_group_is_dangerous(std::string_view group) {
  return std::ranges::find(kDangerous, group) != kDangerous.end();
}

}  // namespace agentsh::policy
