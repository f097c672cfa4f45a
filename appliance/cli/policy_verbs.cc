#include "appliance/cli/policy_verbs.h"

#include "appliance/cli/audit_arguments.h"
#include "appliance/cli/db_verbs.h"
#include "base/file_io.h"
#include "base/json_writer.h"
#include "policies/lint.h"
#include "policies/loader.h"
#include "policies/policy_store.h"
#include "policies/policy_test.h"
#include "policies/signing.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace agentsh::cli {
namespace {

using namespace policy;

constexpr int kWell = 0;
constexpr int kProblems = 1;
constexpr std::size_t kPolicyLimit = 8 << 20;
constexpr std::size_t kKeyLimit = 16 << 10;

struct Arguments {
  std::vector<std::string> policies;  // Names or paths.
  std::vector<std::string> directories;
  std::vector<std::string> assignments;  // NAME=value
  std::string workspace = ".";
  std::string operation;
  std::string target;
  std::string key;
  std::string output;
  std::string trust_store;
  bool json = false;
  bool force = false;
};

int complain(std::string_view what) {
  fmt::print(stderr, "agentsh policy: {}\n", what);
  return kProblems;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::vector<std::string> default_directories() {
  std::vector<std::string> directories;
  const std::string config = environment("XDG_CONFIG_HOME");
  if (config.starts_with('/')) {
    directories.push_back(config + "/agentsh/policies");
  } else if (const std::string home = environment("HOME"); !home.empty()) {
    directories.push_back(home + "/.config/agentsh/policies");
  }
  directories.emplace_back("/etc/agentsh/policies");
  return directories;
}

PolicyStore store_of(const Arguments& arguments) {
  return PolicyStore({.directories = arguments.directories});
}

bool is_path(std::string_view policy) {
  return policy.contains('/') || policy.ends_with(".yaml") || policy.ends_with(".yml");
}

Result<std::string> path_of(const std::string& policy, const Arguments& arguments) {
  if (is_path(policy)) return policy;
  return store_of(arguments).find(policy);
}

// The policy, and what is wrong with it. `problems` names the file.
struct Loaded {
  std::string path;
  Diagnostics problems;
  std::optional<Policy> policy;
};

Result<Loaded> load(const std::string& name, const Arguments& arguments) {
  auto path = path_of(name, arguments);
  if (!path) return std::unexpected(path.error());
  auto text = read_file(*path, kPolicyLimit);
  if (!text) return std::unexpected(text.error());
  Loaded loaded{*path, Diagnostics(*path), {}};
  loaded.policy = load_policy(*text, loaded.problems);
  return loaded;
}

int list(const Arguments& arguments) {
  const auto listings = store_of(arguments).list();
  if (arguments.json) {
    JsonWriter json(2);
    json.begin_array();
    for (const PolicyListing& listing : listings) {
      json.begin_object()
          .field("name", listing.name)
          .field("path", listing.path)
          .optional_field("description", listing.description)
          .optional_field("error", listing.error)
          .end_object();
    }
    json.end_array();
    fmt::print("{}\n", json.take());
    return kWell;
  }
  for (const PolicyListing& listing : listings) {
    fmt::print("{:<20} {}\n", listing.name,
               listing.error.empty() ? listing.description : "DOES NOT LOAD, see policy validate");
    fmt::print("{:<20} {}\n", "", listing.path);
  }
  return kWell;
}

int show(const Arguments& arguments) {
  auto path = path_of(arguments.policies.front(), arguments);
  if (!path) return complain(path.error().what);
  auto text = read_file(*path, kPolicyLimit);
  if (!text) return complain(text.error().what);
  fmt::print("{}", *text);
  return kWell;
}

// Prints findings of all the policies as one JSON array, or as text with a closing line for each.
int print_findings(const Arguments& arguments,
                   Result<std::vector<Diagnostic>> (*find)(Loaded& loaded, bool& problem),
                   std::string_view all_well) {
  std::vector<Diagnostic> all;
  bool any = false;
  for (const std::string& name : arguments.policies) {
    auto loaded = load(name, arguments);
    if (!loaded) {
      any = true;
      all.push_back({.file = name, .message = loaded.error().what});
      if (!arguments.json) complain(loaded.error().what);
      continue;
    }
    bool problem = false;
    auto found = find(*loaded, problem);
    any |= problem;
    all.insert(all.end(), found->begin(), found->end());
    if (arguments.json) continue;
    for (const Diagnostic& finding : *found) fmt::print("{}\n", to_text(finding));
    if (!problem) fmt::print("{}: {}\n", loaded->path, all_well);
  }
  if (arguments.json) fmt::print("{}\n", to_json(all));
  return any ? kProblems : kWell;
}

int validate(const Arguments& arguments) {
  return print_findings(
      arguments,
      [](Loaded& loaded, bool& problem) -> Result<std::vector<Diagnostic>> {
        problem = !loaded.policy;
        return loaded.problems.sorted();
      },
      "ok");
}

int lint_policies(const Arguments& arguments) {
  return print_findings(
      arguments,
      [](Loaded& loaded, bool& problem) -> Result<std::vector<Diagnostic>> {
        std::vector<Diagnostic> findings = loaded.problems.sorted();
        if (loaded.policy) {
          const auto more = lint(*loaded.policy);
          findings.insert(findings.end(), more.begin(), more.end());
        }
        problem = has_warnings(findings);
        return findings;
      },
      "nothing to complain of");
}

// The session's variables as they would be here, and what --set says.
Result<Variables> variables_of(const Arguments& arguments) {
  std::error_code error;
  const auto workspace = std::filesystem::weakly_canonical(arguments.workspace, error);
  if (error) return fail(fmt::format("{}: {}", arguments.workspace, error.message()));
  Variables::Map session = {{"PROJECT_ROOT", workspace.string()}, {"GIT_ROOT", workspace.string()}};
  if (const std::string home = environment("HOME"); !home.empty()) session["HOME"] = home;
  for (const std::string& assignment : arguments.assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(fmt::format("--set {}: write NAME=value", assignment));
    }
    session[assignment.substr(0, equals)] = assignment.substr(equals + 1);
  }
  Variables::Map inherited;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      inherited.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return Variables(std::move(session), std::move(inherited));
}

Result<std::shared_ptr<const CompiledPolicy>> compile(const Arguments& arguments) {
  auto loaded = load(arguments.policies.front(), arguments);
  if (!loaded) return std::unexpected(loaded.error());
  if (!loaded->policy) return std::unexpected(loaded->problems.to_error());
  auto variables = variables_of(arguments);
  if (!variables) return std::unexpected(variables.error());
  return CompiledPolicy::compile(std::move(*loaded->policy), *variables);
}

int explain(const Arguments& arguments, const PolicyVerbDefaults& defaults) {
  auto compiled = compile(arguments);
  if (!compiled) return complain(compiled.error().what);
  std::error_code error;
  const auto workspace = std::filesystem::weakly_canonical(arguments.workspace, error).string();
  const auto report = enforcement_report(**compiled, workspace, defaults.host);
  if (arguments.json) {
    fmt::print("{}\n", to_json(report));
    return kWell;
  }
  fmt::print("{}", to_text(report));
  if (!defaults.host_was_probed) {
    fmt::print("(for a host on which every mechanism works)\n");
  }
  return kWell;
}

int test(const Arguments& arguments) {
  auto compiled = compile(arguments);
  if (!compiled) return complain(compiled.error().what);
  auto answer = test_policy(**compiled, {arguments.operation, arguments.target});
  if (!answer) return complain(answer.error().what);
  fmt::print("{}{}", arguments.json ? to_json(*answer) : to_text(*answer),
             arguments.json ? "\n" : "");
  return kWell;
}

// Writes a file that must not be there yet.
Result<> write_new(const std::string& path, std::string_view text, mode_t mode, bool force) {
  std::error_code error;
  if (!force && std::filesystem::exists(path, error)) {
    return fail(fmt::format("{} exists already; --force replaces it", path));
  }
  return write_file_atomic(path, text, mode);
}

int keygen(const Arguments& arguments) {
  auto keys = generate_signing_key();
  if (!keys) return complain(keys.error().what);
  const std::string public_path = arguments.output + ".pem";
  if (auto written = write_new(arguments.output, keys->private_key, 0600, arguments.force);
      !written) {
    return complain(written.error().what);
  }
  if (auto written = write_new(public_path, keys->public_key, 0644, arguments.force); !written) {
    return complain(written.error().what);
  }
  fmt::print("private key: {}\npublic key:  {} (copy it into the trust store)\n", arguments.output,
             public_path);
  return kWell;
}

int sign(const Arguments& arguments) {
  auto key = read_file(arguments.key, kKeyLimit);
  if (!key) return complain(key.error().what);
  for (const std::string& name : arguments.policies) {
    auto loaded = load(name, arguments);
    if (!loaded) return complain(loaded.error().what);
    if (!loaded->policy) return complain(loaded->problems.to_error().what);
    auto text = read_file(loaded->path, kPolicyLimit);
    if (!text) return complain(text.error().what);
    auto signature = sign_policy(*text, *key);
    if (!signature) return complain(fmt::format("{}: {}", arguments.key, signature.error().what));
    const std::string path = signature_path(loaded->path);
    if (auto written = write_file_atomic(path, *signature, 0644); !written) {
      return complain(written.error().what);
    }
    fmt::print("{}\n", path);
  }
  return kWell;
}

Result<std::string> verify_one(const std::string& name, const Arguments& arguments) {
  auto path = path_of(name, arguments);
  if (!path) return std::unexpected(path.error());
  auto text = read_file(*path, kPolicyLimit);
  if (!text) return std::unexpected(text.error());
  auto signature = read_file(signature_path(*path), kKeyLimit);
  if (!signature) return std::unexpected(signature.error());
  if (arguments.key.empty()) {
    auto signer = verify_with_trust_store(*text, *signature, arguments.trust_store);
    if (!signer) return std::unexpected(with_context(signer.error(), *path));
    return fmt::format("{}: signed by {}", *path, *signer);
  }
  auto key = read_file(arguments.key, kKeyLimit);
  if (!key) return std::unexpected(key.error());
  auto good = verify_signature(*text, *signature, *key);
  if (!good) return std::unexpected(with_context(good.error(), *path));
  return fmt::format("{}: signed by {}", *path, arguments.key);
}

int verify(const Arguments& arguments) {
  if (arguments.key.empty() && arguments.trust_store.empty()) {
    complain("say what to verify with: --key FILE or --trust-store DIR");
    return 2;
  }
  int code = kWell;
  for (const std::string& name : arguments.policies) {
    auto outcome = verify_one(name, arguments);
    if (outcome) {
      fmt::print("{}\n", *outcome);
    } else {
      code = complain(outcome.error().what);
    }
  }
  return code;
}

// The verbs and their options. Each sub-command is kept to ask which one was given.
struct Verbs {
  CLI::App app{"Work on policy files", "agentsh policy"};
  CLI::App* list;
  CLI::App* show;
  CLI::App* validate;
  CLI::App* lint;
  CLI::App* explain;
  CLI::App* test;
  CLI::App* keygen;
  CLI::App* sign;
  CLI::App* verify;

