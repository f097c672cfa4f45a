#include "sqlguard/catalog/catalog_query.h"

#include "sqlguard/catalog/node_text.h"
#include "sqlguard/codec/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <utility>

namespace agentsh::sql {
namespace {

// Operators are named with their schema too: the session's search path could have others. Rows come
// in the order of their kind, relations before what belongs to them.
constexpr std::string_view kQuery = R"(
select * from (
select '1'::pg_catalog.text as kind, current_user::pg_catalog.text as a, null::pg_catalog.text as b,
  null::pg_catalog.text as c, null::pg_catalog.text as d, null::pg_catalog.text as e, 0 as ordinal
union all
select '2', s.name::pg_catalog.text, null, null, null, null, s.ordinal::pg_catalog.int4
from pg_catalog.unnest(pg_catalog.current_schemas(false)) with ordinality as s(name, ordinal)
union all
select '3', c.oid::pg_catalog.text, n.nspname, c.relname, c.relkind::pg_catalog.text, null, 0
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where c.relkind operator(pg_catalog.<>) all ('{i,I,t,c}'::pg_catalog."char"[])
union all
select '4', a.attrelid::pg_catalog.text, a.attnum::pg_catalog.text, a.attname, a.atttypid::pg_catalog.text,
  a.attgenerated::pg_catalog.text, a.attnum
from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) a.attrelid
join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
  and c.relkind operator(pg_catalog.=) any ('{r,v,m,f,p}'::pg_catalog."char"[])
  and n.nspname operator(pg_catalog.<>) all ('{pg_catalog,information_schema,pg_toast}'::pg_catalog.name[])
union all
select '5', i.inhrelid::pg_catalog.text, i.inhparent::pg_catalog.text, null, null, null, 0
from pg_catalog.pg_inherits i
union all
select distinct '6', r.ev_class::pg_catalog.text, d.refobjid::pg_catalog.text,
  d.refobjsubid::pg_catalog.text, null, null, 0
from pg_catalog.pg_rewrite r join pg_catalog.pg_depend d on d.objid operator(pg_catalog.=) r.oid
join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) r.ev_class
join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where r.rulename operator(pg_catalog.=) '_RETURN'::pg_catalog.name
  and d.classid operator(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
  and d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
  and d.refobjid operator(pg_catalog.<>) r.ev_class
  and n.nspname operator(pg_catalog.<>) all ('{pg_catalog,information_schema}'::pg_catalog.name[])
union all
select '7', r.ev_class::pg_catalog.text, r.ev_action::pg_catalog.text, null, null, null, 0
from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) r.ev_class
join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where r.rulename operator(pg_catalog.=) '_RETURN'::pg_catalog.name
  and n.nspname operator(pg_catalog.<>) all ('{pg_catalog,information_schema}'::pg_catalog.name[])
union all
select '8', n.nspname, p.proname, p.provolatile::pg_catalog.text, p.prosecdef::pg_catalog.text, l.lanname, 0
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace
join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang
where n.nspname operator(pg_catalog.<>) all ('{pg_catalog,information_schema}'::pg_catalog.name[])
) answer order by kind using operator(pg_catalog.<), ordinal using operator(pg_catalog.<))";

constexpr std::size_t kFields = 7;

template <std::integral T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> not_the_answer() {
  return fail("the server's answer is not that of the catalogue query", std::errc::bad_message);
}

}  // namespace

std::string_view catalog_query() {
  return kQuery;
}

Result<> CatalogReader::take(const Frame& frame) {
  if (frame.type == 'N' || frame.type == 'S' || frame.type == 'A') return {};
  const auto message = parse_backend(frame);
  if (!message) return std::unexpected(message.error());
  if (const auto* report = std::get_if<Report>(&*message))
    return fail(fmt::format("the catalogue cannot be read: {}", report->field('M')));
  if (const auto* described = std::get_if<RowDescription>(&*message)) {
    if (described->columns.size() != kFields || complete_) return not_the_answer();
    return {};
  }
  if (const auto* data = std::get_if<DataRow>(&*message)) {
    if (data->columns.size() != kFields || complete_) return not_the_answer();
    if (++rows_ > kMaximumRows) return fail("the catalogue is too large");
    Fields fields;
    for (const WireValue& value : data->columns)
      fields.push_back(value ? as_text(*value) : std::string_view());
    return row(fields);
  }
  if (!std::holds_alternative<CommandComplete>(*message)) return not_the_answer();
  complete_ = true;
  return {};
}

Result<> CatalogReader::row(const Fields& fields) {
  if (fields[0].size() != 1) return not_the_answer();
  const char kind = fields[0][0];
  switch (kind) {
    case '1':
      session_.user = fields[1];
      return {};
    case '2':
      session_.search_path.emplace_back(fields[1]);
      return {};
    case '3': {
      const auto oid = number<std::uint32_t>(fields[1]);
      if (!oid || fields[4].size() != 1) return not_the_answer();
      by_oid_.emplace(*oid, relations_.size());
      relations_.push_back({.oid = *oid,
                            .kind = fields[4][0],
                            .schema = std::string(fields[2]),
                            .name = std::string(fields[3])});
      return {};
    }
    case '8':
      if (fields[3].size() != 1) return not_the_answer();
      functions_.push_back({.schema = std::string(fields[1]),
                            .name = std::string(fields[2]),
                            .volatility = fields[3][0],
                            .security_definer = fields[4] == "true",
                            .language = std::string(fields[5])});
      return {};
    default:
      return relation_row(kind, fields);
  }
}

// What belongs to a relation; of one that is not listed (made in between) it is left out.
Result<> CatalogReader::relation_row(char kind, const Fields& fields) {
  const auto oid = number<std::uint32_t>(fields[1]);
  if (!oid) return not_the_answer();
  const auto found = by_oid_.find(*oid);
  if (found == by_oid_.end()) return {};
  CatalogRelation& relation = relations_[found->second];
  switch (kind) {
    case '4': {
      const auto column = number<std::uint16_t>(fields[2]);
      const auto type = number<std::uint32_t>(fields[4]);
      if (!column || !type) return not_the_answer();
      relation.columns.push_back({.number = *column,
                                  .type = *type,
                                  .generated = !fields[5].empty(),
                                  .name = std::string(fields[3])});
      return {};
    }
    case '5': {
      const auto parent = number<std::uint32_t>(fields[2]);
      if (!parent) return not_the_answer();
      relation.parents.push_back(*parent);
      return {};
    }
    case '6': {
      const auto source = number<std::uint32_t>(fields[2]);
      const auto column = number<std::uint16_t>(fields[3]);
      if (!source || !column) return not_the_answer();
      relation.sources.push_back({*source, *column});
      return {};
    }
    case '7':
      if (auto origins = origins_of(fields[2])) relation.origins = std::move(*origins);
      return {};
    default:
      return not_the_answer();
  }
}

Result<CatalogAnswer> CatalogReader::finish() {
  if (!complete_ || session_.user.empty() || relations_.empty()) return not_the_answer();
  return CatalogAnswer{
      .catalog = std::make_shared<const Catalog>(std::move(relations_), std::move(functions_)),
      .session = std::move(session_)};
}

}  // namespace agentsh::sql
