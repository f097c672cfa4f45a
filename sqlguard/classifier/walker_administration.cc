// Privileges and roles, upkeep, and what reaches files and other servers.
#include "sqlguard/classifier/objects.h"
#include "sqlguard/classifier/walker.h"

#include <fmt/format.h>

namespace agentsh::sql {

using enum ObjectKind;

namespace {

// The setting that a statement pins for later sessions; "*" for RESET ALL.
Object setting_in(TreeNode s) {
  const std::string name = lower_case(s.child("setstmt").text("name"));
  return object_named(kGuc, name.empty() ? "*" : name);
}

}  // namespace

// --- privileges ----------------------------------------------------------------------------------

void Walker::grant(TreeNode s) {
  const bool grants = s.flag("is_grant");
  verb(grants ? "GRANT" : "REVOKE");
  const std::string_view subtype = grants ? "grant" : "revoke";
  effect(Group::kPrivilege, subtype);
  const bool whole_schema = s.text("targtype") == "ACL_TARGET_ALL_IN_SCHEMA";
  const ObjectType& type =
      object_type(whole_schema ? std::string_view("OBJECT_SCHEMA") : s.text("objtype"));
  for (TreeNode element = s.child("objects").first(); element; element = element.next()) {
    const TreeNode typed = element.typed();
    if (typed.key() == "RangeVar") {
      affect(Group::kPrivilege, subtype, object_of_range(typed, type.kind));
    } else {
      for (Object& object : objects_of(type, element))
        affect(Group::kPrivilege, subtype, std::move(object));
    }
  }
}

void Walker::grant_role(TreeNode s) {
  const bool grants = s.flag("is_grant");
  verb(grants ? "GRANT_ROLE" : "REVOKE_ROLE");
  const std::string_view subtype = grants ? "grant" : "revoke";
  for (TreeNode element = s.child("granted_roles").first(); element; element = element.next())
    affect(Group::kPrivilege, subtype, object_named(kRole, element.typed().text("priv_name")));
}

void Walker::default_privileges(TreeNode s) {
  verb("ALTER_DEFAULT_PRIVILEGES");
  const std::string_view subtype = s.child("action").flag("is_grant") ? "grant" : "revoke";
  effect(Group::kPrivilege, subtype);
  for (TreeNode option = s.child("options").first(); option; option = option.next()) {
    if (option.typed().text("defname") != "schemas") continue;
    for (std::string_view name : names_in(option.typed().child("arg")))
      affect(Group::kPrivilege, subtype, object_named(kSchema, name));
  }
}

void Walker::role(TreeNode s) {
  const bool creates = s.key() == "CreateRoleStmt";
  verb(creates ? "CREATE_ROLE" : "ALTER_ROLE");
  const std::string name = creates ? std::string(s.text("role")) : role_name(s.child("role"));
  affect(Group::kPrivilege, creates ? "create_role" : "alter_role", object_named(kRole, name));
}

// ALTER ROLE ... SET: pins a setting for the role's later sessions.
void Walker::role_setting(TreeNode s) {
  verb("ALTER_ROLE_SET");
  affect(Group::kPrivilege, "alter_role",
         object_named(kRole, s.child("role") ? role_name(s.child("role")) : "ALL"));
  affect(Group::kPrivilege, "alter_role", setting_in(s));
}

void Walker::database_setting(TreeNode s) {
  verb("ALTER_DATABASE_SET");
  affect(Group::kPrivilege, {}, object_named(kDatabase, s.text("dbname")));
  affect(Group::kPrivilege, {}, setting_in(s));
}

void Walker::drop_role(TreeNode s) {
  verb("DROP_ROLE");
  for (TreeNode element = s.child("roles").first(); element; element = element.next())
    affect(Group::kPrivilege, "drop_role", object_named(kRole, role_name(element)));
}

void Walker::owned(TreeNode s) {
  const bool drops = s.key() == "DropOwnedStmt";
  verb(drops ? "DROP_OWNED" : "REASSIGN_OWNED");
  for (TreeNode element = s.child("roles").first(); element; element = element.next()) {
    const Object role = object_named(kRole, role_name(element));
    affect(Group::kPrivilege, {}, role);
    if (drops) affect(Group::kSchemaDestroy, {}, role);
  }
}

void Walker::alter_system(TreeNode s) {
  verb("ALTER_SYSTEM");
  affect(Group::kPrivilege, "alter_system", setting_in(s));
}

void Walker::security_label(TreeNode s) {
  verb("SECURITY_LABEL");
  for (Object& object : objects_of(object_type(s.text("objtype")), s.child("object")))
    affect(Group::kPrivilege, "security_label", std::move(object));
}

// Row-level security decides who sees what.
void Walker::policy(TreeNode s) {
  verb(s.key() == "CreatePolicyStmt" ? "CREATE_POLICY" : "ALTER_POLICY");
  affect(Group::kPrivilege, {}, object_named(kPolicy, s.text("policy_name")));
  affect(Group::kPrivilege, {}, object_of_range(s.child("table")));
  walk_fields(s, {"table"});
}

// --- other servers, files ------------------------------------------------------------------------

void Walker::foreign_server(TreeNode s) {
  const bool creates = s.key() == "CreateForeignServerStmt";
  verb(creates ? "CREATE_SERVER" : "ALTER_SERVER");
  const std::string_view subtype = creates ? "create_server" : "alter_server";
  affect(Group::kUnsafeIo, subtype, object_named(kServer, s.text("servername")));
  Object endpoint = endpoint_of_options(s.child("options"));
  if (!endpoint.host.empty()) affect(Group::kUnsafeIo, subtype, std::move(endpoint));
}

void Walker::user_mapping(TreeNode s) {
  struct Kind {
    std::string_view node_type, verb, subtype;
  };
  static constexpr Kind kKinds[] = {
      {"CreateUserMappingStmt", "CREATE_USER_MAPPING", "create_user_mapping"},
      {"AlterUserMappingStmt", "ALTER_USER_MAPPING", "alter_user_mapping"},
      {"DropUserMappingStmt", "DROP_USER_MAPPING", "drop_user_mapping"}};
  for (const Kind& kind : kKinds) {
    if (kind.node_type != s.key()) continue;
    verb(kind.verb);
    affect(Group::kUnsafeIo, kind.subtype, object_named(kUserMapping, role_name(s.child("user"))));
    affect(Group::kUnsafeIo, kind.subtype, object_named(kServer, s.text("servername")));
  }
}

void Walker::foreign_data_wrapper(TreeNode s) {
  verb(s.key() == "CreateFdwStmt" ? "CREATE_FOREIGN_DATA_WRAPPER" : "ALTER_FOREIGN_DATA_WRAPPER");
  affect(Group::kUnsafeIo, {}, object_named(kForeignDataWrapper, s.text("fdwname")));
}

void Walker::import_foreign_schema(TreeNode s) {
  verb("IMPORT_FOREIGN_SCHEMA");
  affect(Group::kSchemaCreate, {}, object_named(kSchema, s.text("local_schema")));
  affect(Group::kUnsafeIo, "fdw_access", object_named(kServer, s.text("server_name")));
}

void Walker::tablespace(TreeNode s) {
  struct Kind {
    std::string_view node_type, verb, subtype, name_field;
  };
  static constexpr Kind kKinds[] = {
      {"CreateTableSpaceStmt", "CREATE_TABLESPACE", "create_tablespace", "tablespacename"},
      {"DropTableSpaceStmt", "DROP_TABLESPACE", "drop_tablespace", "tablespacename"},
      {"AlterTableSpaceOptionsStmt", "ALTER_TABLESPACE", "alter_tablespace", "tablespacename"},
      {"AlterTableMoveAllStmt", "ALTER_TABLESPACE", "alter_tablespace", "orig_tablespacename"}};
  for (const Kind& kind : kKinds) {
    if (kind.node_type != s.key()) continue;
    verb(kind.verb);
    affect(Group::kUnsafeIo, kind.subtype, object_named(kTablespace, s.text(kind.name_field)));
    if (const std::string_view path = s.text("location"); !path.empty())
      affect(Group::kUnsafeIo, kind.subtype, {.kind = kFilesystemPath, .path = std::string(path)});
  }
}

void Walker::subscription(TreeNode s) {
  struct Kind {
    std::string_view node_type, verb, subtype;
  };
  static constexpr Kind kKinds[] = {
      {"CreateSubscriptionStmt", "CREATE_SUBSCRIPTION", "create_subscription"},
      {"AlterSubscriptionStmt", "ALTER_SUBSCRIPTION", "alter_subscription"},
      {"DropSubscriptionStmt", "DROP_SUBSCRIPTION", "drop_subscription"}};
  for (const Kind& kind : kKinds) {
    if (kind.node_type != s.key()) continue;
    verb(kind.verb);
    affect(Group::kUnsafeIo, kind.subtype, object_named(kSubscription, s.text("subname")));
    if (const std::string_view where = s.text("conninfo"); !where.empty())
      affect(Group::kUnsafeIo, kind.subtype, endpoint_of(where));
  }
}

void Walker::load(TreeNode s) {
  verb("LOAD");
  affect(Group::kUnsafeIo, {}, {.kind = kFilesystemPath, .path = std::string(s.text("filename"))});
}

// --- upkeep --------------------------------------------------------------------------------------

void Walker::vacuum(TreeNode s) {
  verb(s.flag("is_vacuumcmd") ? "VACUUM" : "ANALYZE");
  effect(Group::kMaintenance);
  for (TreeNode element = s.child("rels").first(); element; element = element.next())
    affect(Group::kMaintenance, {}, object_of_range(element.typed().child("relation")));
}

void Walker::maintain(TreeNode s) {
  effect(Group::kMaintenance);
  if (s.key() == "CheckPointStmt") return verb("CHECKPOINT");
  if (s.key() == "ClusterStmt") {
    verb("CLUSTER");
    if (const TreeNode table = s.child("relation"))
      affect(Group::kMaintenance, {}, object_of_range(table));
    return;
  }
  verb("REINDEX");
  const std::string_view kind = s.text("kind");
  if (const TreeNode table = s.child("relation")) {
    affect(Group::kMaintenance, {},
           object_of_range(table, kind == "REINDEX_OBJECT_INDEX" ? kIndex : kTable));
  } else {
    affect(Group::kMaintenance, {},
           object_named(kind == "REINDEX_OBJECT_SCHEMA" ? kSchema : kDatabase, s.text("name")));
  }
}

}  // namespace agentsh::sql
