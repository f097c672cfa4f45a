#include "policies/command_unwrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentsh::policy {
namespace {

using Arguments = std::span<const std::string>;
using Inside = CommandUnwrapper::Inside;
using Nothing = CommandUnwrapper::Nothing;
using Unreadable = CommandUnwrapper::Unreadable;

// How the command line of a wrapper is read up to the command that it runs.
struct Wrapper {
  std::string_view name;
  std::string_view flags;       // Short options without a value.
  std::string_view with_value;  // Short options with one, joined or as the next argument.
  std::array<std::string_view, 16> long_flags;
  std::array<std::string_view, 16> long_with_value;  // "--x=v" or "--x v".
  int operands = 0;           // Arguments before the command ("timeout 5 cmd": 1).
  bool assignments = false;   // NAME=value before the command.
  bool numeric_flag = false;  // "-10", as nice takes it.
};

constexpr Wrapper kWrappers[] = {
    {.name = "env",
     .flags = "i0v",
     .with_value = "uC",
     .long_flags = {"ignore-environment", "null", "debug", "list-signal-handling", "block-signal",
                    "default-signal", "ignore-signal"},
     .long_with_value = {"unset", "chdir"},
     .assignments = true},
    {.name = "nice", .with_value = "n", .long_with_value = {"adjustment"}, .numeric_flag = true},
    {.name = "nohup"},
    {.name = "timeout",
     .flags = "v",
     .with_value = "ks",
     .long_flags = {"foreground", "preserve-status", "verbose"},
     .long_with_value = {"kill-after", "signal"},
     .operands = 1},
    {.name = "time",
     .flags = "pvaq",
     .with_value = "fo",
     .long_flags = {"portability", "verbose", "append", "quiet"},
     .long_with_value = {"format", "output"}},
    {.name = "sudo",
     .flags = "ABbEHiKklnPSsVv",
     .with_value = "CDghpRrTtu",
     .long_flags = {"askpass", "background", "preserve-env", "set-home", "remove-timestamp",
                    "reset-timestamp", "non-interactive", "preserve-groups", "stdin", "shell",
                    "bell"},
     .long_with_value = {"close-from", "chdir", "group", "host", "prompt", "chroot", "role",
                         "command-timeout", "type", "user"},
     .assignments = true},
    {.name = "doas", .flags = "Lns", .with_value = "Cu"},
    {.name = "xargs",
     .flags = "0rtpxo",
     .with_value = "adEeIiLlnPs",
     .long_flags = {"null", "no-run-if-empty", "verbose", "interactive", "exit", "open-tty"},
     .long_with_value = {"arg-file", "delimiter", "eof", "replace", "max-lines", "max-args",
                         "max-procs", "max-chars", "process-slot-var"}},
    {.name = "setsid", .flags = "cfw", .long_flags = {"ctty", "fork", "wait"}},
    {.name = "stdbuf", .with_value = "ioe", .long_with_value = {"input", "output", "error"}},
    {.name = "ionice",
     .flags = "t",
     .with_value = "cn",
     .long_flags = {"ignore"},
     .long_with_value = {"class", "classdata"}},
    {.name = "strace",
     .flags = "cCdfFhiknqrtTvVwxyYzZ",
     .with_value = "aAbeEIoOpPsSuUX",
     .long_flags = {"follow-forks", "summary-only", "summary"},
     .long_with_value = {"output", "trace", "string-limit"}},
    {.name = "ltrace", .flags = "bcCfhirStTVL", .with_value = "aAdDeFlnopsuwxX"},
};

constexpr std::string_view kShells[] = {"sh", "bash", "dash", "zsh", "ash", "ksh", "mksh", "rbash"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return !word.empty() && std::ranges::find(words, word) != words.end();
}

bool is_shell(std::string_view name) {
  return std::ranges::find(kShells, name) != std::end(kShells);
}

bool is_assignment(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return text.substr(0, equals).find('/') == std::string_view::npos;
}

InnerCommand command_from(Arguments arguments) {
  return {arguments.front(), {arguments.begin() + 1, arguments.end()}};
}

// Passes one option; `next` is the first argument after it. False when it is unknown.
bool pass_long_option(const Wrapper& wrapper, Arguments arguments, std::size_t& next) {
  std::string_view option = std::string_view(arguments[next]).substr(2);
  const std::size_t equals = option.find('=');
  const std::string_view name = option.substr(0, equals);
  ++next;
  if (contains(wrapper.long_flags, name)) return true;
  if (!contains(wrapper.long_with_value, name)) return false;
  if (equals == std::string_view::npos) ++next;
  return true;
}

bool pass_short_options(const Wrapper& wrapper, Arguments arguments, std::size_t& next) {
  const std::string_view options = std::string_view(arguments[next]).substr(1);
  ++next;
  if (wrapper.numeric_flag && options.find_first_not_of("0123456789") == std::string_view::npos) {
    return true;
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (wrapper.flags.find(options[i]) != std::string_view::npos) continue;
    if (wrapper.with_value.find(options[i]) == std::string_view::npos) return false;
    // The value is the rest of this argument, or the next one. xargs has three whose value can only
    // be joined.
    const bool joined_only =
        wrapper.name == "xargs" && std::string_view("eil").contains(options[i]);
    if (i + 1 == options.size() && !joined_only) ++next;
    return true;
  }
  return true;
}

Inside unwrap(const Wrapper& wrapper, Arguments arguments) {
  std::size_t next = 0;
  while (next < arguments.size()) {
    const std::string_view argument = arguments[next];
    if (argument == "--") {
      ++next;
      break;
    }
    if (argument.size() < 2 || argument.front() != '-') break;
    const std::size_t at = next;
    const bool known = argument.starts_with("--") ? pass_long_option(wrapper, arguments, next)
                                                  : pass_short_options(wrapper, arguments, next);
    if (!known) {
      return Unreadable{fmt::format("{} has the option {}, so what it runs is not known",
                                    wrapper.name, arguments[at])};
    }
  }
  while (wrapper.assignments && next < arguments.size() && is_assignment(arguments[next])) ++next;
  next += static_cast<std::size_t>(wrapper.operands);
  if (next >= arguments.size()) return Nothing{};
  return command_from(arguments.subspan(next));
}

// The words of a script that is one simple command: words, quotes without expansion, nothing that
// starts, joins or substitutes another command. The first word must be plain.
std::optional<std::vector<std::string>> simple_command(std::string_view script) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  for (std::size_t i = 0; i < script.size(); ++i) {
    const char c = script[i];
    if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    if (std::string_view("\n;|&()<>`#").find(c) != std::string_view::npos) return {};
    in_word = true;
    if (c == '\'' || c == '"') {
      const std::size_t end = script.find(c, i + 1);
      if (end == std::string_view::npos) return {};
      const std::string_view quoted = script.substr(i + 1, end - i - 1);
      if (c == '"' && quoted.find_first_of("$`\\") != std::string_view::npos) return {};
      word += quoted;
      i = end;
    } else if (c == '\\') {
      if (++i >= script.size() || script[i] == '\n') return {};
      word += script[i];
    } else if (c == '$' && i + 1 < script.size() && script[i + 1] == '(') {
      return {};
    } else {
      word += c;
    }
  }
  if (in_word) words.push_back(std::move(word));
  if (words.empty() || words.front().find_first_of("$*?[{~=!") != std::string::npos) return {};
  return words;
}

