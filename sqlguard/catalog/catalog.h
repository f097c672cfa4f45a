// What a database's own catalogue says, as one snapshot: relations with their columns, which
// relations stand behind views and inherit from each other, functions and their volatility.
//
// Of pg_catalog and information_schema there are the relations without their columns, and no
// functions: those that do something are the classifier's (side_effects.h).
//
// Immutable, so any thread may use it; a connection keeps the snapshot that it began a statement
// with. Snapshots are of one database and the same for all of its users; what differs between them
// (the search path) is the session's. When to take a new one: changes_catalog() in resolution.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::sql {

struct CatalogColumn {
  std::uint16_t number = 0;
  std::uint32_t type = 0;
  bool generated = false;  // Left out by COPY.
  std::string name = {};
};

struct CatalogRelation {
  std::uint32_t oid = 0;
  char kind = 'r';  // pg_class.relkind.
  std::string schema = {};
  std::string name = {};
  std::vector<CatalogColumn> columns = {};  // In order of their numbers, without dropped ones.
  // A column of another relation; number 0 for a relation that is read without any column of it.
  struct Source {
    std::uint32_t relation = 0;
    std::uint16_t column = 0;
    bool operator==(const Source&) const = default;
  };
  // Of a view: all that its query reads, and which of these each of its own columns plainly is, by
  // its number less one (relation 0: something computed). No origins at all: not known.
  std::vector<Source> sources = {};
  std::vector<Source> origins = {};
  std::vector<std::uint32_t> parents = {};  // Inheritance and partitions.

  bool is_view() const { return kind == 'v' || kind == 'm'; }
  const CatalogColumn* column(std::uint16_t number) const;
  const CatalogColumn* column(std::string_view name) const;
};

struct CatalogFunction {
  std::string schema = {};
  std::string name = {};
  char volatility = 'v';  // pg_proc.provolatile.
  bool security_definer = false;
  std::string language = {};
};

class Catalog {
 public:
  Catalog(std::vector<CatalogRelation> relations, std::vector<CatalogFunction> functions);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  std::span<const CatalogRelation> relations() const { return relations_; }
  // Null when there is none.
  const CatalogRelation* relation(std::uint32_t oid) const;
  const CatalogRelation* relation(std::string_view schema, std::string_view name) const;
  // All of a name, whatever their arguments; empty when there is none.
  std::vector<const CatalogFunction*> functions(std::string_view schema,
                                                std::string_view name) const;
  // Relations that the view reads, through other views too, itself left out. Empty for a table.
  std::vector<const CatalogRelation*> behind(const CatalogRelation& view) const;

 private:
  std::vector<CatalogRelation> relations_;
  std::vector<CatalogFunction> functions_;
  std::unordered_map<std::uint32_t, std::size_t> by_oid_;
  std::unordered_map<std::string, std::size_t> by_name_;  // "schema" NUL "name".
  std::unordered_multimap<std::string, std::size_t> functions_by_name_;
};

}  // namespace agentsh::sql
