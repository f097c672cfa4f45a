#include "policies/environment.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

constexpr std::string_view kDefaultDenied[] = {
    // Credentials of clouds and tools.
    "AWS_*", "GOOGLE_*", "GCP_*", "GCLOUD_*", "CLOUDSDK_*", "AZURE_*", "ARM_CLIENT_*",
    "DIGITALOCEAN_*", "DO_API_*", "LINODE_*", "VULTR_*", "HCLOUD_*", "OCI_*", "ALIBABA_CLOUD_*",
    "KUBECONFIG", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "VAULT_TOKEN",
    "CONSUL_HTTP_TOKEN", "NOMAD_TOKEN", "TF_TOKEN_*", "GITHUB_TOKEN", "GH_TOKEN",
    "GH_ENTERPRISE_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "BITBUCKET_*", "NPM_TOKEN",
    "NODE_AUTH_TOKEN", "PYPI_TOKEN", "TWINE_*", "CARGO_REGISTRY_TOKEN", "HOMEBREW_GITHUB_API_TOKEN",
    "PGPASSWORD", "MYSQL_PWD", "REDISCLI_AUTH", "SSH_AUTH_SOCK", "SSH_ASKPASS", "GPG_AGENT_INFO",
    // Hooks into loaders and interpreters: code that runs before the program that was allowed.
    "LD_*", "DYLD_*", "GCONV_PATH", "GLIBC_TUNABLES", "PYTHON*", "RUBY*", "PERL5*", "NODE_OPTIONS",
    "NODE_PATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS",
    "PROMPT_COMMAND", "BASH_FUNC_*", "GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND"};

GlobIndex index_of(std::span<const std::string> globs) {
  std::vector<GlobIndex::Entry> entries;
  for (const std::string& text : globs) {
    // The loader has checked them; one that is none matches nothing.
    if (auto glob = Glob::parse(text, kNoSeparator)) entries.push_back({std::move(*glob), 0});
  }
  return GlobIndex(std::move(entries), 1);
}

}  // namespace

std::span<const std::string_view> default_denied_variables() {
  return kDefaultDenied;
}

EnvironmentFilter::EnvironmentFilter(const EnvironmentRules& rules,
                                     std::span<const Variable> inject)
    : inject_(inject.begin(), inject.end()),
      max_bytes_(rules.max_bytes),
      max_keys_(rules.max_keys),
      block_iteration_(rules.block_iteration) {
  std::vector<std::string> allow = rules.allow;
  std::vector<std::string> deny = rules.deny;
  if (allow.empty()) {
    allow.emplace_back("*");
    deny.insert(deny.end(), std::begin(kDefaultDenied), std::end(kDefaultDenied));
  }
  allowed_ = index_of(allow);
  denied_ = index_of(deny);
}

bool EnvironmentFilter::allows(std::string_view name) const {
  if (name.starts_with("AGENTSH_")) return true;
  return !allowed_.match(name).empty() && denied_.match(name).empty();
}

Result<EnvironmentFilter::Outcome> EnvironmentFilter::apply(
    std::span<const Variable> requested) const {
  Outcome outcome;
  std::uint64_t bytes = 0;
  for (const Variable& variable : requested) {
    if (!allows(variable.first)) {
      outcome.removed.push_back(variable.first);
      continue;
    }
    bytes += variable.first.size() + variable.second.size() + 2;
    outcome.variables.push_back(variable);
  }
  if (max_keys_ && outcome.variables.size() > *max_keys_) {
    return fail(fmt::format("the environment has {} variables, env_policy allows {}",
                            outcome.variables.size(), *max_keys_),
                std::errc::argument_list_too_long);
  }
  if (max_bytes_ && bytes > *max_bytes_) {
    return fail(
        fmt::format("the environment has {} bytes, env_policy allows {}", bytes, *max_bytes_),
        std::errc::argument_list_too_long);
  }
  for (const Variable& variable : inject_) {
    std::erase_if(outcome.variables,
                  [&](const Variable& other) { return other.first == variable.first; });
    outcome.variables.push_back(variable);
  }
  return outcome;
}

}  // namespace agentsh::policy
