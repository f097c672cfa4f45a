// signal_rules.
#include "policies/loader_sections.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <csignal>

namespace agentsh::policy::loader {
namespace {

struct SignalName {
  std::string_view name;
  int number;
};

constexpr SignalName kSignals[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},
    {"TRAP", SIGTRAP},     {"ABRT", SIGABRT},   {"IOT", SIGABRT},  {"BUS", SIGBUS},
    {"FPE", SIGFPE},       {"KILL", SIGKILL},   {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},
    {"USR2", SIGUSR2},     {"PIPE", SIGPIPE},   {"ALRM", SIGALRM}, {"TERM", SIGTERM},
    {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},   {"CLD", SIGCHLD},  {"CONT", SIGCONT},
    {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},
    {"URG", SIGURG},       {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM},
    {"PROF", SIGPROF},     {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"POLL", SIGIO},
    {"PWR", SIGPWR},       {"SYS", SIGSYS}};

struct SignalGroup {
  std::string_view name;
  std::array<int, 5> signals;  // 0 pads.
};

constexpr SignalGroup kGroups[] = {{"@fatal", {SIGKILL, SIGTERM, SIGQUIT, SIGABRT}},
                                   {"@job", {SIGSTOP, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU}},
                                   {"@reload", {SIGHUP, SIGUSR1, SIGUSR2}},
                                   {"@ignore", {SIGCHLD, SIGURG, SIGWINCH}}};

constexpr Word<SignalTargetType> kTargets[] = {{"self", SignalTargetType::kSelf},
                                               {"children", SignalTargetType::kChildren},
                                               {"descendants", SignalTargetType::kDescendants},
                                               {"siblings", SignalTargetType::kSiblings},
                                               {"session", SignalTargetType::kSession},
                                               {"parent", SignalTargetType::kParent},
                                               {"external", SignalTargetType::kExternal},
                                               {"system", SignalTargetType::kSystem},
                                               {"user", SignalTargetType::kUser},
                                               {"process", SignalTargetType::kProcess},
                                               {"pid_range", SignalTargetType::kPidRange}};

constexpr int kHighestSignal = 63;

// A name with or without SIG, or a number; 0 for anything else.
int parse_signal(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) {
    return number >= 1 && number <= kHighestSignal ? number : 0;
  }
  std::string name = lower_case(text);
  if (name.starts_with("sig")) name.erase(0, 3);
  for (const SignalName& signal : kSignals) {
    if (lower_case(signal.name) == name) return signal.number;
  }
  return 0;
}

std::string nearest_signal(std::string_view text) {
  std::vector<std::string> names;
  for (const SignalName& signal : kSignals) names.push_back(fmt::format("SIG{}", signal.name));
  for (const SignalGroup& group : kGroups) names.emplace_back(group.name);
  names.emplace_back("@all");
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return std::string(closest_word(text, candidates).value_or(""));
}

bool add_signals(std::string_view text, std::bitset<65>& signals) {
  const std::string word = lower_case(text);
  if (word == "@all") {
    for (std::size_t number = 1; number <= 31; ++number) signals.set(number);
    return true;
  }
  for (const SignalGroup& group : kGroups) {
    if (group.name != word) continue;
    for (int number : group.signals) {
      if (number != 0) signals.set(static_cast<std::size_t>(number));
    }
    return true;
  }
  const int number = parse_signal(text);
  if (number == 0) return false;
  signals.set(static_cast<std::size_t>(number));
  return true;
}

void load_signals(YamlReader& reader, std::bitset<65>& out) {
  std::vector<LocatedText> written;
  if (!reader.texts("signals", written, Need::kRequired)) return;
  if (written.empty()) reader.error("signals", "must name at least one signal");
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (add_signals(written[i].text, out)) continue;
    reader.problems().error(written[i].where, fmt::format("{}[{}]", reader.path_of("signals"), i),
                            fmt::format("\"{}\" is no signal: write SIGTERM, 15, or a group @all, "
                                        "@fatal, @job, @reload, @ignore",
                                        written[i].text),
                            nearest_signal(written[i].text));
  }
}

void load_target(YamlReader& rule, SignalRule& out) {
  if (rule.require("target").empty()) return;
  rule.object("target", [&](YamlReader& reader) {
    reader.word("type", out.target, kTargets, Need::kRequired);
    reader.text("pattern", out.target_pattern);
    const bool min = reader.integer("min", out.pid_min, 1, 4'194'304);
    const bool max = reader.integer("max", out.pid_max, 1, 4'194'304);
    if (out.target == SignalTargetType::kProcess && out.target_pattern.empty()) {
      reader.error("pattern", "is missing: target type process needs the name of a program");
    }
    if (!out.target_pattern.empty()) {
      auto glob = Glob::parse(out.target_pattern, kNoSeparator);
      if (!glob) reader.error("pattern", glob.error().what);
    }
    if (out.target == SignalTargetType::kPidRange && (!min || !max || out.pid_max < out.pid_min)) {
      reader.error("min", "target type pid_range needs min and max, min not above max");
    }
  });
}

}  // namespace

SignalRule load_signal_rule(Context& context, YamlNode node, const std::string& path) {
  YamlReader reader(node, path, context.problems);
  SignalRule rule;
  load_head(reader, path, rule);
  load_signals(reader, rule.signals);
  load_target(reader, rule);
  reader.word("decision", rule.decision, kSignalDecisions, Need::kRequired);
  Decision fallback = Decision::kAudit;
  if (reader.word("fallback", fallback, kSignalDecisions)) rule.fallback = fallback;
  std::string redirect;
  if (reader.text("redirect_to", redirect)) {
    rule.redirect_signal = parse_signal(redirect);
    if (rule.redirect_signal == 0) {
      reader.error("redirect_to", fmt::format("\"{}\" is no signal", redirect),
                   nearest_signal(redirect));
    }
  } else if (rule.decision == Decision::kRedirect) {
    reader.error("redirect_to", "is missing: decision redirect needs a signal");
  }
  return rule;
}

}  // namespace agentsh::policy::loader
