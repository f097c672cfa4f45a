#include "appliance/cli/dlp_verbs.h"

#include "appliance/cli/audit_arguments.h"
#include "appliance/cli/dlp_scan.h"
#include "base/json_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::cli {
namespace {

bool mentions(const dlp::Detector& detector, std::string_view word) {
  const auto contains = [&](std::string_view text) {
    return std::ranges::search(text, word, [](char a, char b) {
             return std::tolower(static_cast<unsigned char>(a)) ==
                    std::tolower(static_cast<unsigned char>(b));
           }).begin() != text.end();
  };
  return contains(detector.id) || contains(detector.title) || contains(detector.provider) ||
         contains(dlp::to_string(detector.kind)) ||
         std::ranges::any_of(detector.keywords, contains);
}

dlp::Mode mode_of(const DlpSetup& setup, const dlp::Detector& detector) {
  const auto found = setup.settings.detectors.find(detector.id);
  return found == setup.settings.detectors.end() ? setup.settings.mode : found->second;
}

void print_validators(bool as_json) {
  JsonWriter json(2);
  json.begin_array();
  for (const dlp::ValidatorEntry& entry : dlp::validators()) {
    if (!as_json) fmt::print("{:<28} {}\n", entry.name, entry.what);
    json.begin_object().field("name", entry.name).field("what", entry.what).end_object();
  }
  json.end_array();
  if (as_json) fmt::print("{}\n", json.take());
}

void write_detector(const DlpSetup& setup, const dlp::Detector& detector, JsonWriter& json) {
  json.begin_object()
      .field("id", detector.id)
      .field("title", detector.title)
      .field("kind", dlp::to_string(detector.kind))
      .field("severity", dlp::to_string(detector.severity))
      .optional_field("provider", detector.provider)
      .field("confidence", detector.confidence)
      .field("mode", dlp::to_string(mode_of(setup, detector)));
  json.key("validators").begin_array();
  for (const dlp::Validator& validator : detector.validators) json.value(validator.name());
  json.end_array().end_object();
}

// The verbs and their options. Each sub-command is kept to ask which one was given.
struct Verbs {
  CLI::App app{
      "Find and replace what must not leave: credentials and personal data in files and "
      "pipes",
      "agentsh dlp"};
  CLI::App* scan;
  CLI::App* redact;
  CLI::App* restore;
  CLI::App* detectors;

  explicit Verbs(DlpArguments& arguments) {
    app.require_subcommand(1);
    app.footer(
        "Examples:\n"
        "  agentsh dlp scan src notes.txt                    what is in there, with places\n"
        "  git diff | agentsh dlp scan -                     before it is committed\n"
        "  agentsh dlp redact log.txt > shared.txt           values become [REDACTED:<detector>]\n"
        "  agentsh dlp redact --mode tokenize --vault v.json prompt.txt > out.txt\n"
        "  agentsh dlp restore --vault v.json answer.txt     placeholders become values again\n"
        "  agentsh dlp detectors github                      detectors by a word\n");
    scan = app.add_subcommand("scan",
                              "Report what is found: exit code 0 nothing, 1 something, 2 "
                              "an error");
    scan->add_option("path", arguments.files, "Files and directories; none or -: standard input");
    scan->add_flag("--json", arguments.json, "Print JSON");
    scan->add_flag("--show-values", arguments.show_values, "Print the values as well");
    redact = app.add_subcommand("redact",
                                "Replace what is found; the result goes to standard "
                                "output. Exit code 1: a detector blocks the text");
    redact->add_option("--mode", arguments.mode,
                       "redact, tokenize, block, audit or disabled (default: dlp.mode)");
    restore = app.add_subcommand("restore", "Put back what was tokenized");
    for (CLI::App* each : {redact, restore}) {
      each->add_option("file", arguments.files, "A file; none or -: standard input")
          ->expected(0, 1);
      each->add_option("--type", arguments.type,
                       "Media type: application/json (the default of *.json) edits strings in "
                       "place, multipart and forms their texts; others are plain text");
      CLI::Option* vault = each->add_option("--vault", arguments.vault,
                                            "Where placeholders and their values are kept (0600)");
      if (each == restore) vault->required();
    }
    detectors = app.add_subcommand("detectors", "List detectors, and what is done about each");
    detectors->add_option("word", arguments.word, "Only those that this word describes");
    detectors->add_flag("--json", arguments.json, "Print JSON");
    detectors->add_flag("--validators", arguments.validators, "List validators instead");
    for (CLI::App* each : {scan, redact, detectors}) {
      each->add_option("--config", arguments.config, "The server's configuration file");
    }
    for (CLI::App* each : {scan, redact}) {
      each->add_option("--detector", arguments.detectors, "Only this one; may be repeated")
          ->allow_extra_args(false);
      each->add_option("--min-confidence", arguments.min_confidence, "Leave out hits below it")
          ->check(CLI::Range(0.0, 1.0))
          ->capture_default_str();
    }
  }
};

}  // namespace

int dlp_detectors(const DlpArguments& arguments, const DlpSetupLoader& load) {
  if (arguments.validators) {
    print_validators(arguments.json);
    return kDlpWell;
  }
  auto setup = load(arguments.config);
  if (!setup) return complain_dlp(setup.error().what);
  JsonWriter json(2);
  json.begin_array();
  std::size_t count = 0;
  for (const dlp::Detector& detector : setup->detectors) {
    if (!arguments.word.empty() && !mentions(detector, arguments.word)) continue;
    ++count;
    write_detector(*setup, detector, json);
    if (arguments.json) continue;
    fmt::print("{:<34} {:<9} {:<9} {:.2f} {:<9} {}\n", detector.id, dlp::to_string(detector.kind),
               dlp::to_string(detector.severity), detector.confidence,
               dlp::to_string(mode_of(*setup, detector)), detector.title);
  }
  json.end_array();
  if (arguments.json) fmt::print("{}\n", json.take());
  if (count == 0 && !arguments.json) fmt::print(stderr, "no detector is described by that word\n");
  return kDlpWell;
}

int run_dlp_verb(std::span<const std::string> args, const DlpSetupLoader& load) {
  DlpArguments arguments;
  Verbs verbs(arguments);
  if (const auto code = parse_arguments(verbs.app, args)) return *code;
  if (verbs.scan->parsed()) return dlp_scan(arguments, load);
  if (verbs.redact->parsed()) return dlp_redact(arguments, load);
  if (verbs.restore->parsed()) return dlp_restore(arguments);
  return dlp_detectors(arguments, load);
}

}  // namespace agentsh::cli
