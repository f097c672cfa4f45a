// Programs that only run another one (env, nice, timeout, sudo, xargs, sh -c "one command" ...):
// finds the command inside, so that a rule about it holds however it is started.
//
// This only ever makes a decision stricter: both the wrapper and what is inside are judged, and the
// strictest verdict counts. Shell scripts are not parsed: a script of more than one simple command
// is the shell's own affair, and what it starts is judged where it is started (execve), not here.
//
// Threads: immutable once built; any thread.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace agentsh::policy {

struct InnerCommand {
  std::string path;
  std::vector<std::string> arguments;
};

class CommandUnwrapper {
 public:
  // Levels of wrapping that are followed.
  static constexpr int kMaximumDepth = 6;

  // Adjusts the built-in set of wrappers by transparent_commands.
  CommandUnwrapper(std::span<const std::string> add, std::span<const std::string> remove);

  // Nothing inside: no wrapper, a wrapper without a command, or a script that is left to the shell.
  struct Nothing {};
  // A wrapper with an option or a form that is not understood, so that what it runs is unknown.
  struct Unreadable {
    std::string reason;
  };
  using Inside = std::variant<Nothing, InnerCommand, Unreadable>;

  Inside inside(std::string_view path, std::span<const std::string> arguments) const;
  // Is it a shell that was given a script which is not one simple command?
  static bool is_opaque_script(std::string_view path, std::span<const std::string> arguments);

 private:
  std::set<std::string, std::less<>> added_;
  std::set<std::string, std::less<>> removed_;
};

// The last part of a path without a trailing ".real" (what the shell shim renames originals to).
std::string_view command_basename(std::string_view path);

}  // namespace agentsh::policy
