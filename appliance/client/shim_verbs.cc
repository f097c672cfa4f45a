#include "appliance/client/shim_verbs.h"

#include "appliance/client/shell_replacement.h"
#include "base/json_writer.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

namespace agentsh::client {
namespace {

struct ShimOptions {
  std::string root = "/";
  std::string shim;
  std::string output = "text";
  bool bash = false;
  bool bash_only = false;
  bool force = false;
  bool dry_run = false;
  bool host_too = false;
};

std::string default_shim() {
  const std::filesystem::path here = executable_directory();
  for (const auto& place :
       {here / "agentsh-shell-shim", here.parent_path() / "libexec/agentsh/agentsh-shell-shim"}) {
    if (::access(place.c_str(), R_OK) == 0) return place.native();
  }
  return (here.parent_path() / "libexec/agentsh/agentsh-shell-shim").native();
}

void add_common_options(CLI::App& app, ShimOptions& options) {
  app.add_option("--root", options.root, "Root directory whose /bin is meant")
      ->capture_default_str();
  app.add_option("--shim", options.shim, "The shim (default: the one that came with agentsh)");
  app.add_flag("--bash", options.bash, "bash as well as sh");
  app.add_flag("--bash-only", options.bash_only, "bash and not sh");
  app.add_option("--output", options.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

void add_change_options(CLI::App& app, ShimOptions& options) {
  add_common_options(app, options);
  app.add_flag("--force", options.force, "Also over a NAME.real that is left from before");
  app.add_flag("--dry-run", options.dry_run, "Say what would be done");
  app.add_flag("--i-understand-this-modifies-the-host", options.host_too,
               "Needed with --root /: every script of this system then starts in a session");
}

std::vector<std::string_view> shells(const ShimOptions& options) {
  if (options.bash_only) return {"bash"};
  if (options.bash) return {"sh", "bash"};
  return {"sh"};
}

struct Line {
  std::string path;
  std::string what;
};

int print(const ShimOptions& options, const std::vector<Line>& lines) {
  if (options.output == "text") {
    for (const Line& line : lines) fmt::print("{}: {}\n", line.path, line.what);
    return 0;
  }
  JsonWriter json;
  json.begin_object().field("root", std::string_view(options.root)).key("shells").begin_array();
  for (const Line& line : lines) {
    json.begin_object()
        .field("path", std::string_view(line.path))
        .field("state", std::string_view(line.what))
        .end_object();
  }
  json.end_array().end_object();
  fmt::print("{}\n", json.take());
  return 0;
}

std::string_view after(const ShellReplacement& shell, bool install) {
  if (install) return to_string(ShellState::kShim);
  return to_string(shell.state() == ShellState::kMissing ? ShellState::kMissing
                                                         : ShellState::kOriginal);
}

int change(Arguments arguments, bool install) {
  ShimOptions options;
  CLI::App app(install ? "Puts the shim in a shell's place; the shell stays beside it as NAME.real"
                       : "Puts the shells back",
               install ? "agentsh shim install-shell" : "agentsh shim uninstall-shell");
  add_change_options(app, options);
  app.footer(install ? "Example, in an image:\n  agentsh shim install-shell --root /image --bash"
                     : "Example:\n  agentsh shim uninstall-shell --root /image --bash");
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  if (options.shim.empty()) options.shim = default_shim();
  std::error_code error;
  const auto root = std::filesystem::canonical(options.root, error);
  if (error) return report(fmt::format("--root {}: {}", options.root, error.message()));
  if (root == "/" && !options.host_too && !options.dry_run) {
    return report(
        "this changes /bin of the running system; say --i-understand-this-modifies-the-host, or "
        "name another --root");
  }
  std::vector<Line> lines;
  for (const std::string_view name : shells(options)) {
    const auto shell =
        ShellReplacement::look(root == "/" ? std::string() : root.native(), name, options.shim);
    if (!options.dry_run) {
      auto done = install ? shell.install(options.force) : shell.uninstall();
      if (!done) return report(done.error());
    }
    lines.push_back({shell.path(), fmt::format("{}{}", options.dry_run ? "would be " : "",
                                               after(shell, install))});
  }
  return print(options, lines);
}

int status(Arguments arguments) {
  ShimOptions options;
  CLI::App app("Says for sh and bash whether the shim is in their place", "agentsh shim status");
  app.add_option("--root", options.root, "Root directory whose /bin is meant")
      ->capture_default_str();
  app.add_option("--output", options.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  if (int code = parse_arguments(app, arguments); code >= 0) return code;
  std::vector<Line> lines;
  for (const std::string_view name : {"sh", "bash"}) {
    const auto shell =
        ShellReplacement::look(options.root == "/" ? std::string() : options.root, name, {});
    lines.push_back({shell.path(), std::string(to_string(shell.state()))});
  }
  return print(options, lines);
}

}  // namespace

int run_shim(Arguments arguments) {
  constexpr std::string_view kUsage =
      "agentsh shim: shells that start in a session\n\n"
      "  agentsh shim install-shell     put the shim in the place of sh, or bash\n"
      "  agentsh shim uninstall-shell   put the shells back\n"
      "  agentsh shim status            say which is in place\n\n"
      "Settings of the shim are in /etc/agentsh/shim.conf: session=NAME, force=true|false.\n";
  const std::string verb = arguments.empty() ? "" : arguments.front();
  if (verb == "install-shell") return change(arguments.subspan(1), true);
  if (verb == "uninstall-shell") return change(arguments.subspan(1), false);
  if (verb == "status") return status(arguments.subspan(1));
  const bool asked = verb == "--help" || verb == "-h";
  fmt::print(asked ? stdout : stderr, "{}", kUsage);
  return asked ? 0 : kExitFailure;
}

}  // namespace agentsh::client
