// http_services, providers, mcp_rules, package_rules.
#include "base/domain.h"
#include "policies/loader_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace agentsh::policy::loader {
namespace {

constexpr std::size_t kShortestPlaceholder = 24;

bool is_service_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string default_variable(std::string_view service, std::string_view ending) {
  std::string name;
  for (char c : service) {
    if (c >= 'a' && c <= 'z') {
      name += static_cast<char>(c - 'a' + 'A');
    } else {
      name += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    }
  }
  return name.append(ending);
}

bool load_upstream(YamlReader& reader, HttpService& service) {
  if (!reader.text("upstream", service.upstream, Need::kRequired)) return false;
  constexpr std::string_view kScheme = "https://";
  std::string_view rest = service.upstream;
  if (!rest.starts_with(kScheme)) {
    reader.error("upstream", fmt::format("\"{}\" must begin with https://", service.upstream));
    return false;
  }
  rest.remove_prefix(kScheme.size());
  auto host = split_host_port(rest.substr(0, rest.find('/')), 443);
  auto name = host ? canonical_host(host->host) : std::nullopt;
  if (!name && !(host && IpAddress::parse(host->host))) {
    reader.error("upstream", fmt::format("\"{}\" names no host", service.upstream));
    return false;
  }
  service.host = name.value_or(host->host);
  return true;
}

void check_variable(YamlReader& reader, const std::string& name) {
  constexpr std::string_view kReserved[] = {"ANTHROPIC_BASE_URL", "OPENAI_BASE_URL",
                                            "AGENTSH_SESSION_ID"};
  if (std::ranges::find(kReserved, name) != std::end(kReserved)) {
    reader.error("expose_as", fmt::format("\"{}\" is reserved", name));
  }
  const bool good =
      !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
      });
  if (!good) reader.error("expose_as", fmt::format("\"{}\" is no variable's name", name));
}

void load_secret(YamlReader& rule, HttpService& service) {
  rule.object("secret", [&](YamlReader& reader) {
    ServiceSecret secret;
    if (reader.text("ref", secret.ref, Need::kRequired)) check_reference(reader, "ref", secret.ref);
    secret.expose_as = default_variable(service.name, "_API_KEY");
    if (reader.text("expose_as", secret.expose_as)) check_variable(reader, secret.expose_as);
    if (reader.text("format", secret.format, Need::kRequired)) {
      const std::size_t open = secret.format.find("{rand:");
      const std::size_t close = secret.format.find('}', open);
      std::size_t length = 0;
      bool good = open != std::string::npos && close == secret.format.size() - 1;
      if (good) {
        const char* first = secret.format.data() + open + 6;
        const char* last = secret.format.data() + close;
        auto [end, error] = std::from_chars(first, last, length);
        good = error == std::errc{} && end == last && length <= 4096;
      }
      if (!good) {
        reader.error("format", "must be a prefix and {rand:N}, such as ghp_{rand:36}");
      } else if (length < kShortestPlaceholder) {
        reader.error("format", fmt::format("{{rand:{}}} is too short: at least {}", length,
                                           kShortestPlaceholder));
      }
      secret.random_length = length;
    }
    service.secret = std::move(secret);
  });
}

void load_service_rule(Context& context, YamlNode node, const std::string& path,
                       HttpService& service) {
  YamlReader reader(node, path, context.problems);
  HttpServiceRule rule;
  rule.where = reader.where();
  reader.text("name", rule.name, Need::kRequired);
  reader.text("message", rule.message);
  reader.texts("methods", rule.methods);
  for (std::string& method : rule.methods) {
    for (char& c : method) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
  }
  if (std::ranges::find(rule.methods, "*") != rule.methods.end()) rule.methods.clear();
  load_globs(reader, "paths", '/', LetterCase::kKept, rule.paths);
  reader.word("decision", rule.decision, kAuditedDecisions, Need::kRequired);
  std::chrono::nanoseconds timeout{};
  if (reader.duration("timeout", timeout)) rule.timeout = timeout;
  service.rules.push_back(std::move(rule));
}

void load_aliases(YamlReader& reader, HttpService& service) {
  std::vector<LocatedText> aliases;
  reader.texts("aliases", aliases);
  for (const LocatedText& alias : aliases) {
    auto name = canonical_host(alias.text);
    if (name) {
      service.aliases.push_back(*name);
    } else {
      reader.problems().error(alias.where, reader.path_of("aliases"),
                              fmt::format("\"{}\" is no host name", alias.text));
    }
  }
}

void load_injection(YamlReader& rule, HttpService& service) {
  rule.object("inject", [&](YamlReader& inject) {
    inject.object("header", [&](YamlReader& reader) {
      reader.text("name", service.inject_header, Need::kRequired);
      if (reader.text("template", service.inject_template, Need::kRequired) &&
          service.inject_template.find("{{secret}}") == std::string::npos) {
        reader.error("template", "must contain {{secret}}");
      }
    });
  });
  if (!service.inject_header.empty() && !service.secret) {
    rule.error("inject", "needs a secret");
  }
}

