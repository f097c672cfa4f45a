#include "policies/policy_store.h"

#include "base/file_io.h"
#include "policies/expansion.h"
#include "policies/loader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace agentsh::policy {
namespace {

constexpr std::size_t kPolicyFileLimit = 8 << 20;
constexpr std::size_t kSignatureFileLimit = 4 << 10;
constexpr std::string_view kExtensions[] = {".yaml", ".yml"};

bool is_policy_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

Result<> check_owner(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(errno_error("stat", path));
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return fail(fmt::format("{} belongs to uid {}; a policy must belong to root or to uid {}", path,
                            status.st_uid, ::geteuid()),
                std::errc::permission_denied);
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(fmt::format("{} can be written by others than its owner (mode {:04o})", path,
                            status.st_mode & 07777U),
                std::errc::permission_denied);
  }
  return {};
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Result<std::string> PolicyStore::find(std::string_view name) const {
  if (!is_policy_name(name)) {
    return fail(
        fmt::format("\"{}\" is no name of a policy: letters, digits, \"_\" and \"-\" only", name));
  }
  for (const std::string& directory : options_.directories) {
    for (std::string_view extension : kExtensions) {
      std::string path = fmt::format("{}/{}{}", directory, name, extension);
      std::error_code ignored;
      if (std::filesystem::is_regular_file(path, ignored)) return path;
    }
  }
  std::vector<std::string> names;
  for (const PolicyListing& listing : list()) names.push_back(listing.name);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  std::string message =
      fmt::format("there is no policy \"{}\" in {}", name, fmt::join(options_.directories, ", "));
  if (auto near = closest_word(name, candidates)) {
    message += fmt::format("; did you mean \"{}\"?", *near);
  } else if (!names.empty()) {
    message += fmt::format("; there are {}", fmt::join(names, ", "));
  }
  return fail(std::move(message), std::errc::no_such_file_or_directory);
}

std::vector<PolicyListing> PolicyStore::list() const {
  std::map<std::string, PolicyListing> found;
  for (const std::string& directory : options_.directories) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      const std::filesystem::path& path = it->path();
      const std::string name = path.stem().string();
      const bool policy =
          std::ranges::find(kExtensions, path.extension().string()) != std::end(kExtensions);
      if (!policy || !is_policy_name(name) || found.contains(name)) continue;
      PolicyListing listing{.name = name, .path = path.string()};
      auto text = read_file(listing.path, kPolicyFileLimit);
      if (!text) {
        listing.error = text.error().what;
      } else {
        Diagnostics problems(listing.path);
        auto loaded = load_policy(*text, problems);
        if (loaded) listing.description = first_line(loaded->description);
        if (!loaded) listing.error = problems.to_error().what;
      }
      found.emplace(name, std::move(listing));
    }
  }
  std::vector<PolicyListing> result;
  for (auto& [name, listing] : found) result.push_back(std::move(listing));
  return result;
}

Result<> PolicyStore::check_signature(const std::string& path, std::string_view text,
                                      std::vector<Diagnostic>& warnings) const {
  if (options_.signing == SigningMode::kOff) return {};
  auto signature = read_file(signature_path(path), kSignatureFileLimit);
  Result<> good;
  if (!signature) {
    good = fail(fmt::format("{} is not signed: there is no {}", path, signature_path(path)),
                std::errc::permission_denied);
  } else if (auto signer = verify_with_trust_store(text, *signature, options_.trust_store);
             !signer) {
    good = std::unexpected(with_context(signer.error(), path));
  }
  if (good || options_.signing == SigningMode::kEnforce) return good;
  warnings.push_back({.severity = Severity::kWarning, .file = path, .message = good.error().what});
  return {};
}

Result<std::shared_ptr<PolicyStore::Source>> PolicyStore::load(std::string_view name) const {
  auto path = find(name);
  if (!path) return std::unexpected(path.error());
  if (options_.require_trusted_owner) {
    if (auto good = check_owner(*path); !good) return std::unexpected(good.error());
  }
  auto text = read_file(*path, kPolicyFileLimit);
  if (!text) return std::unexpected(text.error());
  auto source = std::make_shared<Source>();
  if (auto good = check_signature(*path, *text, source->warnings); !good) {
    return std::unexpected(good.error());
  }
  Diagnostics problems(*path);
  auto policy = load_policy(*text, problems);
  if (!policy) return std::unexpected(problems.to_error());
  const auto& found = problems.sorted();
  source->warnings.insert(source->warnings.end(), found.begin(), found.end());
  const auto variables = variables_of(*policy);
  source->variables.assign(variables.begin(), variables.end());
  source->path = std::move(*path);
  source->text = std::move(*text);
  source->policy = std::move(*policy);
  return source;
}

Result<PolicyStore::Compiled> PolicyStore::compile(Source& source, const Variables& variables) {
  std::vector<std::string> values;
  for (const std::string& name : source.variables) {
    auto value = variables.find(name);
    values.push_back(value ? "=" + std::string(*value) : "-");
  }
  std::lock_guard lock(source.compiling);
  if (auto known = source.compiled.find(values); known != source.compiled.end()) {
    return known->second;
  }
  auto compiled = CompiledPolicy::compile(source.policy, variables);
  if (!compiled) return std::unexpected(compiled.error());
  // Sessions hold what they use; the rest can be made again.
  if (source.compiled.size() >= kMaximumCompiled) source.compiled.clear();
  source.compiled.emplace(std::move(values), *compiled);
  return *compiled;
}

Result<PolicyStore::Compiled> PolicyStore::get(std::string_view name, const Variables& variables) {
  std::shared_ptr<Source> source;
  {
    std::lock_guard lock(mutex_);
    if (auto known = sources_.find(name); known != sources_.end()) source = known->second;
  }
  if (source == nullptr) {
    auto loaded = load(name);
    if (!loaded) return std::unexpected(loaded.error());
    std::lock_guard lock(mutex_);
    source = sources_.emplace(std::string(name), std::move(*loaded)).first->second;
  }
  return compile(*source, variables);
}

Result<bool> PolicyStore::reload(std::string_view name) {
  auto loaded = load(name);
  if (!loaded) return std::unexpected(loaded.error());
  std::lock_guard lock(mutex_);
  std::shared_ptr<Source>& current = sources_[std::string(name)];
  if (current != nullptr && current->text == (*loaded)->text && current->path == (*loaded)->path) {
    return false;
  }
  current = std::move(*loaded);
  return true;
}

std::vector<std::pair<std::string, Result<bool>>> PolicyStore::reload_all() {
  std::vector<std::string> names;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, source] : sources_) names.push_back(name);
  }
  std::vector<std::pair<std::string, Result<bool>>> outcomes;
  for (std::string& name : names) {
    auto outcome = reload(name);
    outcomes.emplace_back(std::move(name), std::move(outcome));
  }
  return outcomes;
}

std::vector<Diagnostic> PolicyStore::warnings(std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto known = sources_.find(name);
  return known == sources_.end() ? std::vector<Diagnostic>{} : known->second->warnings;
}

}  // namespace agentsh::policy
