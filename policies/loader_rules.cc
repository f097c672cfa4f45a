// file_rules, network_rules, command_rules, unix_socket_rules, registry_rules.
#include "policies/loader_sections.h"

#include <fmt/format.h>

#include <array>

namespace agentsh::policy::loader {
namespace {

constexpr std::array<std::string_view, kFileOperations> kFileWords = {
    "open", "read",  "write", "create",   "delete", "rmdir",   "mkdir",  "rename", "list",
    "stat", "chmod", "chown", "readlink", "link",   "symlink", "access", "mknod"};
constexpr std::array<std::string_view, 4> kSocketWords = {"connect", "bind", "listen", "sendto"};
constexpr std::array<std::string_view, 5> kRegistryWords = {"read", "write", "delete", "create",
                                                            "rename"};

void load_ports(YamlReader& reader, std::vector<std::uint16_t>& ports) {
  reader.each_item("ports", [&](YamlNode node, const std::string& path) {
    std::int64_t port = 0;
    if (node.text().find('-') != std::string_view::npos && !node.text().starts_with('-')) {
      reader.problems().error(node.where(), path,
                              fmt::format("\"{}\": ranges are not part of the language; list the "
                                          "ports one by one",
                                          node.text()));
    } else if (read_integer(node, path, reader.problems(), 1, 65535, port)) {
      ports.push_back(static_cast<std::uint16_t>(port));
    }
  });
}

// The network that an address with host bits set was probably meant to be.
std::string network_of(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return {};
  std::string best;
  for (int bit = 127; bit >= 0 && best.empty(); --bit) {
    auto bytes = address->bytes();
    const int width = address->is_v4() ? 32 : 128;
    for (int clear = bit; clear < 128; ++clear) {
      bytes[static_cast<std::size_t>(clear / 8)] &=
          static_cast<std::uint8_t>(~(0x80 >> (clear % 8)));
    }
    if (address->is_v4() && bit < 96) break;
    auto network = IpAddress::from_network(bytes.data() + (width == 32 ? 12 : 0),
                                           static_cast<std::size_t>(width / 8));
    auto candidate = network.to_string() + std::string(text.substr(slash));
    if (Cidr::parse(candidate)) best = candidate;
  }
  return best;
}

void load_cidrs(YamlReader& reader, std::vector<Cidr>& cidrs) {
  std::vector<LocatedText> written;
  if (!reader.texts("cidrs", written)) return;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (auto cidr = Cidr::parse(written[i].text)) {
      cidrs.push_back(*cidr);
      continue;
    }
    reader.problems().error(written[i].where, fmt::format("{}[{}]", reader.path_of("cidrs"), i),
                            fmt::format("\"{}\" is no network in CIDR notation such as "
                                        "10.0.0.0/8 or 2001:db8::/32",
                                        written[i].text),
                            network_of(written[i].text));
  }
}

// `tls: passthrough`, or `tls: {mode: passthrough}` as connect_redirects write it.
void load_tls(YamlReader& reader, bool& passthrough) {
  enum class Mode { kTerminate, kPassthrough };
  constexpr Word<Mode> kModes[] = {{"terminate", Mode::kTerminate},
                                   {"passthrough", Mode::kPassthrough}};
  Mode mode = Mode::kTerminate;
  if (reader.get("tls").is_map()) {
    reader.object("tls", [&](YamlReader& tls) { tls.word("mode", mode, kModes); });
  } else {
    reader.word("tls", mode, kModes);
  }
  passthrough = mode == Mode::kPassthrough;
}

void load_command_redirect(YamlReader& rule, CommandRule& out) {
  rule.object("redirect_to", [&](YamlReader& reader) {
    Redirect redirect;
    reader.text("command", redirect.target, Need::kRequired);
    reader.texts("args", redirect.arguments);
    reader.texts("args_append", redirect.arguments_append);
    reader.each_entry("environment", [&](YamlNode name, YamlNode value, const std::string& path) {
      std::string text;
      if (read_text(value, path, reader.problems(), text)) {
        redirect.environment.emplace_back(std::string(name.text()), std::move(text));
      }
    });
    out.redirect = std::move(redirect);
  });
}

// [direct], [nested], [direct, nested] or {min_depth, max_depth}.
void load_command_context(YamlReader& rule, CommandRule& out) {
  YamlNode node = rule.get("context");
  if (node.is_map()) {
    rule.object("context", [&](YamlReader& reader) {
      reader.integer("min_depth", out.min_depth, 0, 1'000'000);
      reader.integer("max_depth", out.max_depth, -1, 1'000'000);
    });
    if (out.max_depth >= 0 && out.max_depth < out.min_depth) {
      rule.error("context", "max_depth is below min_depth: the rule can never match");
    }
    return;
  }
  constexpr std::string_view kWords[] = {"direct", "nested"};
  const std::uint64_t mask = load_word_mask(rule, "context", kWords);
  out.min_depth = mask == 2 ? 1 : 0;
  out.max_depth = mask == 1 ? 0 : -1;
}

void load_command_environment(YamlReader& rule, CommandRule& out) {
  EnvironmentRules environment;
  bool any = load_environment_globs(rule, "env_allow", environment.allow);
  any |= load_environment_globs(rule, "env_deny", environment.deny);
  std::uint64_t number = 0;
  if (rule.integer("env_max_bytes", number)) environment.max_bytes = number, any = true;
  if (rule.integer("env_max_keys", number)) environment.max_keys = number, any = true;
  any |= rule.flag("env_block_iteration", environment.block_iteration);
  if (any) out.environment = std::move(environment);
}

}  // namespace

