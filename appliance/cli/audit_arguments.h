// Parsing with CLI11 as our verbs do it. Only for .cc files: CLI11 is slow to compile.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agentsh::cli {

// Nothing when the verb is to run; else the exit code: 0 after help was printed, 2 after a usage
// error was explained on standard error.
inline std::optional<int> parse_arguments(CLI::App& app, std::span<const std::string> args) {
  std::vector<std::string> reversed(args.rbegin(), args.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return {};
}

}  // namespace agentsh::cli
