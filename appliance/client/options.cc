#include "appliance/client/options.h"

#include "appliance/client/server_start.h"
#include "appliance/config/paths.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace agentsh::client {
namespace {

constexpr auto kBusyLimit = std::chrono::seconds(15);
constexpr auto kLookAgain = std::chrono::milliseconds(10);
constexpr int kLooksBetweenStarts = 20;

bool readable_before(int fd, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd entry{fd, POLLIN, 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // The read will say what is wrong.
  }
}

}  // namespace

void add_global_options(CLI::App& app, GlobalOptions& options) {
  app.add_option("--server", options.server, "Server address: unix:/path or http://host:port")
      ->envname("AGENTSH_SERVER")
      ->group("Connection");
  app.add_option("--api-key", options.api_key, "API key, sent as X-API-Key")
      ->envname("AGENTSH_API_KEY")
      ->group("Connection");
  app.add_option_function<std::string>(
         "--client-timeout",
         [&options](const std::string& text) {
           auto time = parse_duration(text);
           if (!time) throw CLI::ValidationError("--client-timeout", time.error().what);
           options.timeout = *time;
         },
         "How long the server may take to answer (default 30s); commands run as long as they do")
      ->envname("AGENTSH_CLIENT_TIMEOUT")
      ->group("Connection");
  app.add_option("--config", options.config, "Configuration of a server that is started on demand")
      ->envname("AGENTSH_CONFIG")
      ->group("Connection");
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  constexpr std::int64_t kLongest = 365LL * 24 * 3'600'000;
  std::int64_t total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::int64_t count = -1;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto unit = std::ranges::find_if(kUnits, [&](const auto& each) {
      // "m" is not the beginning of "ms".
      return rest.starts_with(each.first) && !(each.first == "m" && rest.starts_with("ms"));
    });
    if (error != std::errc{} || count < 0 || unit == std::ranges::end(kUnits) ||
        count > (kLongest - total) / unit->second) {
      total = 0;
      break;
    }
    total += count * unit->second;
    rest.remove_prefix(unit->first.size());
  }
  if (total == 0) return fail(fmt::format("\"{}\" is not a time like 30s or 1m30s", text));
  return std::chrono::milliseconds(total);
}

int parse_arguments(CLI::App& app, Arguments arguments) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\nRun '{} --help' for usage.\n", app.get_name(), error.what(),
               app.get_name());
    return kExitFailure;
  }
  return -1;
}

int report(const Error& error) {
  return report(error.what);
}

int report(std::string_view message) {
  fmt::print(stderr, "agentsh: {}\n", message);
  return kExitFailure;
}

Result<HttpConnection> connect_to_server(const GlobalOptions& options) {
  if (!options.server.empty()) {
    auto address = ServerAddress::parse(options.server);
    if (!address) return std::unexpected(address.error());
    auto connection = HttpConnection::open(*address);
    if (!connection) {
      return std::unexpected(
          with_context(connection.error(), "no server at " + address->to_string()));
    }
    return connection;
  }
  const ServerAddress address{default_socket_path(), {}, {}};
  auto connection = HttpConnection::open(address);
  if (connection) return connection;
  const std::error_code reason = connection.error().code;
  if (reason != std::errc::no_such_file_or_directory && reason != std::errc::connection_refused)
    return connection;
  if (environment_variable("AGENTSH_NO_AUTO") == "1") {
    return std::unexpected(with_context(
        connection.error(), "no server is running and AGENTSH_NO_AUTO=1 forbids starting one"));
  }
  // Of several clients that find no server at once, one starts it and the others look again until
  // it listens; one that is just ending is waited for.
  const auto deadline = std::chrono::steady_clock::now() + kBusyLimit;
  for (;;) {
    auto started = start_server(executable_directory() + "/agentshd", options.config);
    if (started) return HttpConnection::open(address);
    if (started.error().code != std::errc::device_or_resource_busy ||
        std::chrono::steady_clock::now() >= deadline)
      return std::unexpected(started.error());
    for (int look = 0; look < kLooksBetweenStarts; ++look) {
      std::this_thread::sleep_for(kLookAgain);
      if (connection = HttpConnection::open(address); connection) return connection;
    }
  }
}

Result<std::string> call(const GlobalOptions& options, std::string_view method, std::string path,
                         std::string body) {
  auto connection = connect_to_server(options);
  if (!connection) return std::unexpected(connection.error());
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  connection->set_wait([deadline](int fd) { return readable_before(fd, deadline); });
  auto response = connection->request({.method = std::string(method),
                                       .path = std::move(path),
                                       .body = std::move(body),
                                       .api_key = options.api_key});
  if (!response && response.error().code == std::errc::operation_canceled) {
    return fail(
        fmt::format("the server has not answered within {} (--client-timeout)", options.timeout),
        std::errc::timed_out);
  }
  if (!response) return std::unexpected(response.error());
  if (response->status >= 400) return fail(error_sentence(*response));
  return std::move(response->body);
}

int print_json(const Result<std::string>& body) {
  if (!body) return report(body.error());
  auto document = JsonDocument::parse(*body, {.max_bytes = 64 << 20});
  fmt::print("{}\n", document ? document->root().dump(2) : *body);
  return 0;
}

int dispatch_subcommand(std::string_view verb, std::span<const Subcommand> subcommands,
                        Arguments arguments) {
  if (!arguments.empty()) {
    for (const Subcommand& subcommand : subcommands) {
      if (subcommand.name == arguments.front()) return subcommand.run(arguments.subspan(1));
    }
  }
  const bool help =
      !arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h");
  std::string text = fmt::format("Usage: agentsh {} COMMAND [OPTIONS]\n\n", verb);
  for (const Subcommand& subcommand : subcommands) {
    text += fmt::format("  {:<12} {}\n", subcommand.name, subcommand.summary);
  }
  fmt::print(help ? stdout : stderr, "{}", text);
  if (!help && !arguments.empty())
    return report(fmt::format("{}: no such command: {}", verb, arguments.front()));
  return help ? 0 : kExitFailure;
}

std::string error_sentence(const HttpResponse& response) {
  if (auto document = JsonDocument::parse(response.body)) {
    if (const std::string_view text = document->root().text("error"); !text.empty())
      return std::string(text);
  }
  return fmt::format("the server answered {} {}", response.status, response.body);
}

std::string executable_directory() {
  std::string path(4096, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return ".";
  path.resize(static_cast<std::size_t>(length));
  return path.substr(0, path.rfind('/'));
}

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace agentsh::client
