#include "sqlguard/catalog/resolution.h"

#include <algorithm>
#include <iterator>

namespace agentsh::sql {
namespace {

bool is_relation(ObjectKind kind) {
  return kind <= ObjectKind::kIndex;
}

ObjectKind kind_of(const CatalogRelation& relation) {
  switch (relation.kind) {
    case 'v':
      return ObjectKind::kView;
    case 'm':
      return ObjectKind::kMaterializedView;
    case 'f':
      return ObjectKind::kForeignTable;
    case 'S':
      return ObjectKind::kSequence;
    default:
      return ObjectKind::kTable;
  }
}

// What an effect that makes something names is not there yet; an index is named by its table.
bool names_what_is_there(const Effect& effect) {
  return effect.group != Group::kSchemaCreate || effect.subtype == "create_index";
}

class Resolver {
 public:
  Resolver(const NameContext& names, const Catalog* catalog) : names_(names), catalog_(catalog) {}

  void resolve(Statement& statement) {
    std::vector<Object> behind;
    for (Effect& effect : statement.effects) {
      if (!names_what_is_there(effect)) continue;
      for (Object& object : effect.objects) {
        if (const CatalogRelation* found = look_up(object)) add_behind(*found, behind);
      }
    }
    if (!behind.empty()) std::ranges::copy(behind, std::back_inserter(read_of(statement).objects));
    for (CalledFunction& function : statement.functions)
      function.may_do_anything = may_do_anything(function);
  }

 private:
  static Effect& read_of(Statement& statement) {
    for (Effect& effect : statement.effects) {
      if (effect.group == Group::kRead && effect.subtype.empty()) return effect;
    }
    return statement.effects.emplace_back(Effect{.group = Group::kRead});
  }

  const CatalogRelation* look_up(Object& object) const {
    // Indexes are not in the snapshot, and rules hardly name them: as written.
    if (!is_relation(object.kind) || object.kind == ObjectKind::kIndex) return nullptr;
    if (catalog_ == nullptr) {
      object.lookup = Lookup::kUnavailable;
      return nullptr;
    }
    object.lookup = Lookup::kUnresolved;
    const CatalogRelation* found = find(object);
    if (found == nullptr) return nullptr;
    object.lookup = Lookup::kResolved;
    object.schema = found->schema;
    object.kind = kind_of(*found);
    return found;
  }

  // Null for names that could be a temporary relation: these are the session's alone.
  const CatalogRelation* find(const Object& object) const {
    if (!object.schema.empty()) return catalog_->relation(object.schema, object.name);
    if (!names_.search_path || names_.temporary.contains(object.name)) return nullptr;
    // pg_catalog is searched first where the path does not name it.
    if (std::ranges::find(*names_.search_path, "pg_catalog") == names_.search_path->end()) {
      if (const CatalogRelation* found = catalog_->relation("pg_catalog", object.name))
        return found;
    }
    for (const std::string& schema : *names_.search_path) {
      if (const CatalogRelation* found = catalog_->relation(schema, object.name)) return found;
    }
    return nullptr;
  }

  void add_behind(const CatalogRelation& relation, std::vector<Object>& behind) const {
    if (!relation.is_view()) return;
    for (const CatalogRelation* source : catalog_->behind(relation)) {
      Object object{.kind = kind_of(*source),
                    .schema = source->schema,
                    .name = source->name,
                    .lookup = Lookup::kResolved,
                    .implied = true};
      if (std::ranges::find(behind, object) == behind.end()) behind.push_back(std::move(object));
    }
  }

  // Which of several functions of the name is meant depends on its arguments' types: one that may
  // do anything is enough. Functions of pg_catalog that do something are known by name.
  bool may_do_anything(const CalledFunction& function) const {
    if (catalog_ == nullptr) return true;
    std::vector<std::string> schemas;
    if (!function.schema.empty()) {
      if (function.schema == "pg_catalog" || function.schema == "information_schema") return false;
      schemas = {function.schema};
    } else if (names_.search_path) {
      schemas = *names_.search_path;
    } else {
      return true;
    }
    bool found = false;
    for (const std::string& schema : schemas) {
      for (const CatalogFunction* candidate : catalog_->functions(schema, function.name)) {
        if (candidate->volatility == 'v' || candidate->security_definer) return true;
        found = true;
      }
    }
    return !found && !is_type(schemas, function.name);
  }

  // A relation's row type called like a function: t(x), or a column's name: x(t).
  bool is_type(const std::vector<std::string>& schemas, std::string_view name) const {
    return std::ranges::any_of(schemas, [&](const std::string& schema) {
      return catalog_->relation(schema, name) != nullptr;
    });
  }

  const NameContext& names_;
  const Catalog* catalog_;
};

}  // namespace

Statement resolve(Statement statement, const NameContext& names, const Catalog* catalog) {
  Resolver(names, catalog).resolve(statement);
  order_by_precedence(statement.effects);
  return statement;
}

bool changes_catalog(const Statement& statement) {
  return std::ranges::any_of(statement.effects, [](const Effect& effect) {
    switch (effect.group) {
      case Group::kSchemaCreate:
      case Group::kSchemaAlter:
      case Group::kSchemaDestroy:
      case Group::kProcedural:
      case Group::kUnsafeIo:
      case Group::kUnknown:
        return true;
      default:
        return false;
    }
  });
}

}  // namespace agentsh::sql
