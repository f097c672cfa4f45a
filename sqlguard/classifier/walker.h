// From one parsed statement to its effects. Internal to the classifier.
//
// Everything below a statement is walked: a handler says what the statement itself does, and hands
// all its other fields to walk(), which finds relations, function calls and statements wherever the
// grammar lets them stand. So a clause that no handler mentions is still looked into.
#pragma once

#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/parse_tree.h"
#include "sqlguard/classifier/side_effects.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class Walker {
 public:
  Walker(Dialect dialect, internal::Nesting nesting) : dialect_(dialect), nesting_(nesting) {}

  // The statement of a RawStmt. Afterwards the walker is spent.
  Statement classify(TreeNode raw_stmt);

  // Is there a handler for statements of this node type?
  static bool handles(std::string_view node_type);

 private:
  using Handler = void (Walker::*)(TreeNode statement);
  struct Entry {
    std::string_view node_type;
    Handler handler;
  };
  static const Entry* entry_of(std::string_view node_type);

  // What a handler says.
  void verb(std::string_view raw_verb);  // Only the outermost statement's counts.
  Effect& effect(Group group, std::string_view subtype = {}, bool has_where = false);
  void affect(Group group, std::string_view subtype, Object object, bool has_where = false);
  void unknown(std::string_view reason);
  void change(SessionChange change);
  void take_in(const Statement& inner);  // Its effects and functions.
  void setting(std::string_view name, std::vector<std::string> values, bool local,
               bool known_value);

  // Looks into a value of any form.
  void walk(TreeNode value);
  void walk_fields(TreeNode fields, std::initializer_list<std::string_view> without = {});
  void node(TreeNode typed);
  void node_within_limits(TreeNode typed);
  void statement(TreeNode typed);
  void relation(TreeNode range);
  void call(TreeNode fields);
  void call_by_name(const std::vector<std::string_view>& names);
  void bind(const std::vector<std::string_view>& names);
  void side_effect(const SideEffect& known, const Object& function, TreeNode arguments);
  void set_config(const SideEffect& known, TreeNode arguments);
  void nested_text(std::string_view sql);
  bool is_cte(TreeNode range) const;
  void with_clause(TreeNode with);

  // Queries.
  void select(TreeNode s);
  void set_operation_arm(TreeNode s);
  void select_statement(TreeNode s);
  void locking(TreeNode s);
  void lock_relations(TreeNode from, const std::vector<std::string_view>& names,
                      std::vector<Object>& locked);
  void insert(TreeNode s);
  void update(TreeNode s);
  void remove(TreeNode s);
  void merge(TreeNode s);
  void returning(TreeNode s);
  void copy(TreeNode s);
  void explain(TreeNode s);
  void prepare(TreeNode s);
  void execute(TreeNode s);
  void deallocate(TreeNode s);
  void declare_cursor(TreeNode s);
  void fetch(TreeNode s);
  void close(TreeNode s);
  void create_table_as(TreeNode s);
  void create_view(TreeNode s);
  void refresh(TreeNode s);
  void call_procedure(TreeNode s);
  void do_block(TreeNode s);
  void into_clause(TreeNode into, std::string_view kind_word);

  // The session and the transaction.
  void set(TreeNode s);
  void set_transaction_modes(TreeNode options);
  void show(TreeNode s);
  void discard(TreeNode s);
  void transaction(TreeNode s);
  void set_constraints(TreeNode s);
  void lock(TreeNode s);
  void listen(TreeNode s);
  void unlisten(TreeNode s);
  void notify(TreeNode s);

  // Definitions.
  void create_table(TreeNode s);
  void create_foreign_table(TreeNode s);
  void table_definition(TreeNode s, ObjectKind kind);
  void create_sequence(TreeNode s);
  void create_index(TreeNode s);
  void create_schema(TreeNode s);
  void create_function(TreeNode s);
  void alter_function(TreeNode s);
  void define(TreeNode s);
  void create_type(TreeNode s);
  void create_domain(TreeNode s);
  void create_trigger(TreeNode s);
  void create_event_trigger(TreeNode s);
  void create_rule(TreeNode s);
  void create_extension(TreeNode s);
  void create_database(TreeNode s);
  void create_publication(TreeNode s);
  void create_statistics(TreeNode s);
  void create_operator_class(TreeNode s);
  void create_cast(TreeNode s);
  void create_simple(TreeNode s);
  void alter_table(TreeNode s);
  void alter_table_command(TreeNode cmd, const Object& table);
  void alter_simple(TreeNode s);
  void alter_publication(TreeNode s);
  void rename(TreeNode s);
  void alter_owner(TreeNode s);
  void alter_named(TreeNode s);
  void comment(TreeNode s);
  void drop(TreeNode s);
  void drop_database(TreeNode s);
  void truncate(TreeNode s);

  // Privileges, roles, the server and what it connects to.
  void grant(TreeNode s);
  void grant_role(TreeNode s);
  void default_privileges(TreeNode s);
  void role(TreeNode s);
  void role_setting(TreeNode s);
  void database_setting(TreeNode s);
  void drop_role(TreeNode s);
  void owned(TreeNode s);
  void alter_system(TreeNode s);
  void security_label(TreeNode s);
  void policy(TreeNode s);
  void foreign_server(TreeNode s);
  void user_mapping(TreeNode s);
  void foreign_data_wrapper(TreeNode s);
  void import_foreign_schema(TreeNode s);
  void tablespace(TreeNode s);
  void subscription(TreeNode s);
  void load(TreeNode s);
  void vacuum(TreeNode s);
  void maintain(TreeNode s);

  Dialect dialect_;
  internal::Nesting nesting_;  // Its nodes are those around the current one.
  unsigned depth_ = 0;         // Statements around the current node, itself included.
  Statement result_;
  std::vector<std::string_view> ctes_;  // Names of WITH in scope.
};

}  // namespace agentsh::sql
