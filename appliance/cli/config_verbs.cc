#include "appliance/cli/config_verbs.h"

#include "appliance/config/api_keys.h"
#include "appliance/config/loader.h"
#include "appliance/config/show.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <vector>

namespace agentsh::cli {
namespace {

using config::LoadReport;
using config::LoadRequest;
using policy::Diagnostic;

struct ShowOptions {
  std::string file;
  std::string block;
  bool json = false;
  bool sample = false;
  bool manual = false;
};

struct ValidateOptions {
  std::string file;
  bool json = false;
};

LoadRequest request_for(const std::string& file) {
  LoadRequest request = LoadRequest::of_this_process();
  request.file = file;
  return request;
}

void print_problems(std::FILE* out, const std::vector<Diagnostic>& problems) {
  for (const Diagnostic& problem : problems) fmt::print(out, "{}\n", policy::to_text(problem));
}

int show(const ShowOptions& options) {
  const LoadRequest request = request_for(options.file);
  const config::ServerConfig defaults = config::default_config(request.paths, request.uid);
  if (options.sample || options.manual) {
    fmt::print("{}",
               options.sample ? config::sample_config(defaults) : config::manual_entries(defaults));
    return 0;
  }
  const LoadReport report = config::try_load_config(request);
  print_problems(stderr, report.problems);
  if (!report.config) return 1;
  if (report.config->from_working_directory) {
    fmt::print(stderr,
               "{}: note: read by `agentsh server` when it is started here, not by a server that "
               "the first command starts\n",
               report.file);
  }
  fmt::print("{}{}",
             options.json ? config::show_json(*report.config, defaults, options.block)
                          : config::show_table(*report.config, defaults, options.block),
             options.json ? "\n" : "");
  return 0;
}

// The keys are a file of their own, which only starting the daemon would read otherwise.
void check_api_keys(const config::LoadedConfig& loaded, uid_t uid,
                    std::vector<Diagnostic>& problems) {
  const config::AuthSection& auth = loaded.values.auth;
  if (auth.type != config::AuthType::kApiKey && auth.type != config::AuthType::kHybrid) return;
  if (auto keys = config::ApiKeys::load(auth.keys_file, uid); !keys) {
    const config::Origin origin = loaded.origin("auth.api_key.keys_file");
    problems.push_back({.file = loaded.file,
                        .where = origin.where,
                        .key = "auth.api_key.keys_file",
                        .message = keys.error().what});
  }
}

int validate(const ValidateOptions& options) {
  const LoadRequest request = request_for(options.file);
  LoadReport report = config::try_load_config(request);
  bool good = report.config.has_value();
  if (report.config) {
    const std::size_t before = report.problems.size();
    check_api_keys(*report.config, request.uid, report.problems);
    good = report.problems.size() == before;
  }
  if (options.json) {
    fmt::print("{}\n", policy::to_json(report.problems));
  } else {
    print_problems(stdout, report.problems);
    if (good && report.file.empty()) {
      fmt::print("ok: there is no configuration file, every key has its default\n");
    } else if (good) {
      fmt::print("{}: ok\n", report.file);
    }
  }
  return good ? 0 : 1;
}

}  // namespace

int run_config_verb(std::span<const std::string> args) {
  CLI::App app("Show and validate the configuration of the daemon", "agentsh config");
  app.require_subcommand(1);
  ShowOptions show_options;
  CLI::App* show_verb = app.add_subcommand("show", "Each key with its value, default and origin");
  show_verb->add_option("--path,--config", show_options.file,
                        "The file, instead of looking for it");
  show_verb->add_option("block", show_options.block, "Only this key, or the keys of this block");
  CLI::Option* json = show_verb->add_flag("--json", show_options.json, "As JSON");
  CLI::Option* sample = show_verb->add_flag("--sample", show_options.sample,
                                            "A commented file with every key and its default");
  show_verb->add_flag("--man", show_options.manual, "The keys for a manual page, in troff")
      ->excludes(json)
      ->excludes(sample);
  sample->excludes(json);
  ValidateOptions validate_options;
  CLI::App* validate_verb =
      app.add_subcommand("validate", "What is wrong, with file, line and column");
  CLI::Option* named = validate_verb->add_option("--path,--config", validate_options.file,
                                                 "The file, instead of looking for it");
  validate_verb->add_option("file", validate_options.file, "The same")->excludes(named);
  validate_verb->add_flag("--json", validate_options.json, "As a JSON array, for editors");
  std::vector<std::string> reversed(args.rbegin(), args.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  return show_verb->parsed() ? show(show_options) : validate(validate_options);
}

}  // namespace agentsh::cli