constexpr std::string_view kShellWords[] = {
    "if",   "then", "else",    "elif",    "fi",   "for",    "while",  "until",
    "do",   "done", "case",    "esac",    "time", "coproc", "select", "function",
    "eval", "exec", "command", "builtin", "cd",   "export", "set",    "source",
    ".",    "trap", "{",       "}",       ":"};

// The script of `sh -c script`: the first argument after the options, when one of them has c.
std::optional<std::string_view> script_of(Arguments arguments) {
  bool has_script = false;
  std::size_t next = 0;
  for (; next < arguments.size(); ++next) {
    const std::string_view argument = arguments[next];
    if (argument == "--") {
      ++next;
      break;
    }
    if (argument.size() < 2 || (argument.front() != '-' && argument.front() != '+')) break;
    if (argument.starts_with("--")) continue;
    has_script |= argument.front() == '-' && argument.contains('c');
    if (argument.ends_with('o') || argument.ends_with('O')) ++next;  // -o pipefail
  }
  if (!has_script || next >= arguments.size()) return {};
  return arguments[next];
}

Inside unwrap_shell(Arguments arguments) {
  auto script = script_of(arguments);
  if (!script) return Nothing{};
  auto words = simple_command(*script);
  if (!words) return Nothing{};
  // exec and command run what follows them, as a wrapper does.
  while (!words->empty() && (words->front() == "exec" || words->front() == "command")) {
    words->erase(words->begin());
    if (!words->empty() && words->front().starts_with('-')) return Nothing{};
  }
  if (words->empty()) return Nothing{};
  if (std::ranges::find(kShellWords, words->front()) != std::end(kShellWords)) return Nothing{};
  return command_from(*words);
}

