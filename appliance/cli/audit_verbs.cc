#include "appliance/cli/audit_verbs.h"

#include "appliance/cli/audit_arguments.h"
#include "audit/chain_admin.h"
#include "audit/verify.h"
#include "base/json_writer.h"

#include <fmt/format.h>

#include <cstdio>

namespace agentsh::cli {
namespace {

int complain(const Error& error) {
  fmt::print(stderr, "agentsh audit: {}\n", error.what);
  return 2;
}

void write_findings(JsonWriter& json, std::string_view name,
                    const std::vector<audit::Finding>& findings) {
  json.key(name).begin_array();
  for (const audit::Finding& finding : findings) {
    json.begin_object()
        .field("file", std::string_view(finding.file))
        .field("line", finding.line)
        .field("kind", std::string_view(finding.kind))
        .field("what", std::string_view(finding.what))
        .end_object();
  }
  json.end_array();
}

void print_json(const audit::VerifyReport& report) {
  JsonWriter json(2);
  json.begin_object()
      .field("ok", report.ok())
      .field("segments", report.segments)
      .field("entries", report.entries)
      .field("first_sequence", report.first_sequence)
      .field("last_sequence", report.last_sequence)
      .field("unsigned_lines", report.unsigned_lines)
      .field("findings_left_out", report.uncounted);
  write_findings(json, "findings", report.findings);
  write_findings(json, "notices", report.notices);
  json.end_object();
  fmt::print("{}\n", json.take());
}

void print_list(std::string_view mark, const std::vector<audit::Finding>& findings) {
  for (const audit::Finding& finding : findings) {
    const std::string place =
        finding.line == 0 ? finding.file : fmt::format("{}:{}", finding.file, finding.line);
    fmt::print("{}{}: {}: {}\n", mark, place, finding.kind, finding.what);
  }
}

void print_text(const audit::VerifyReport& report) {
  print_list("note: ", report.notices);
  print_list("", report.findings);
  if (report.uncounted > 0) fmt::print("... and {} more\n", report.uncounted);
  const std::string range =
      report.entries == 0 ? std::string("no entries")
                          : fmt::format("{} entries ({} to {}) in {} segment{}", report.entries,
                                        report.first_sequence, report.last_sequence,
                                        report.segments, report.segments == 1 ? "" : "s");
  if (report.ok()) {
    fmt::print("OK: {}, every hash and link is right\n", range);
  } else {
    fmt::print("FAILED: {} problem(s) found; {}\n", report.findings.size() + report.uncounted,
               range);
  }
}

struct Arguments {
  AuditPaths paths;
  std::string log;
  audit::VerifyOptions verify;
  audit::ResetOptions reset;
  bool json = false;
};

int verify(const Arguments& arguments) {
  const auto key = audit::ChainKey::load(arguments.paths.key_file);
  if (!key) return complain(key.error());
  const std::string& log = arguments.log.empty() ? arguments.paths.directory : arguments.log;
  const auto report = audit::verify_log(log, *key, arguments.verify);
  if (!report) return complain(report.error());
  if (arguments.json) {
    print_json(*report);
  } else {
    print_text(*report);
  }
  return report->ok() ? 0 : 1;
}

void write_side_car(JsonWriter& json, const audit::ChainStatus& status) {
  json.key("side_car").begin_object().optional_field("problem", status.side_car_problem);
  if (status.side_car) {
    json.field("sequence", status.side_car->head.sequence)
        .field("prev_hash", audit::as_view(status.side_car->head.hash))
        .field("key_fingerprint", std::string_view(status.side_car->key_fingerprint))
        .field("updated_at", std::string_view(format_rfc3339(status.side_car->updated_at)));
  }
  json.end_object();
}

void print_json(const audit::ChainStatus& status) {
  JsonWriter json(2);
  json.begin_object()
      .field("directory", std::string_view(status.directory))
      .field("recorder_running", status.recorder_running)
      .field("segments", status.segments)
      .field("first_segment", std::string_view(status.first_segment))
      .field("last_segment", std::string_view(status.last_segment))
      .field("log_bytes", status.log_bytes)
      .field("last_sequence", status.last_sequence)
      .field("rings_waiting", status.waiting_rings)
      .field("key_fingerprint", std::string_view(status.key_fingerprint));
  write_side_car(json, status);
  json.end_object();
  fmt::print("{}\n", json.take());
}

void print_text(const audit::ChainStatus& status) {
  fmt::print("directory      {}\n", status.directory);
  fmt::print("recorder       {}\n", status.recorder_running ? "running" : "not running");
  fmt::print("segments       {} ({} to {}), {} bytes\n", status.segments, status.first_segment,
             status.last_segment, status.log_bytes);
  fmt::print("last entry     {}\n", status.last_sequence);
  fmt::print("waiting        {} ring(s) with events that are not in the log yet\n",
             status.waiting_rings);
  fmt::print("key given      {}\n",
             status.key_fingerprint.empty() ? "none" : status.key_fingerprint.c_str());
  if (!status.side_car) {
    fmt::print("side-car       {}\n", status.side_car_problem);
    return;
  }
  fmt::print("side-car       entry {}, hash {}, written {}\n", status.side_car->head.sequence,
             audit::as_view(status.side_car->head.hash),
             format_rfc3339(status.side_car->updated_at));
  fmt::print("key of log     {}\n", status.side_car->key_fingerprint);
}

int chain_status(const Arguments& arguments) {
  const auto key = audit::ChainKey::load(arguments.paths.key_file);
  const auto status = audit::chain_status(arguments.paths.directory, key ? &*key : nullptr);
  if (!status) return complain(status.error());
  if (arguments.json) {
    print_json(*status);
  } else {
    print_text(*status);
  }
  if (!key) fmt::print(stderr, "agentsh audit: {}\n", key.error().what);
  const auto& side_car = status->side_car;
  const bool well = key && side_car && side_car->key_fingerprint == status->key_fingerprint;
  return well ? 0 : 1;
}

int chain_reset(Arguments arguments) {
  arguments.reset.directory = arguments.paths.directory;
  arguments.reset.key_file = arguments.paths.key_file;
  const auto result = audit::reset_chain(arguments.reset);
  if (!result) {
    fmt::print(stderr, "agentsh audit: {}\n", result.error().what);
    return 1;
  }
  fmt::print("new chain from entry {} in {}\n", result->sequence, result->segment);
  fmt::print("problems of the old one: {}\n", result->previous_problems);
  if (!result->archive.empty()) fmt::print("old segments: {}\n", result->archive);
  return 0;
}

void add_paths(CLI::App& app, Arguments& arguments) {
  app.add_option("--dir", arguments.paths.directory, "Directory of the audit log")
      ->capture_default_str();
  app.add_option("--key-file", arguments.paths.key_file, "Key that the log is signed with")
      ->capture_default_str();
}

}  // namespace

int run_audit_verb(std::span<const std::string> args, const AuditPaths& defaults) {
  Arguments arguments{.paths = defaults};
  CLI::App app("Check and administer the audit log", "agentsh audit");
  app.require_subcommand(1);

  CLI::App* verify_app = app.add_subcommand("verify", "Check every line of a log");
  add_paths(*verify_app, arguments);
  verify_app->add_option("log", arguments.log, "A log's directory, or one of its files");
  verify_app->add_flag("--tolerate-unsigned", arguments.verify.tolerate_unsigned,
                       "Lines without integrity data are no fault");
  verify_app->add_flag("--tolerate-truncation", arguments.verify.tolerate_truncation,
                       "A missing end is no fault");
  verify_app->add_option("--from-sequence", arguments.verify.from_sequence,
                         "Begin with this entry");
  verify_app->add_flag("--json", arguments.json, "Print JSON");

  CLI::App* chain_app = app.add_subcommand("chain", "The chain of hashes");
  chain_app->require_subcommand(1);
  CLI::App* status_app = chain_app->add_subcommand("status", "Where the chain stands");
  add_paths(*status_app, arguments);
  status_app->add_flag("--json", arguments.json, "Print JSON");
  CLI::App* reset_app = chain_app->add_subcommand("reset", "Begin a new chain");
  add_paths(*reset_app, arguments);
  const auto codes = audit::reset_reason_codes();
  reset_app->add_option("--reason", arguments.reset.reason, "Why, in words; it is recorded")
      ->required();
  reset_app->add_option("--reason-code", arguments.reset.reason_code, "Why, as a code")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(codes.begin(), codes.end())));
  reset_app->add_flag("--legacy-archive", arguments.reset.legacy_archive,
                      "Move the old segments into a folder of their own");
  reset_app->add_flag("--force", arguments.reset.force, "Also when the chain is intact");

  if (const auto code = parse_arguments(app, args)) return *code;
  if (verify_app->parsed()) return verify(arguments);
  return status_app->parsed() ? chain_status(arguments) : chain_reset(std::move(arguments));
}

}  // namespace agentsh::cli
