// Statements that make, change and drop objects.
//
// Expressions in definitions (defaults, checks, index expressions, policies, the bodies of views,
// rules and SQL functions) run later, for others too: their effects are counted with the
// definition.
#include "sqlguard/classifier/objects.h"
#include "sqlguard/classifier/walker.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

using enum ObjectKind;

// How a node type is spelled as a verb: CreateTableSpaceStmt has entries of its own, the rest is
// regular.
struct Simple {
  std::string_view node_type;
  std::string_view verb;
  ObjectKind kind;
  std::string_view name_field;  // A list of names, an ObjectWithArgs, or a string.
};

constexpr Simple kSimple[] = {
    {"AlterCollationStmt", "ALTER_COLLATION", kCollation, "collname"},
    {"AlterDatabaseRefreshCollStmt", "ALTER_DATABASE", kDatabase, "dbname"},
    {"AlterDatabaseStmt", "ALTER_DATABASE", kDatabase, "dbname"},
    {"AlterDomainStmt", "ALTER_DOMAIN", kType, "typeName"},
    {"AlterEnumStmt", "ALTER_TYPE", kType, "typeName"},
    {"AlterEventTrigStmt", "ALTER_EVENT_TRIGGER", kEventTrigger, "trigname"},
    {"AlterExtensionContentsStmt", "ALTER_EXTENSION", kExtension, "extname"},
    {"AlterExtensionStmt", "ALTER_EXTENSION", kExtension, "extname"},
    {"AlterOpFamilyStmt", "ALTER_OPERATOR_FAMILY", kOperator, "opfamilyname"},
    {"AlterOperatorStmt", "ALTER_OPERATOR", kOperator, "opername"},
    {"AlterSeqStmt", "ALTER_SEQUENCE", kSequence, "sequence"},
    {"AlterStatsStmt", "ALTER_STATISTICS", kStatistics, "defnames"},
    {"AlterTSConfigurationStmt", "ALTER_TEXT_SEARCH_CONFIGURATION", kTextSearch, "cfgname"},
    {"AlterTSDictionaryStmt", "ALTER_TEXT_SEARCH_DICTIONARY", kTextSearch, "dictname"},
    {"AlterTypeStmt", "ALTER_TYPE", kType, "typeName"},
    {"CreateAmStmt", "CREATE_ACCESS_METHOD", kAccessMethod, "amname"},
    {"CreateConversionStmt", "CREATE_CONVERSION", kConversion, "conversion_name"},
    {"CreateOpFamilyStmt", "CREATE_OPERATOR_FAMILY", kOperator, "opfamilyname"},
    {"CreatePLangStmt", "CREATE_LANGUAGE", kLanguage, "plname"},
    {"CreateTransformStmt", "CREATE_TRANSFORM", kTransform, "type_name"},
};

const Simple& simple_of(std::string_view node_type) {
  return *std::ranges::find(kSimple, node_type, &Simple::node_type);
}

Object named_by(TreeNode s, const Simple& simple) {
  const TreeNode field = s.child(simple.name_field);
  if (field.kind() == TreeKind::kText) return object_named(simple.kind, field.text());
  if (field.child("relname")) return object_of_range(field, simple.kind);
  return object_named(simple.kind, names_in(field));
}

bool is_temporary(TreeNode range) {
  return range.text("relpersistence") == "t" || range.text("schemaname") == "pg_temp";
}

TreeNode option_named(TreeNode options, std::string_view name) {
  for (TreeNode option = options.first(); option; option = option.next()) {
    if (option.typed().text("defname") == name) return option.typed().child("arg");
  }
  return {};
}

}  // namespace

// Something that will call the function later: an operator, a cast, a trigger, an aggregate.
void Walker::bind(const std::vector<std::string_view>& names) {
  if (names.empty()) return;
  if (const SideEffect* known = side_effect_of(names.back()))
    affect(known->group, known->subtype, object_named(kFunction, names));
  else
    call_by_name(names);
}

// --- tables --------------------------------------------------------------------------------------

void Walker::create_table(TreeNode s) {
  verb(is_temporary(s.child("relation")) ? "CREATE_TEMP_TABLE" : "CREATE_TABLE");
  table_definition(s, kTable);
}

void Walker::create_foreign_table(TreeNode s) {
  verb("CREATE_FOREIGN_TABLE");
  table_definition(s.child("base"), kForeignTable);
  affect(Group::kUnsafeIo, "fdw_access", object_named(kServer, s.text("servername")));
}

