#include "appliance/cli/event_query.h"

#include "appliance/cli/audit_arguments.h"
#include "audit/line_fields.h"
#include "audit/segments.h"
#include "base/encoding.h"
#include "base/time_format.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace agentsh::cli {
namespace {

constexpr std::chrono::seconds kCatchUp{60};
constexpr std::size_t kWidestColumn = 60;

// "2026-11-24T06:00:00Z", or how long ago: "90m".
bool parse_moment(const std::string& text, std::optional<WallTime>& out) {
  if (text.empty()) return true;
  out = parse_rfc3339(text);
  if (out) return true;
  const auto ago = parse_duration(text);
  if (ago) out = std::chrono::system_clock::now() - *ago;
  return out.has_value();
}

int usage(std::string_view what) {
  fmt::print(stderr, "agentsh events query: {}\n", what);
  return 2;
}

// --db-path may name the index or the directory that it is in.
std::string directory_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return path;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

using Row = std::array<std::string, 6>;

Row row_of(const audit::RecordedEvent& event) {
  audit::LineFields fields;
  audit::read_line_fields(event.json, fields);
  std::string decision = fields.decision;
  if (!fields.effective_decision.empty() && fields.effective_decision != decision) {
    decision += "/" + fields.effective_decision;
  }
  std::string target = fields.path;
  for (const std::string& candidate : {fields.domain, fields.remote, fields.operation}) {
    if (target.empty()) target = candidate;
  }
  Row row = {fields.timestamp, fields.type, decision, fields.session_id, target, fields.rule};
  for (std::string& cell : row) {
    cell = printable(cell);
    if (cell.size() > kWidestColumn) cell = cell.substr(0, kWidestColumn - 3) + "...";
  }
  return row;
}

void print_table(std::span<const audit::RecordedEvent> events) {
  std::vector<Row> rows = {{"TIME", "TYPE", "DECISION", "SESSION", "TARGET", "RULE"}};
  for (const audit::RecordedEvent& event : events) rows.push_back(row_of(event));
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

}  // namespace

std::variant<EventQueryArguments, int> parse_event_query(std::span<const std::string> args,
                                                         const std::string& default_directory) {
  EventQueryArguments arguments{.directory = default_directory,
                                .table = ::isatty(STDOUT_FILENO) == 1};
  audit::EventQuery& query = arguments.query;
  std::string since;
  std::string until;
  std::string order = "desc";
  std::string output;
  std::string db_path;
  CLI::App app("Find events in the audit log", "agentsh events query");
  app.add_option("--session", query.session_id, "Of this session");
  app.add_option("--type", query.types, "Of these types")->delimiter(',');
  app.add_option("--decision", query.decision, "With this decision, or this outcome");
  app.add_option("--since", since, "Not older than this time, or this long (\"2h\")");
  app.add_option("--until", until, "Not newer than this time, or this long ago");
  app.add_option("--path-like", query.path_like, "Path; % is wild, without it any part matches");
  app.add_option("--domain-like", query.domain_like, "Domain or remote address, likewise");
  app.add_option("--text-like", query.text_like, "The event's JSON, likewise");
  app.add_option("--limit", query.limit, "At most so many")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--offset", query.offset, "After leaving out so many");
  app.add_option("--order", order, "Newest (desc) or oldest (asc) first")
      ->capture_default_str()
      ->check(CLI::IsMember({"asc", "desc"}));
  app.add_option("--output", output, "table or json (one object per line)")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_flag("--direct-db", arguments.direct_db, "Read the files, do not ask the daemon");
  app.add_option("--db-path", db_path, "The index or its directory, for --direct-db");
  app.add_option("--dir", arguments.directory, "Directory of the audit log, for --direct-db")
      ->capture_default_str();
  if (const auto code = parse_arguments(app, args)) return *code;
  if (!parse_moment(since, query.since)) return usage("--since: neither a time nor a duration");
  if (!parse_moment(until, query.until)) return usage("--until: neither a time nor a duration");
  query.ascending = order == "asc";
  if (!output.empty()) arguments.table = output == "table";
  if (!db_path.empty()) arguments.directory = directory_of(db_path);
  return arguments;
}

void print_events(std::span<const audit::RecordedEvent> events, bool table) {
  if (table) return print_table(events);
  for (const audit::RecordedEvent& event : events) fmt::print("{}\n", event.json);
}

int run_events_query(std::span<const std::string> args, const std::string& default_directory) {
  const auto parsed = parse_event_query(args, default_directory);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const auto& arguments = std::get<EventQueryArguments>(parsed);
  if (!arguments.direct_db) return usage("without --direct-db the daemon has to be asked");
  return run_direct_query(arguments);
}

int run_direct_query(const EventQueryArguments& arguments) {
  const auto failed = [](const Error& error) {
    fmt::print(stderr, "agentsh events query: {}\n", error.what);
    return 1;
  };
  // Opening the index makes it where it is missing, so first: is this the right place?
  const auto segments = audit::list_segments(arguments.directory);
  if (!segments) return failed(segments.error());
  if (segments->empty()) return failed(make_error(arguments.directory + ": no audit log"));
  auto index = audit::EventIndex::open(arguments.directory);
  if (!index) return failed(index.error());
  if (auto read = index->catch_up(std::chrono::steady_clock::now() + kCatchUp); !read) {
    return failed(read.error());
  }
  const auto page = index->query(arguments.query);
  if (!page) return failed(page.error());
  print_events(page->events, arguments.table);
  if (!page->complete) {
    fmt::print(stderr, "agentsh events query: the newest events are not indexed yet\n");
  }
  return 0;
}

}  // namespace agentsh::cli