FileRule load_file_rule(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  FileRule rule;
  load_head(reader, path, rule);
  reader.mistaken("path", "several paths are listed", "paths");
  reader.mistaken("action", "unknown key", "decision");
  load_globs(reader, "paths", '/', LetterCase::kKept, rule.paths);
  rule.operations = FileOperationSet(load_word_mask(reader, "operations", kFileWords));
  reader.word("decision", rule.decision, kFileDecisions, Need::kRequired);
  reader.text("redirect_to", rule.redirect_to);
  reader.flag("preserve_tree", rule.preserve_tree);
  if (rule.decision == Decision::kRedirect && rule.redirect_to.empty()) {
    reader.error("redirect_to", "is missing: decision redirect needs a directory");
  }
  if (rule.decision != Decision::kRedirect && !rule.redirect_to.empty()) {
    reader.error("redirect_to", "has no effect unless the decision is redirect");
  }
  return rule;
}

NetworkRule load_network_rule(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  NetworkRule rule;
  load_head(reader, path, rule);
  reader.mistaken("destinations", "hosts are listed under domains, networks under cidrs",
                  "domains");
  reader.mistaken("hosts", "unknown key", "domains");
  reader.mistaken("action", "unknown key", "decision");
  reader.mistaken("redirect_to",
                  "a network rule has no target; write an entry of "
                  "connect_redirects or dns_redirects");
  load_globs(reader, "domains", '.', LetterCase::kLowered, rule.domains);
  load_ports(reader, rule.ports);
  load_cidrs(reader, rule.cidrs);
  load_tls(reader, rule.tls_passthrough);
  reader.word("decision", rule.decision, kRedirectDecisions, Need::kRequired);
  return rule;
}

CommandRule load_command_rule(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  CommandRule rule;
  load_head(reader, path, rule);
  reader.mistaken("args_pattern", "would leave the rule matching every argument", "args_patterns");
  reader.mistaken("command", "several commands are listed", "commands");
  reader.mistaken("action", "unknown key", "decision");
  load_globs(reader, "commands", kNoSeparator, LetterCase::kKept, rule.commands);
  std::vector<LocatedText> expressions;
  reader.texts("args_patterns", expressions);
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    auto pattern = compile_pattern(context, expressions[i],
                                   fmt::format("{}[{}]", reader.path_of("args_patterns"), i));
    if (!pattern) continue;
    rule.args_patterns.push_back(std::move(*pattern));
    rule.args_where.push_back(expressions[i].where);
  }
  reader.word("decision", rule.decision, kRedirectDecisions, Need::kRequired);
  load_command_redirect(reader, rule);
  load_command_context(reader, rule);
  load_command_environment(reader, rule);
  if (rule.decision == Decision::kRedirect && !rule.redirect) {
    reader.error("redirect_to", "is missing: decision redirect needs {command, args}");
  }
  if (rule.decision != Decision::kRedirect && rule.redirect) {
    reader.error("redirect_to", "has no effect unless the decision is redirect");
  }
  return rule;
}

UnixSocketRule load_unix_socket_rule(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  UnixSocketRule rule;
  load_head(reader, path, rule);
  load_globs(reader, "paths", '/', LetterCase::kKept, rule.paths);
  rule.operations = UnixSocketOperationSet(load_word_mask(reader, "operations", kSocketWords));
  reader.word("decision", rule.decision, kAccessDecisions, Need::kRequired);
  return rule;
}

RegistryRule load_registry_rule(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  RegistryRule rule;
  load_head(reader, path, rule);
  reader.texts("paths", rule.paths);
  load_word_mask(reader, "operations", kRegistryWords);
  reader.texts("operations", rule.operations);
  reader.word("decision", rule.decision, kAccessDecisions, Need::kRequired);
  reader.integer("priority", rule.priority);
  reader.duration("cache_ttl", rule.cache_ttl);
  reader.flag("notify", rule.notify);
  return rule;
}

}  // namespace agentsh::policy::loader