void Walker::table_definition(TreeNode s, ObjectKind kind) {
  const TreeNode relation_node = s.child("relation");
  affect(Group::kSchemaCreate, "create_table", object_of_range(relation_node, kind));
  if (is_temporary(relation_node))
    change({.kind = SessionChange::Kind::kCreateTemporary,
            .name = std::string(relation_node.text("relname"))});
  // A child or a partition changes what its parent shows.
  for (TreeNode parent = s.child("inhRelations").first(); parent; parent = parent.next())
    affect(Group::kSchemaAlter, {}, object_of_range(parent.typed()));
  walk_fields(s, {"relation", "inhRelations"});
}

void Walker::create_sequence(TreeNode s) {
  const TreeNode sequence = s.child("sequence");
  const bool temporary = sequence.text("relpersistence") == "t";
  verb(temporary ? "CREATE_TEMP_SEQUENCE" : "CREATE_SEQUENCE");
  affect(Group::kSchemaCreate, {}, object_of_range(sequence, kSequence));
  if (temporary)
    change({.kind = SessionChange::Kind::kCreateTemporary,
            .name = std::string(sequence.text("relname"))});
}

void Walker::create_index(TreeNode s) {
  verb("CREATE_INDEX");
  affect(Group::kSchemaCreate, "create_index", object_of_range(s.child("relation")));
  walk_fields(s, {"relation"});
}

void Walker::create_statistics(TreeNode s) {
  verb("CREATE_STATISTICS");
  for (TreeNode element = s.child("relations").first(); element; element = element.next()) {
    if (element.typed().key() == "RangeVar")
      affect(Group::kSchemaCreate, {}, object_of_range(element.typed()));
  }
  effect(Group::kSchemaCreate);
  walk_fields(s, {"relations"});
}

void Walker::alter_table(TreeNode s) {
  const ObjectType& type = object_type(s.text("objtype"));
  verb(fmt::format("ALTER_{}", type.verb));
  const Object table = object_of_range(s.child("relation"), type.kind);
  affect(Group::kSchemaAlter, {}, table);
  for (TreeNode element = s.child("cmds").first(); element; element = element.next())
    alter_table_command(element.typed(), table);
}

void Walker::alter_table_command(TreeNode cmd, const Object& table) {
  const std::string_view subtype = cmd.text("subtype");
  if (subtype == "AT_DropColumn") affect(Group::kSchemaDestroy, {}, table);
  // Who owns a table, and whether its policies hold, is a matter of privileges.
  if (subtype == "AT_ChangeOwner" || subtype == "AT_EnableRowSecurity" ||
      subtype == "AT_DisableRowSecurity" || subtype == "AT_ForceRowSecurity" ||
      subtype == "AT_NoForceRowSecurity")
    affect(Group::kPrivilege, {}, table);
  const TreeNode def = cmd.child("def");
  const TreeNode typed = def.typed();
  if (typed.key() == "PartitionCmd") {
    affect(Group::kSchemaAlter, {}, object_of_range(typed.child("name")));
    walk_fields(typed, {"name"});
  } else if (typed.key() == "RangeVar") {
    affect(Group::kSchemaAlter, {}, object_of_range(typed));
  } else {
    walk(def);
  }
}

void Walker::truncate(TreeNode s) {
  verb("TRUNCATE");
  for (TreeNode element = s.child("relations").first(); element; element = element.next())
    affect(Group::kSchemaDestroy, "truncate", object_of_range(element.typed()));
}

// --- functions, triggers, rules ------------------------------------------------------------------

void Walker::create_function(TreeNode s) {
  verb(s.flag("is_procedure") ? "CREATE_PROCEDURE" : "CREATE_FUNCTION");
  const Object function = object_named(kFunction, names_in(s.child("funcname")));
  affect(Group::kSchemaCreate, "create_function", function);
  const TreeNode options = s.child("options");
  const std::string language = lower_case(constant_of(option_named(options, "language")).text);
  const auto as = names_in(option_named(options, "as"));
  if (s.child("sql_body")) {
    // Walked below.
  } else if (language == "c") {
    affect(Group::kUnsafeIo, {},
           {.kind = kFilesystemPath, .path = std::string(as.empty() ? "" : as[0])});
  } else if (language == "internal") {
    bind(as);
    affect(Group::kUnsafeIo, {}, function);
  } else if (language == "sql" && !as.empty()) {
    nested_text(as[0]);
  } else {
    // A program that is not looked into.
    affect(Group::kProcedural, {}, function);
  }
  walk_fields(s, {"funcname", "options"});
}