bool is_loader(std::string_view name) {
  return name.starts_with("ld-linux") || name.starts_with("ld-musl") || name == "ld.so";
}

// The dynamic loader as a program: ld.so [--option [value]] program arguments.
Inside unwrap_loader(Arguments arguments) {
  constexpr std::string_view kWithValue[] = {
      "--library-path",      "--inhibit-rpath",       "--audit", "--preload", "--argv0",
      "--glibc-hwcaps-mask", "--glibc-hwcaps-prepend"};
  std::size_t next = 0;
  while (next < arguments.size() && arguments[next].starts_with("--")) {
    const bool value = std::ranges::find(kWithValue, arguments[next]) != std::end(kWithValue);
    next += value ? 2 : 1;
  }
  if (next >= arguments.size()) return Nothing{};
  return command_from(arguments.subspan(next));
}

// Wrappers that a policy adds: options are passed over, the first other argument is the command.
Inside unwrap_unknown(Arguments arguments) {
  std::size_t next = 0;
  while (next < arguments.size() && arguments[next].starts_with('-')) ++next;
  if (next >= arguments.size()) return Nothing{};
  return command_from(arguments.subspan(next));
}

}  // namespace

std::string_view command_basename(std::string_view path) {
  path = path.substr(path.rfind('/') + 1);
  constexpr std::string_view kReal = ".real";
  if (path.size() > kReal.size() && path.ends_with(kReal)) path.remove_suffix(kReal.size());
  return path;
}

CommandUnwrapper::CommandUnwrapper(std::span<const std::string> add,
                                   std::span<const std::string> remove)
    : added_(add.begin(), add.end()), removed_(remove.begin(), remove.end()) {}

Inside CommandUnwrapper::inside(std::string_view path, Arguments arguments) const {
  const std::string_view name = command_basename(path);
  if (removed_.contains(name)) return Nothing{};
  if (is_shell(name)) return unwrap_shell(arguments);
  for (const Wrapper& wrapper : kWrappers) {
    if (wrapper.name == name) return unwrap(wrapper, arguments);
  }
  if (name == "busybox" || name == "toybox") {
    return arguments.empty() ? Inside(Nothing{}) : Inside(command_from(arguments));
  }
  if (is_loader(name)) return unwrap_loader(arguments);
  if (added_.contains(name)) return unwrap_unknown(arguments);
  return Nothing{};
}

bool CommandUnwrapper::is_opaque_script(std::string_view path, Arguments arguments) {
  if (!is_shell(command_basename(path))) return false;
  auto script = script_of(arguments);
  return script && !simple_command(*script);
}

}  // namespace agentsh::policy
