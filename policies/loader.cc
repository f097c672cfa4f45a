#include "policies/loader.h"

#include "policies/loader_sections.h"
#include "policies/variables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace agentsh::policy {
namespace loader {

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

void load_head(YamlReader& reader, std::string_view fallback_name, RuleHead& head) {
  head.where = reader.where();
  head.name = std::string(fallback_name);
  reader.text("name", head.name);
  reader.text("description", head.description);
  reader.text("message", head.message);
  std::chrono::nanoseconds timeout{};
  if (reader.duration("timeout", timeout)) head.timeout = timeout;
}

void load_globs(YamlReader& reader, std::string_view key, char separator, LetterCase letters,
                std::vector<LocatedText>& out, Need need) {
  std::vector<LocatedText> written;
  if (!reader.texts(key, written, need)) return;
  for (std::size_t i = 0; i < written.size(); ++i) {
    LocatedText& glob = written[i];
    const auto where = fmt::format("{}[{}]", reader.path_of(key), i);
    auto without_variables = replace_variables(glob.text, "x");
    if (!without_variables) {
      reader.problems().error(glob.where, where, without_variables.error().what);
      continue;
    }
    if (glob.text == "[" && key == "commands") continue;  // A program, as `test`.
    auto parsed = Glob::parse(*without_variables, separator);
    if (glob.text.empty()) {
      reader.problems().error(glob.where, where, "must not be empty");
    } else if (!parsed) {
      reader.problems().error(glob.where, where,
                              fmt::format("\"{}\" is no glob: {}", glob.text, parsed.error().what));
    } else if (letters == LetterCase::kLowered && glob.text.find("${") == std::string::npos) {
      glob.text = lower_case(glob.text);
    }
  }
  out = std::move(written);
}

std::optional<Pattern> compile_pattern(Context& context, const LocatedText& text,
                                       std::string_view key) {
  if (auto known = context.patterns.find(text.text); known != context.patterns.end()) {
    return known->second;
  }
  auto pattern = Pattern::compile(text.text);
  if (!pattern) {
    context.problems.error(
        text.where, key,
        fmt::format("\"{}\" is no regular expression: {}", text.text, pattern.error().what),
        expression_for_glob(text.text).value_or(""));
    return {};
  }
  return context.patterns.emplace(text.text, std::move(*pattern)).first->second;
}

bool load_pattern(Context& context, YamlReader& reader, std::string_view key,
                  std::optional<Pattern>& out, Need need) {
  std::string text;
  if (!reader.text(key, text, need)) return false;
  out = compile_pattern(context, {text, reader.get(key).where()}, reader.path_of(key));
  return out.has_value();
}

std::uint64_t load_word_mask(YamlReader& reader, std::string_view key,
                             std::span<const std::string_view> words) {
  const std::uint64_t all = (std::uint64_t{1} << words.size()) - 1;
  std::vector<LocatedText> written;
  if (!reader.texts(key, written) || written.empty()) return all;
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const std::string word = lower_case(written[i].text);
    const auto found = std::ranges::find(words, word);
    if (word == "*") {
      mask = all;
    } else if (found != words.end()) {
      mask |= std::uint64_t{1} << (found - words.begin());
    } else {
      reader.problems().error(
          written[i].where, fmt::format("{}[{}]", reader.path_of(key), i),
          fmt::format("\"{}\" is not one of {}, *", written[i].text, fmt::join(words, ", ")),
          std::string(closest_word(word, words).value_or("")));
    }
  }
  return mask;
}

}  // namespace loader

namespace {

using namespace loader;

void load_metadata(YamlReader& root, Policy& policy) {
  root.each_item("metadata", [&](YamlNode node, const std::string& path) {
    YamlReader reader(node, path, root.problems());
    RuleMetadata& label = policy.metadata.emplace_back();
    reader.text("rule_name", label.rule_name, Need::kRequired);
    reader.text("source", label.source, Need::kRequired);
    reader.text("db_service", label.db_service);
    reader.text("bypass_mode", label.bypass_mode);
    reader.text("destination", label.destination);
  });
}

template <class Rule>
void load_rules(Context& context, YamlReader& root, std::string_view section,
                Rule (*load)(Context&, YamlNode, const std::string&), std::vector<Rule>& out) {
  root.each_item(section, [&](YamlNode node, const std::string& path) {
    out.push_back(load(context, node, path));
  });
}

// Keys that documentation elsewhere, older versions or habit suggest.
void answer_mistaken_keys(YamlReader& root) {
  root.mistaken("services", "upstream services are declared under another key", "http_services");
  root.mistaken("dns_redirect", "unknown key", "dns_redirects");
  root.mistaken("connect_redirect", "unknown key", "connect_redirects");
  root.mistaken("rules",
                "rules are listed under file_rules, network_rules, command_rules, "
                "unix_socket_rules or signal_rules");
  root.mistaken("signal_filter", "unknown key", "signal_rules");
}

void load_root(Context& context, YamlReader& root, Policy& policy) {
  answer_mistaken_keys(root);
  if (root.require("version").exists()) root.integer("version", policy.version, 1, 1'000'000);
  root.text("name", policy.name, Need::kRequired);
  root.text("description", policy.description);
  load_metadata(root, policy);
  load_rules(context, root, "file_rules", load_file_rule, policy.file_rules);
  load_rules(context, root, "network_rules", load_network_rule, policy.network_rules);
  load_rules(context, root, "command_rules", load_command_rule, policy.command_rules);
  load_rules(context, root, "unix_socket_rules", load_unix_socket_rule, policy.unix_socket_rules);
  load_rules(context, root, "registry_rules", load_registry_rule, policy.registry_rules);
  load_rules(context, root, "signal_rules", load_signal_rule, policy.signal_rules);
  load_redirects(context, root, policy);
  load_settings(root, policy);
  load_http_services(context, root, policy);
  load_mcp_rules(root, policy);
  load_package_rules(root, policy);
  load_processes(context, root, policy);
  load_database(context, root, policy);
}

}  // namespace

std::optional<Policy> load_policy(std::string_view yaml, Diagnostics& problems) {
  auto document = YamlDocument::parse(yaml, problems);
  if (!document) return {};
  Policy policy;
  policy.file = problems.file();
  Context context{problems, {}};
  if (document->root().empty()) {
    problems.error({}, "", "is empty; a policy has at least version and name");
  } else {
    YamlReader root(document->root(), "", problems);
    load_root(context, root, policy);
  }
  if (!problems.ok()) return {};
  return policy;
}

}  // namespace agentsh::policy