void Walker::alter_function(TreeNode s) {
  const ObjectType& type = object_type(s.text("objtype"));
  verb(fmt::format("ALTER_{}", type.verb));
  affect(Group::kSchemaAlter, {}, object_named(kFunction, names_in(s.child("func"))));
  // SET here is for the time that the function runs, not for the session.
}

void Walker::create_trigger(TreeNode s) {
  verb("CREATE_TRIGGER");
  affect(Group::kSchemaCreate, {}, object_named(kTrigger, s.text("trigname")));
  affect(Group::kSchemaCreate, {}, object_of_range(s.child("relation")));
  const auto function = names_in(s.child("funcname"));
  bind(function);
  walk_fields(s, {"relation", "funcname"});
}

void Walker::create_event_trigger(TreeNode s) {
  verb("CREATE_EVENT_TRIGGER");
  affect(Group::kSchemaCreate, {}, object_named(kEventTrigger, s.text("trigname")));
  const auto function = names_in(s.child("funcname"));
  affect(Group::kProcedural, {}, object_named(kFunction, function));
}

void Walker::create_rule(TreeNode s) {
  verb("CREATE_RULE");
  affect(Group::kSchemaCreate, {}, object_named(kRule, s.text("rulename")));
  affect(Group::kSchemaCreate, {}, object_of_range(s.child("relation")));
  walk_fields(s, {"relation"});
}

// --- other kinds ---------------------------------------------------------------------------------

void Walker::create_schema(TreeNode s) {
  verb("CREATE_SCHEMA");
  std::string name(s.text("schemaname"));
  if (name.empty()) name = role_name(s.child("authrole"));
  affect(Group::kSchemaCreate, "create_schema", object_named(kSchema, name));
  walk_fields(s, {"authrole"});
}

void Walker::define(TreeNode s) {
  const ObjectType& type = object_type(s.text("kind"));
  verb(fmt::format("CREATE_{}", type.verb));
  affect(Group::kSchemaCreate, type.kind == kFunction ? "create_function" : "",
         object_named(type.kind, names_in(s.child("defnames"))));
  const bool calls = type.kind == kFunction || type.word == "OBJECT_OPERATOR" ||
                     type.word == "OBJECT_TYPE" || type.word == "OBJECT_TSPARSER" ||
                     type.word == "OBJECT_TSTEMPLATE";
  for (TreeNode option = s.child("definition").first(); calls && option; option = option.next()) {
    const TreeNode argument = option.typed().child("arg");
    if (argument.typed().key() == "TypeName" && option.typed().text("defname") != "basetype" &&
        option.typed().text("defname") != "stype" && option.typed().text("defname") != "leftarg" &&
        option.typed().text("defname") != "rightarg")
      bind(names_in(argument));
  }
  walk_fields(s, {"defnames"});
}

void Walker::create_type(TreeNode s) {
  verb("CREATE_TYPE");
  const TreeNode typevar = s.child("typevar");
  affect(Group::kSchemaCreate, {},
         typevar ? object_of_range(typevar, kType)
                 : object_named(kType, names_in(s.child("typeName"))));
  for (TreeNode option = s.child("params").first(); option; option = option.next()) {
    const std::string_view name = option.typed().text("defname");
    if (name == "subtype_diff" || name == "canonical") bind(names_in(option.typed().child("arg")));
  }
  walk_fields(s, {"typevar", "typeName"});
}

void Walker::create_domain(TreeNode s) {
  verb("CREATE_DOMAIN");
  affect(Group::kSchemaCreate, {}, object_named(kType, names_in(s.child("domainname"))));
  walk_fields(s, {"domainname"});
}

void Walker::create_extension(TreeNode s) {
  verb("CREATE_EXTENSION");
  affect(Group::kSchemaCreate, "create_extension", object_named(kExtension, s.text("extname")));
}

void Walker::create_database(TreeNode s) {
  verb("CREATE_DATABASE");
  affect(Group::kSchemaCreate, "create_database", object_named(kDatabase, s.text("dbname")));
}

void Walker::create_publication(TreeNode s) {
  verb("CREATE_PUBLICATION");
  affect(Group::kSchemaCreate, "create_publication", object_named(kPublication, s.text("pubname")));
  walk_fields(s);
}

void Walker::alter_publication(TreeNode s) {
  verb("ALTER_PUBLICATION");
  affect(Group::kSchemaAlter, "alter_publication", object_named(kPublication, s.text("pubname")));
  walk_fields(s);
}

