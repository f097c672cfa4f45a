#include "appliance/client/completion.h"

#include <fmt/format.h>

namespace agentsh::client {
namespace {

constexpr std::string_view kWords =
    "exec wrap session kill output events approve policy db config audit dlp gateway usage proxy "
    "shim "
    "ca "
    "debug "
    "server completion";
constexpr std::pair<std::string_view, std::string_view> kSubcommands[] = {
    {"session", "create list info update attach logs publish destroy"},
    {"events", "query tail"},
    {"approve", "list resolve"},
    {"policy", "list show validate lint explain test keygen sign verify db"},
    {"db", "classify"},
    {"config", "show validate"},
    {"audit", "verify chain"},
    {"dlp", "scan redact restore detectors"},
    {"gateway", "keys"},
    {"shim", "install-shell uninstall-shell status"},
    {"proxy", "status"},
    {"ca", "export rotate"},
    {"debug", "stats pending policy-test"},
    {"completion", "bash zsh fish"},
};

std::string bash() {
  std::string text =
      "_agentsh() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n";
  text += fmt::format("    words='{} --help --version'\n", kWords);
  text +=
      "  elif [ \"$COMP_CWORD\" = 2 ]; then\n"
      "    case ${COMP_WORDS[1]} in\n";
  for (const auto& [verb, words] : kSubcommands)
    text += fmt::format("      {}) words='{}' ;;\n", verb, words);
  text +=
      "      exec) words=$(agentsh session list 2>/dev/null | sed -n 's/^ *\"id\": "
      "\"\\(.*\\)\",$/\\1/p') ;;\n"
      "    esac\n"
      "  fi\n"
      "  [ -n \"$words\" ] && COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "}\n"
      "complete -o default -F _agentsh agentsh\n";
  return text;
}

std::string zsh() {
  std::string text = "#compdef agentsh\n_agentsh() {\n  if (( CURRENT == 2 )); then\n";
  text += fmt::format("    compadd {}\n  elif (( CURRENT == 3 )); then\n    case $words[2] in\n",
                      kWords);
  for (const auto& [verb, words] : kSubcommands)
    text += fmt::format("      {}) compadd {} ;;\n", verb, words);
  return text +
         "      *) _files ;;\n    esac\n  else\n    _files\n  fi\n}\ncompdef _agentsh agentsh\n";
}

std::string fish() {
  std::string text =
      fmt::format("complete -c agentsh -n __fish_use_subcommand -f -a '{}'\n", kWords);
  for (const auto& [verb, words] : kSubcommands) {
    text += fmt::format("complete -c agentsh -n '__fish_seen_subcommand_from {}' -f -a '{}'\n",
                        verb, words);
  }
  return text;
}

}  // namespace

int run_completion(Arguments arguments) {
  const std::string shell = arguments.size() == 1 ? arguments.front() : "";
  const std::string script = shell == "bash"   ? bash()
                             : shell == "zsh"  ? zsh()
                             : shell == "fish" ? fish()
                                               : "";
  if (script.empty()) {
    return report("completion: say bash, zsh or fish, as in: source <(agentsh completion bash)");
  }
  fmt::print("{}", script);
  return 0;
}

}  // namespace agentsh::client
