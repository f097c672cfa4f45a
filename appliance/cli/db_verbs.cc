#include "appliance/cli/db_verbs.h"

#include "appliance/cli/audit_arguments.h"
#include "appliance/cli/db_arguments.h"
#include "base/json_writer.h"
#include "sqlguard/classifier/analysis_json.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>

namespace agentsh::cli {
namespace {

constexpr std::size_t kTextLimit = 8 << 20;

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    if (!item.empty()) items.emplace_back(item);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return items;
}

std::string object_text(const sql::Object& object) {
  return fmt::format("{} {}{}{}", name_of(object.kind), object.schema,
                     object.schema.empty() ? "" : ".", selectable_name(object));
}

void print_text(const sql::Analysis& analysis, const sql::NameContext& names) {
  for (const sql::Statement& statement : analysis.statements) {
    fmt::print("{}\n", statement.raw_verb);
    for (const sql::Effect& effect : statement.effects) {
      fmt::print("  {}{}{}  {}\n", name_of(effect.group), effect.subtype.empty() ? "" : " ",
                 effect.subtype, name_of(resolution_of(effect, names)));
      for (const sql::Object& object : effect.objects) fmt::print("    {}\n", object_text(object));
    }
    if (!statement.error.empty()) fmt::print("  not understood: {}\n", statement.error);
  }
}

// EXECUTE does what a statement of the same text prepared; of what is not there nothing is known.
void settle_executions(sql::Analysis& analysis) {
  std::map<std::string, std::vector<sql::Effect>> prepared;
  for (sql::Statement& statement : analysis.statements) {
    for (const sql::SessionChange& change : statement.changes) {
      if (change.kind == sql::SessionChange::Kind::kPrepare)
        prepared.try_emplace(change.name, statement.effects);
      if (change.kind != sql::SessionChange::Kind::kExecute) continue;
      if (const auto found = prepared.find(change.name); found != prepared.end()) {
        std::ranges::copy(found->second, std::back_inserter(statement.effects));
      } else {
        statement.effects.push_back({.group = sql::Group::kUnknown});
        statement.error = fmt::format("prepared statement \"{}\" is not in this text", change.name);
      }
      order_by_precedence(statement.effects);
    }
  }
}

int classify(const SqlOptions& options, const std::string& text, bool json) {
  const auto dialect = sql::dialect_named(options.dialect);
  const auto sql = sql_text(text);
  if (!sql) {
    fmt::print(stderr, "agentsh db: {}\n", sql.error().what);
    return 1;
  }
  sql::Analysis analysis = sql::classify(*sql, *dialect);
  settle_executions(analysis);
  const sql::NameContext names = options.names();
  if (json) {
    JsonWriter writer(2);
    write_json(writer, analysis, names);
    fmt::print("{}\n", writer.take());
  } else {
    print_text(analysis, names);
  }
  const bool understood = std::ranges::none_of(analysis.statements, [](const sql::Statement& s) {
    return s.primary_group() == sql::Group::kUnknown;
  });
  return understood ? 0 : 1;
}

}  // namespace

void SqlOptions::add_to(CLI::App& app) {
  app.add_option("--dialect", dialect, "Dialect of the server")
      ->check(CLI::IsMember({"postgres", "aurora_postgres", "redshift", "cockroachdb"}))
      ->capture_default_str();
  app.add_option("--search-path", search_path, "Schemas that the session searches: a,b");
  app.add_option("--temp-tables", temporary, "Temporary tables of the session: a,b");
}

sql::NameContext SqlOptions::names() const {
  sql::NameContext names;
  if (!search_path.empty()) names.search_path = list_of(search_path);
  for (std::string& name : list_of(temporary)) names.temporary.insert(std::move(name));
  return names;
}

Result<std::string> sql_text(const std::string& text) {
  if (!text.empty() && text != "-") return text;
  std::string input(std::istreambuf_iterator<char>(std::cin), {});
  if (input.size() > kTextLimit) return fail("standard input is longer than 8 MiB");
  return input;
}

int run_db_verb(std::span<const std::string> args) {
  CLI::App app("Postgres statements", "agentsh db");
  app.require_subcommand(1);
  CLI::App* verb = app.add_subcommand("classify", "What does SQL text do?");
  SqlOptions options;
  std::string text;
  bool json = false;
  options.add_to(*verb);
  verb->add_flag("--json", json, "Print JSON");
  verb->add_option("sql", text, "The text; - or nothing reads standard input");
  if (const auto code = parse_arguments(app, args)) return *code;
  return classify(options, text, json);
}

}  // namespace agentsh::cli