void Walker::create_operator_class(TreeNode s) {
  verb("CREATE_OPERATOR_CLASS");
  affect(Group::kSchemaCreate, {}, object_named(kOperator, names_in(s.child("opclassname"))));
  for (TreeNode item = s.child("items").first(); item; item = item.next()) {
    const TreeNode fields = item.typed();
    if (fields.integer("itemtype") == 2) bind(names_in(fields.child("name")));
  }
}

void Walker::create_cast(TreeNode s) {
  verb("CREATE_CAST");
  const auto source = names_in(s.child("sourcetype"));
  const auto target = names_in(s.child("targettype"));
  affect(Group::kSchemaCreate, {},
         object_named(kCast, fmt::format("{} {}", source.empty() ? "" : source.back(),
                                         target.empty() ? "" : target.back())));
  if (const TreeNode function = s.child("func")) bind(names_in(function));
}

void Walker::create_simple(TreeNode s) {
  const Simple& simple = simple_of(s.key());
  verb(simple.verb);
  affect(Group::kSchemaCreate, {}, named_by(s, simple));
  for (std::string_view field :
       {"handler_name", "func_name", "plhandler", "plinline", "plvalidator", "fromsql", "tosql"}) {
    if (const TreeNode function = s.child(field)) bind(names_in(function));
  }
}

void Walker::alter_simple(TreeNode s) {
  const Simple& simple = simple_of(s.key());
  verb(simple.verb);
  affect(Group::kSchemaAlter, {}, named_by(s, simple));
  if (simple.name_field == "sequence") return walk(s.child("options"));
  walk_fields(s, {simple.name_field});
}

// RENAME, SET SCHEMA, DEPENDS ON EXTENSION: one object by its kind.
void Walker::alter_named(TreeNode s) {
  const TreeNode renamed = s.child("renameType");
  const ObjectType& type = object_type(renamed ? renamed.text() : s.text("objectType"));
  const TreeNode relation_node = s.child("relation");
  const bool of_relation = s.child("relationType") && type.word == "OBJECT_COLUMN";
  verb(fmt::format("ALTER_{}", of_relation ? object_type(s.text("relationType")).verb : type.verb));
  if (relation_node) {
    affect(Group::kSchemaAlter, {},
           object_of_range(relation_node, lives_in_schema(type.kind) ? type.kind : kTable));
    return;
  }
  if (const TreeNode object = s.child("object")) {
    for (Object& named : objects_of(type, object))
      affect(Group::kSchemaAlter, {}, std::move(named));
  } else {
    affect(Group::kSchemaAlter, {}, object_named(type.kind, s.text("subname")));
  }
}

void Walker::rename(TreeNode s) {
  if (s.text("renameType") == "OBJECT_ROLE") {
    verb("ALTER_ROLE");
    affect(Group::kPrivilege, "alter_role", object_named(kRole, s.text("subname")));
    return;
  }
  alter_named(s);
  change({.kind = SessionChange::Kind::kDrop,
          .name = std::string(s.child("relation").text("relname"))});
}

void Walker::alter_owner(TreeNode s) {
  const ObjectType& type = object_type(s.text("objectType"));
  verb(fmt::format("ALTER_{}", type.verb));
  const auto objects = s.child("relation")
                           ? std::vector{object_of_range(s.child("relation"), type.kind)}
                           : objects_of(type, s.child("object"));
  for (const Object& object : objects) {
    affect(Group::kSchemaAlter, {}, object);
    affect(Group::kPrivilege, {}, object);
  }
}

void Walker::comment(TreeNode s) {
  const ObjectType& type = object_type(s.text("objtype"));
  verb("COMMENT");
  for (Object& object : objects_of(type, s.child("object")))
    affect(Group::kSchemaAlter, {}, std::move(object));
}

void Walker::drop(TreeNode s) {
  const ObjectType& type = object_type(s.text("removeType"));
  verb(fmt::format("DROP_{}", type.verb));
  const bool server = type.kind == kServer;
  for (TreeNode element = s.child("objects").first(); element; element = element.next()) {
    for (Object& object : objects_of(type, element)) {
      if (type.kind == kPolicy) affect(Group::kPrivilege, {}, object);
      if (lives_in_schema(object.kind))
        change({.kind = SessionChange::Kind::kDrop, .name = object.name});
      affect(server ? Group::kUnsafeIo : Group::kSchemaDestroy, type.drop_subtype,
             std::move(object));
    }
  }
}

void Walker::drop_database(TreeNode s) {
  verb("DROP_DATABASE");
  affect(Group::kSchemaDestroy, "drop_database", object_named(kDatabase, s.text("dbname")));
}

}  // namespace agentsh::sql
