#include "appliance/config/loader.h"

#include "appliance/config/checks.h"
#include "appliance/config/reader.h"
#include "appliance/config/trusted_file.h"
#include "base/file_io.h"
#include "policies/yaml_document.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

namespace agentsh::config {
namespace {

using policy::Diagnostic;
using policy::Diagnostics;
using policy::Severity;

constexpr policy::YamlLimits kLimits{.max_bytes = 1 << 20, .max_nodes = 1 << 16, .max_depth = 32};

// Variables that set keys without a member.
struct KnownVariable {
  const char* name;
  std::string_view path;
};
constexpr KnownVariable kKnownVariables[] = {
    {"AGENTSH_PLATFORM_MODE", "platform.mode"},
    {"AGENTSH_PROXY_PORT", "proxy.port"},
    {"AGENTSH_OTEL_ENDPOINT", "audit.otel.endpoint"},
    {"AGENTSH_OTEL_PROTOCOL", "audit.otel.protocol"},
};

void append(std::vector<Diagnostic>& problems, const Diagnostics& found) {
  problems.insert(problems.end(), found.sorted().begin(), found.sorted().end());
  if (found.errors() > 0 && found.sorted().size() >= Diagnostics::kMaximum) {
    problems.push_back({.file = found.file(), .message = "there are more problems than these"});
  }
}

bool has_error(const std::vector<Diagnostic>& problems) {
  return std::ranges::any_of(
      problems, [](const Diagnostic& found) { return found.severity == Severity::kError; });
}

std::vector<Diagnostic> in_order_of_the_file(std::vector<Diagnostic> problems) {
  std::multimap<policy::SourcePosition, Diagnostic> sorted;
  for (Diagnostic& problem : problems) sorted.emplace(problem.where, std::move(problem));
  problems.clear();
  for (auto& [where, problem] : sorted) problems.push_back(std::move(problem));
  return problems;
}

struct Candidate {
  std::string path;
  enum class When { kMustExist, kElsewhere, kWorkingDirectory } when;
};

std::vector<Candidate> candidates(const LoadRequest& request) {
  using enum Candidate::When;
  if (!request.file.empty()) return {{request.file, kMustExist}};
  if (auto file = request.environment("AGENTSH_CONFIG"); file && !file->empty()) {
    return {{*file, kMustExist}};
  }
  std::vector<Candidate> found;
  if (!request.working_directory.empty()) {
    found.push_back({request.working_directory + "/config.yml", kWorkingDirectory});
    found.push_back({request.working_directory + "/config.yaml", kWorkingDirectory});
  }
  found.push_back({request.paths.config_directory + "/config.yaml", kElsewhere});
  if (request.uid != 0) found.push_back({request.machine_file, kElsewhere});
  return found;
}

struct FoundFile {
  std::string path;
  std::string text;
  bool from_working_directory = false;
};

// The machine's configuration may be closed to ordinary users; theirs then are the defaults.
bool may_be_passed_over(const Candidate& candidate, const Error& error,
                        const LoadRequest& request) {
  if (candidate.when == Candidate::When::kWorkingDirectory) return true;
  return request.uid != 0 && candidate.path == request.machine_file &&
         candidate.when == Candidate::When::kElsewhere &&
         error.code == std::errc::permission_denied;
}

// The path stands before the message already.
std::string without_path(const std::string& what, const std::string& path) {
  for (const std::string& prefix : {path + ": ", "open " + path + ": "}) {
    if (what.starts_with(prefix)) return what.substr(prefix.size());
  }
  return what;
}

std::optional<FoundFile> find_file(const LoadRequest& request, std::vector<Diagnostic>& problems) {
  for (const Candidate& candidate : candidates(request)) {
    auto text = read_trusted_file(candidate.path, request.uid, kLimits.max_bytes);
    if (text) {
      return FoundFile{candidate.path, std::move(*text),
                       candidate.when == Candidate::When::kWorkingDirectory};
    }
    if (candidate.when != Candidate::When::kMustExist &&
        (text.error().code == std::errc::no_such_file_or_directory ||
         text.error().code == std::errc::not_a_directory)) {
      continue;
    }
    const bool passed = may_be_passed_over(candidate, text.error(), request);
    problems.push_back({.severity = passed ? Severity::kWarning : Severity::kError,
                        .file = candidate.path,
                        .message = passed ? "is not used: " + text.error().what
                                          : without_path(text.error().what, candidate.path)});
    if (!passed) return {};
  }
  return {};
}

std::string directory_of(const std::string& file, const LoadRequest& request) {
  const std::filesystem::path path(file);
  if (path.is_absolute()) return path.parent_path().string();
  return (std::filesystem::path(request.working_directory) / path).parent_path().string();
}

// Reads all sources into one LoadedConfig.
class Loading {
 public:
  Loading(const LoadRequest& request, std::vector<Diagnostic>& problems)
      : request_(request),
        problems_(problems),
        config_{.values = default_config(request.paths, request.uid)},
        schema_(config_.values),
        reader_(schema_) {}

