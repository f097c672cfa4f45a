// Internal to the loader: what its files share. Each load_* reads one section of the policy, or one
// element of one.
#pragma once

#include "policies/glob.h"
#include "policies/model.h"
#include "policies/yaml_reader.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::policy::loader {

// What is shared by the sections of one load.
struct Context {
  Diagnostics& problems;
  // The same expression is often written many times.
  std::unordered_map<std::string, Pattern> patterns;
};

inline constexpr Word<Decision> kAccessDecisions[] = {
    {"allow", Decision::kAllow}, {"deny", Decision::kDeny}, {"approve", Decision::kApprove}};
inline constexpr Word<Decision> kAuditedDecisions[] = {{"allow", Decision::kAllow},
                                                       {"deny", Decision::kDeny},
                                                       {"approve", Decision::kApprove},
                                                       {"audit", Decision::kAudit}};
inline constexpr Word<Decision> kRedirectDecisions[] = {{"allow", Decision::kAllow},
                                                        {"deny", Decision::kDeny},
                                                        {"approve", Decision::kApprove},
                                                        {"audit", Decision::kAudit},
                                                        {"redirect", Decision::kRedirect}};
inline constexpr Word<Decision> kFileDecisions[] = {
    {"allow", Decision::kAllow},     {"deny", Decision::kDeny},
    {"approve", Decision::kApprove}, {"redirect", Decision::kRedirect},
    {"audit", Decision::kAudit},     {"soft_delete", Decision::kSoftDelete}};
inline constexpr Word<Decision> kSignalDecisions[] = {
    {"allow", Decision::kAllow},       {"deny", Decision::kDeny},
    {"audit", Decision::kAudit},       {"approve", Decision::kApprove},
    {"redirect", Decision::kRedirect}, {"absorb", Decision::kAbsorb}};

// `name`, `description`, `message`, `timeout`. `fallback_name` is used where no name is written.
void load_head(YamlReader& reader, std::string_view fallback_name, RuleHead& head);

// Globs under `key`, variables still in them; each is checked. `lower`: letter case is dropped.
enum class LetterCase { kKept, kLowered };
void load_globs(YamlReader& reader, std::string_view key, char separator, LetterCase letters,
                std::vector<LocatedText>& out, Need need = Need::kOptional);

// Regular expressions.
std::optional<Pattern> compile_pattern(Context& context, const LocatedText& text,
                                       std::string_view key);
bool load_pattern(Context& context, YamlReader& reader, std::string_view key,
                  std::optional<Pattern>& out, Need need);

// A list of words of a fixed vocabulary as a mask with one bit for each; "*", an empty list and no
// list are all of them. Letter case is free.
std::uint64_t load_word_mask(YamlReader& reader, std::string_view key,
                             std::span<const std::string_view> words);

void load_environment_rules(YamlReader& reader, EnvironmentRules& out);
// Globs of names of environment variables.
bool load_environment_globs(YamlReader& reader, std::string_view key,
                            std::vector<std::string>& out);

FileRule load_file_rule(Context& context, YamlNode node, const std::string& path);
NetworkRule load_network_rule(Context& context, YamlNode node, const std::string& path);
CommandRule load_command_rule(Context& context, YamlNode node, const std::string& path);
UnixSocketRule load_unix_socket_rule(Context& context, YamlNode node, const std::string& path);
RegistryRule load_registry_rule(Context& context, YamlNode node, const std::string& path);
SignalRule load_signal_rule(Context& context, YamlNode node, const std::string& path);

void load_redirects(Context& context, YamlReader& root, Policy& policy);
void load_settings(YamlReader& root, Policy& policy);
void load_http_services(Context& context, YamlReader& root, Policy& policy);
// Says what is wrong with a reference to a secret under `key`, if anything is.
void check_reference(YamlReader& reader, std::string_view key, const std::string& ref);
void load_mcp_rules(YamlReader& root, Policy& policy);
void load_package_rules(YamlReader& root, Policy& policy);
void load_processes(Context& context, YamlReader& root, Policy& policy);
void load_database(Context& context, YamlReader& root, Policy& policy);
// The keys of a db_services entry that say how its logins go.
void load_database_login(YamlReader& reader, DbService& service);

std::string lower_case(std::string_view text);

}  // namespace agentsh::policy::loader
