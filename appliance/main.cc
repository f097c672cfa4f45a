// agentshd: the daemon, and the verbs of the command line that are too heavy for the thin client
// (it runs them by exec).
#include "appliance/cli/audit_verbs.h"
#include "appliance/cli/config_verbs.h"
#include "appliance/cli/db_verbs.h"
#include "appliance/cli/dlp_verbs.h"
#include "appliance/cli/event_query.h"
#include "appliance/cli/policy_verbs.h"
#include "appliance/config/loader.h"
#include "appliance/config/paths.h"
#include "appliance/daemon.h"
#include "appliance/installation.h"
#include "appliance/llm/dlp_setup.h"
#include "appliance/version.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/printing_main.h"
#include "base/standard_streams.h"
#include "base/unique_fd.h"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

namespace agentsh {
namespace {

using Arguments = std::span<const std::string>;

constexpr std::uint64_t kLogLimit = 4 << 20;

int fail_with(std::string_view message) {
  fmt::print(stderr, "agentshd: {}\n", message);
  return 1;
}

// A daemon that a client starts on demand: standard error is a pipe to that client until the daemon
// serves. What goes wrong before is told there; everything goes to logging.file.
class OnDemand {
 public:
  Result<> log_to(const std::string& file) {
    client_.reset(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    const std::string directory = std::filesystem::path(file).parent_path();
    if (auto made = make_directories(directory, 0700); !made) return made;
    return log_to_file(file, kLogLimit);
  }
  void tell_client(std::string_view message) {
    if (!client_) return;
    const std::string line = fmt::format("agentshd: {}\n", message);
    [[maybe_unused]] ssize_t ignored = ::write(client_.get(), line.data(), line.size());
  }
  void release_client() { client_.reset(); }

 private:
  UniqueFd client_;
};

// Where clients look for the log of who serves at `socket`; `file` is empty for standard error.
void link_to_log(const std::string& socket, const std::string& file) {
  const std::string link = log_link_path(socket);
  ::unlink(link.c_str());
  if (!file.empty() && ::symlink(file.c_str(), link.c_str()) != 0)
    log_info("server", "{}", errno_error("symlink", link).what);
}

// `agentshd server`: in the foreground, logging to standard error.
int run_server(Arguments arguments) {
  CLI::App app("Runs the agentsh daemon", "agentshd server");
  std::string config_file;
  std::vector<std::string> settings;
  int ready_fd = -1;
  bool on_demand = false;
  app.add_option("--config", config_file, "Configuration file (default: see agentsh config show)");
  app.add_option("--set", settings, "KEY=VALUE: a configuration key, as in the file (repeat)");
  app.add_option("--ready-fd", ready_fd, "Write a line to this descriptor once the sockets listen")
      ->group("");
  app.add_flag("--on-demand", on_demand, "Started by a client: log to logging.file")->group("");
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail_with(error.what());
  }
  config::LoadRequest request = config::LoadRequest::of_this_process();
  request.file = config_file;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) return fail_with("--set wants KEY=VALUE, not " + setting);
    request.flags.push_back({setting.substr(0, equals), setting.substr(equals + 1), "--set"});
  }
  auto loaded = config::load_config(request);
  if (!loaded) return fail_with("configuration:\n" + loaded.error().what);
  set_log_level(loaded->values.logging.level);
  OnDemand starter;
  const std::string log_file = on_demand ? loaded->values.logging.file : "";
  const std::string socket = loaded->values.server.unix_socket.path;
  if (on_demand) {
    if (auto done = starter.log_to(log_file); !done)
      return fail_with("logging.file: " + done.error().what);
  }
  for (const auto& warning : loaded->warnings)
    log_warning("config", "{}", policy::to_text(warning));
  auto daemon = Daemon::create(std::move(*loaded));
  if (!daemon) {
    const std::error_code reason = daemon.error().code;
    const bool another =
        reason == std::errc::device_or_resource_busy || reason == std::errc::address_in_use;
    // To whoever waits for readiness: not we, but look again for the one that is here already.
    if (another && ready_fd >= 0) {
      [[maybe_unused]] ssize_t ignored = ::write(ready_fd, "busy\n", 5);
    }
    starter.tell_client(daemon.error().what);
    return fail_with(daemon.error().what);
  }
  link_to_log(socket, log_file);
  starter.release_client();
  return (*daemon)->run(ready_fd);
}

cli::AuditPaths audit_paths() {
  auto loaded = config::load_config(config::LoadRequest::of_this_process());
  if (!loaded) return {};
  return {loaded->values.audit.dir, loaded->values.audit.key_file};
}

cli::PolicyVerbDefaults policy_defaults() {
  cli::PolicyVerbDefaults defaults;
  auto loaded = config::load_config(config::LoadRequest::of_this_process());
  if (!loaded) return defaults;
  defaults.directories = policy_directories(loaded->values);
  defaults.trust_store = loaded->values.policies.trust_store;
  return defaults;
}

Result<cli::DlpSetup> dlp_setup(const std::string& config_file) {
  config::LoadRequest request = config::LoadRequest::of_this_process();
  request.file = config_file;
  auto loaded = config::load_config(request);
  if (!loaded) return std::unexpected(loaded.error());
  auto detectors = detectors_of(loaded->values.dlp);
  if (!detectors) return std::unexpected(detectors.error());
  auto settings = settings_of(loaded->values.dlp, *detectors);
  if (!settings) return std::unexpected(settings.error());
  return cli::DlpSetup{std::move(*detectors), std::move(*settings)};
}

int run(Arguments arguments) {
  if (arguments.empty())
    return fail_with("no command; `agentshd server` runs the daemon, agentsh(1) has the rest");
  const std::string& verb = arguments.front();
  const Arguments rest = arguments.subspan(1);
  if (verb == "server") return run_server(rest);
  if (verb == "config") return cli::run_config_verb(rest);
  if (verb == "audit") return cli::run_audit_verb(rest, audit_paths());
  if (verb == "db") return cli::run_db_verb(rest);
  if (verb == "policy") return cli::run_policy_verb(rest, policy_defaults());
  if (verb == "dlp") return cli::run_dlp_verb(rest, dlp_setup);
  if (verb == "events" && !rest.empty() && rest.front() == "query") {
    return cli::run_events_query(rest.subspan(1), audit_paths().directory);
  }
  if (verb == "--version") {
    fmt::print("agentshd {}\n", kVersion);
    return 0;
  }
  return fail_with("no such command: " + verb);
}

}  // namespace
}  // namespace agentsh

int main(int argc, char** argv) {
  agentsh::occupy_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return agentsh::end_of_printing([&] { return agentsh::run(arguments); });
}