  explicit Verbs(Arguments& arguments) {
    app.require_subcommand(1);
    list = verb("list", "Policies by name", arguments, Takes::kNothing, true);
    show = verb("show", "Print a policy", arguments, Takes::kOne, false);
    validate = verb("validate", "Is it well-formed?", arguments, Takes::kSome, true);
    lint = verb("lint", "Does it say what it seems to?", arguments, Takes::kSome, true);
    explain = verb("explain", "What enforces each rule here?", arguments, Takes::kOne, true);
    test = verb("test", "What would be decided?", arguments, Takes::kOne, true);
    for (CLI::App* each : {explain, test}) {
      each->add_option("--workspace", arguments.workspace, "PROJECT_ROOT of the session")
          ->capture_default_str();
      each->add_option("--set", arguments.assignments, "NAME=value of a variable");
    }
    test->add_option("--op", arguments.operation, "read, write ..., connect, dns or exec")
        ->required();
    test->add_option("--path", arguments.target, "Path, host:port, name or command line")
        ->required();
    keygen = app.add_subcommand("keygen", "Make an Ed25519 key pair");
    keygen->add_option("output", arguments.output, "Private key; the public one gets .pem")
        ->required();
    keygen->add_flag("--force", arguments.force, "Replace files that are there");
    sign = verb("sign", "Write POLICY.sig", arguments, Takes::kSome, false);
    sign->add_option("--key", arguments.key, "Private key")->required();
    verify = verb("verify", "Check POLICY.sig", arguments, Takes::kSome, false);
    verify->add_option("--key", arguments.key, "Public key");
    verify->add_option("--trust-store", arguments.trust_store, "Directory of public keys, *.pem");
  }