  void read_file(std::string_view text, const std::string& file) {
    config_.file = file;
    Diagnostics found(file);
    if (auto document = policy::YamlDocument::parse(text, found, kLimits)) {
      ReadContext context{found, request_.environment, directory_of(file, request_)};
      reader_.read(document->root(), file, context, config_.set);
    }
    append(problems_, found);
  }

  void read_environment() {
    for (const Key& key : schema_.keys()) {
      if (!key.variable.empty()) read_variable(key.variable, key.path);
    }
    for (const KnownVariable& known : kKnownVariables) read_variable(known.name, known.path);
  }

  void read_flags() {
    for (const Override& flag : request_.flags) {
      read_text(flag.path, flag.value, {.kind = Origin::Kind::kFlag, .name = flag.flag});
    }
  }

  // Paths below the state directory follow it, unless they were set themselves.
  LoadedConfig finish() {
    for (const Key& key : schema_.keys()) {
      if (key.below_state == nullptr || config_.find(key.path) != nullptr) continue;
      *key.below_state = config_.values.server.state_dir + "/" + key.suffix;
    }
    if (!has_error(problems_)) {
      check_consistency(config_, problems_);
      check_enforced(config_, problems_);
    }
    return std::move(config_);
  }

 private:
  void read_variable(const std::string& variable, std::string_view path) {
    auto text = request_.environment(variable);
    if (!text || text->empty()) return;
    read_text(path, *text, {.kind = Origin::Kind::kEnvironment, .name = variable});
  }

  void read_text(std::string_view path, const std::string& text, const Origin& origin) {
    Diagnostics found(origin.to_text());
    ReadContext context{found, request_.environment, request_.working_directory};
    reader_.read_text(path, text, origin, context, config_.set);
    append(problems_, found);
  }

  const LoadRequest& request_;
  std::vector<Diagnostic>& problems_;
  LoadedConfig config_;
  Schema schema_;
  ConfigReader reader_;
};

LoadReport load_found(const std::optional<FoundFile>& file, const LoadRequest& request,
                      std::vector<Diagnostic> problems) {
  LoadReport report;
  report.problems = std::move(problems);
  Loading loading(request, report.problems);
  if (file) {
    report.file = file->path;
    loading.read_file(file->text, file->path);
  }
  loading.read_environment();
  loading.read_flags();
  LoadedConfig config = loading.finish();
  report.problems = in_order_of_the_file(std::move(report.problems));
  if (has_error(report.problems)) return report;
  config.from_working_directory = file && file->from_working_directory;
  config.warnings = report.problems;
  report.config = std::move(config);
  return report;
}

}  // namespace

LoadRequest LoadRequest::of_this_process() {
  LoadRequest request;
  std::array<char, 4096> here{};
  if (::getcwd(here.data(), here.size()) != nullptr) request.working_directory = here.data();
  request.uid = ::geteuid();
  request.environment = process_environment();
  request.paths = default_paths();
  return request;
}

LoadReport try_load_config(const LoadRequest& request) {
  std::vector<Diagnostic> problems;
  auto file = find_file(request, problems);
  if (has_error(problems)) {
    const std::string path = problems.back().file;
    return {.file = path, .problems = std::move(problems)};
  }
  return load_found(file, request, std::move(problems));
}

Result<LoadedConfig> load_config(const LoadRequest& request) {
  LoadReport report = try_load_config(request);
  if (report.config) return std::move(*report.config);
  std::string text;
  for (const Diagnostic& problem : report.problems) {
    if (problem.severity != Severity::kError) continue;
    text += (text.empty() ? "" : "\n") + policy::to_text(problem);
  }
  return fail(std::move(text));
}

LoadReport parse_config(std::string_view text, const std::string& file,
                        const LoadRequest& request) {
  return load_found(FoundFile{file, std::string(text)}, request, {});
}

ServerConfig default_config(const DefaultPaths& paths, uid_t uid) {
  ServerConfig config;
  config.server.state_dir = paths.state_directory;
  config.server.unix_socket.path = paths.socket;
  // The machine's daemon is for a group of users, a user's own for nobody else.
  config.server.unix_socket.permissions = uid == 0 ? 0660 : 0600;
  config.policies.dir = paths.config_directory + "/policies";
  Schema schema(config);
  for (const Key& key : schema.keys()) {
    if (key.below_state != nullptr) *key.below_state = paths.state_directory + "/" + key.suffix;
  }
  return config;
}

}  // namespace agentsh::config