HttpService load_service(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  HttpService service;
  service.where = reader.where();
  if (reader.text("name", service.name, Need::kRequired) && !is_service_name(service.name)) {
    reader.error("name", fmt::format("\"{}\" may hold letters, digits, \".\", \"_\" and \"-\" only",
                                     service.name));
  }
  load_upstream(reader, service);
  load_aliases(reader, service);
  service.expose_as = default_variable(service.name, "_API_URL");
  if (reader.text("expose_as", service.expose_as)) check_variable(reader, service.expose_as);
  reader.flag("allow_direct", service.allow_direct);
  reader.each_item("rules", [&](YamlNode rule, const std::string& rule_path) {
    load_service_rule(context, rule, rule_path, service);
  });
  load_secret(reader, service);
  load_injection(reader, service);
  service.default_allow = service.secret && service.rules.empty();
  constexpr Word<bool> kDefaults[] = {{"allow", true}, {"deny", false}};
  reader.word("default", service.default_allow, kDefaults);
  service.scrub_response = service.secret.has_value();
  reader.flag("scrub_response", service.scrub_response);
  if (!service.secret && service.rules.empty()) {
    reader.error("rules", "a service needs a secret or rules");
  }
  return service;
}

// Names are unique ignoring case, hosts over all services and their aliases.
void check_uniqueness(Context& context, const Policy& policy) {
  std::set<std::string> names;
  std::set<std::string> hosts;
  for (std::size_t i = 0; i < policy.http_services.size(); ++i) {
    const HttpService& service = policy.http_services[i];
    const std::string key = fmt::format("http_services[{}]", i);
    if (!names.insert(lower_case(service.name)).second) {
      context.problems.error(service.where, key + ".name",
                             fmt::format("\"{}\" is the name of another service", service.name));
    }
    std::vector<std::string> all = service.aliases;
    all.push_back(service.host);
    for (const std::string& host : all) {
      if (host.empty() || hosts.insert(host).second) continue;
      context.problems.error(service.where, key,
                             fmt::format("host \"{}\" belongs to another service", host));
    }
  }
}

// Nested options by their path: "auth.method".
void add_options(SecretProvider& provider, const std::string& path, YamlNode option) {
  if (!option.is_map()) {
    provider.options.emplace_back(path, std::string(option.text()));
    return;
  }
  for (std::size_t i = 0; i < option.size(); ++i) {
    auto [key, value] = option.entry(i);
    add_options(provider, fmt::format("{}.{}", path, key.text()), value);
  }
}

void load_providers(YamlReader& root, Policy& policy) {
  constexpr Word<std::string_view> kTypes[] = {{"keyring", "keyring"},   {"vault", "vault"},
                                               {"aws-sm", "aws-sm"},     {"gcp-sm", "gcp-sm"},
                                               {"azure-kv", "azure-kv"}, {"op", "op"}};
  root.each_entry("providers", [&](YamlNode name, YamlNode value, const std::string& path) {
    SecretProvider provider;
    provider.name = std::string(name.text());
    provider.where = name.where();
    if (!value.is_map()) {
      root.problems().error(value.where(), path, "must be a map with a type");
      return;
    }
    YamlReader reader(value, path, root.problems());
    std::string_view type;
    reader.word("type", type, kTypes, Need::kRequired);
    provider.type = std::string(type);
    if (!type.empty() && type != "vault") {
      reader.error("type", fmt::format("{} is not among this version's providers: vault (and env:, "
                                       "file: and exec: need none)",
                                       type));
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      auto [key, option] = value.entry(i);
      if (key.text() == "type") continue;
      reader.get(key.text());  // Options belong to the provider, which checks them.
      add_options(provider, std::string(key.text()), option);
    }
    const bool twice = std::ranges::any_of(
        policy.providers, [&](const SecretProvider& other) { return other.type == provider.type; });
    if (twice && !provider.type.empty()) {
      reader.error("type", fmt::format("there is a provider of type {} already", provider.type));
    }
    policy.providers.push_back(std::move(provider));
  });
}

}  // namespace

// Where secrets can be: places of this version, and of the reference's which it does not have.
void check_reference(YamlReader& reader, std::string_view key, const std::string& ref) {
  constexpr std::string_view kKnown[] = {"env", "file", "exec", "vault"};
  constexpr std::string_view kElsewhere[] = {"keyring", "aws-sm", "gcp-sm", "azure-kv", "op"};
  const std::string_view scheme = std::string_view(ref).substr(0, ref.find(':'));
  if (std::ranges::find(kKnown, scheme) != std::end(kKnown) && scheme.size() < ref.size()) return;
  if (std::ranges::find(kElsewhere, scheme) != std::end(kElsewhere)) {
    reader.error(key, fmt::format("{} is not among this version's sources of secrets: env, "
                                  "file, exec, vault",
                                  scheme));
    return;
  }
  reader.error(key,
               "must be a reference such as vault://kv/data/github#token, file:/path, "
               "env:NAME or exec:/path");
}

void load_http_services(Context& context, YamlReader& root, Policy& policy) {
  load_providers(root, policy);
  root.each_item("http_services", [&](YamlNode node, const std::string& path) {
    policy.http_services.push_back(load_service(context, node, path));
  });
  check_uniqueness(context, policy);
}

}  // namespace agentsh::policy::loader