 private:
  enum class Takes { kNothing, kOne, kSome };

  CLI::App* verb(const char* name, const char* what, Arguments& arguments, Takes takes, bool json) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->add_option("--dir", arguments.directories, "Directories of policies, first one first");
    if (json) sub->add_flag("--json", arguments.json, "Print JSON");
    if (takes == Takes::kNothing) return sub;
    CLI::Option* policies =
        sub->add_option("policy", arguments.policies, "Name or path of a policy")->required();
    if (takes == Takes::kOne) policies->expected(1);
    return sub;
  }
};

}  // namespace

int run_policy_verb(std::span<const std::string> args, const PolicyVerbDefaults& defaults) {
  if (!args.empty() && args.front() == "db") {
    return run_policy_db_verb(args.subspan(1), defaults.directories.empty() ? default_directories()
                                                                            : defaults.directories);
  }
  Arguments arguments{.trust_store = defaults.trust_store};
  Verbs verbs(arguments);
  if (const auto code = parse_arguments(verbs.app, args)) return *code;
  if (arguments.directories.empty()) arguments.directories = defaults.directories;
  if (arguments.directories.empty()) arguments.directories = default_directories();
  if (verbs.list->parsed()) return list(arguments);
  if (verbs.show->parsed()) return show(arguments);
  if (verbs.validate->parsed()) return validate(arguments);
  if (verbs.lint->parsed()) return lint_policies(arguments);
  if (verbs.explain->parsed()) return explain(arguments, defaults);
  if (verbs.test->parsed()) return test(arguments);
  if (verbs.keygen->parsed()) return keygen(arguments);
  if (verbs.sign->parsed()) return sign(arguments);
  return verify(arguments);
}

}  // namespace agentsh::cli
