#include "appliance/client/command_run.h"

#include "appliance/client/terminal.h"
#include "base/encoding.h"
#include "base/file_io.h"
#include "base/json_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>

extern char** environ;

namespace agentsh::client {
namespace {

std::string current_directory() {
  std::error_code error;
  return std::filesystem::current_path(error).string();
}

unsigned terminal_mask(bool force) {
  if (force) return 7;
  unsigned mask = 0;
  for (int fd = 0; fd < 3; ++fd) {
    if (::isatty(fd)) mask |= 1u << fd;
  }
  return mask;
}

// The descriptors that go to the command as they are.
std::vector<int> direct_descriptors(unsigned mask) {
  std::vector<int> fds;
  for (int fd = 0; fd < 3; ++fd) {
    if ((mask >> fd & 1) == 0) fds.push_back(fd);
  }
  return fds;
}

// Prints what came of a command that no process was started for (a builtin, a refusal, a failure)
// and gives the exit code that stands for it.
int show_outcome(const HttpResponse& response) {
  auto document = JsonDocument::parse(response.body);
  if (document) {
    JsonValue root = document->root();
    fmt::print("{}", root.text("stdout"));
    const std::string_view text = root.text("stderr");
    if (!text.empty()) {
      fmt::print(stderr, "{}", text);
      if (!text.ends_with('\n')) fmt::print(stderr, "\n");
    }
    if (root.has("exit_code")) return static_cast<int>(root.integer("exit_code", kExitFailure));
  }
  return report(error_sentence(response));
}

// Requests are JSON, which has no other bytes: a changed argument would name another file.
Result<> check_arguments(const CommandRequest& request) {
  for (const std::string& argument : request.command) {
    if (!is_utf8(argument))
      return fail("an argument is not UTF-8; arguments of commands must be: " +
                  argument.substr(0, 80));
  }
  return {};
}

std::string exec_path(const CommandRequest& request) {
  return "/api/v1/sessions/" + percent_encoded(request.session) + "/exec";
}

// The conversation of an attached command after status 101.
class Attachment {
 public:
  Attachment(HttpConnection connection, unsigned mask, UniqueFd signals)
      : connection_(std::move(connection)), mask_(mask), signals_(std::move(signals)) {}

  int run() {
    // Nothing is relayed until the command has its terminal or has failed to start.
    while (!started_ && !over_) {
      if (!handle_line()) break;
    }
    std::optional<RawTerminal> raw;
    if (terminal_ && (mask_ & 1)) raw.emplace(STDIN_FILENO);
    RelayPlan plan;
    plan.master = terminal_.get();
    plan.input = (mask_ & 1) ? STDIN_FILENO : -1;
    plan.output = (mask_ & 2) ? STDOUT_FILENO : STDERR_FILENO;
    plan.signals = signals_.get();
    plan.control = connection_.fd();
    plan.on_control = [this] { return handle_line(); };
    plan.control_ready = [this] { return connection_.buffered(); };
    plan.on_signal = [this](int signal) { pass_on(signal); };
    plan.on_resize = [this](winsize size) { pass_on(size); };
    Result<> relayed = over_ ? Result<>() : relay_terminal(plan);
    raw.reset();
    if (!relayed) return report(relayed.error());
    if (!message_.empty()) fmt::print(stderr, "{}\n", message_);
    return exit_code_;
  }

 private:
  // Takes one message; false when the command is over.
  bool handle_line() {
    auto line = connection_.read_line();
    if (!line || line->end) {
      message_ = "agentsh: the server is gone, and the command was ended with its session" +
                 connection_.where_to_look();
      exit_code_ = kExitNotStarted;
      over_ = true;
      return false;
    }
    auto document = JsonDocument::parse(line->text);
    if (!document) return true;
    const JsonValue root = document->root();
    const std::string_view type = root.text("type");
    if (type == "started") {
      started_ = true;
      if (!line->fds.empty()) terminal_ = std::move(line->fds.front());
      return true;
    }
    if (type == "message") {
      fmt::print(stderr, "{}\n", root.text("text"));
      return true;
    }
    if (type == "exit" || type == "error") {
      message_ = root.text("message");
      exit_code_ = static_cast<int>(root.integer("exit_code", kExitNotStarted));
      over_ = true;
      return false;
    }
    return true;
  }

  void pass_on(int signal) {
    JsonWriter json;
    json.begin_object().field("type", "signal").field("number", signal).end_object();
    // When the connection is gone, the relay is about to find out.
    [[maybe_unused]] auto ignored = connection_.write_line(json.take());
  }

  void pass_on(winsize size) {
    JsonWriter json;
    json.begin_object().field("type", "resize");
    json.field("rows", size.ws_row).field("columns", size.ws_col).end_object();
    [[maybe_unused]] auto ignored = connection_.write_line(json.take());
  }

  HttpConnection connection_;
  unsigned mask_;
  UniqueFd signals_;
  UniqueFd terminal_;
  bool started_ = false;
  bool over_ = false;
  int exit_code_ = kExitNotStarted;
  std::string message_;
};

}  // namespace

std::string CommandRequest::to_json(unsigned terminal_fds) const {
  JsonWriter json;
  json.begin_object().field("command", command.front()).key("args").begin_array();
  for (std::size_t i = 1; i < command.size(); ++i) json.value(std::string_view(command[i]));
  json.end_array().optional_field("argv0", argv0);
  json.field("working_dir", working_directory.empty() ? current_directory() : working_directory);
  json.field("working_dir_optional", working_directory.empty());
  json.optional_field("timeout", timeout).optional_field("include_events", include_events);
  json.key("env").begin_object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    // What JSON cannot carry is left out rather than changed.
    if (!is_utf8(*entry)) continue;
    if (const char* equals = std::strchr(*entry, '=')) {
      json.field(std::string_view(*entry, static_cast<std::size_t>(equals - *entry)), equals + 1);
    }
  }
  for (const auto& [name, value] : extra_environment) json.field(name, std::string_view(value));
  json.end_object();
  const mode_t mask = ::umask(0);
  ::umask(mask);
  json.field("umask", static_cast<int>(mask));
  json.optional_field("workspace", workspace).optional_field("policy", policy);
  json.field("terminal_fds", terminal_fds);
  if (terminal_fds != 0) {
    const winsize size = terminal_size(terminal_fds & 1 ? STDIN_FILENO : STDOUT_FILENO);
    json.field("rows", size.ws_row).field("columns", size.ws_col);
  }
  return json.end_object().take();
}

int run_attached(const GlobalOptions& options, const CommandRequest& request) {
  if (auto checked = check_arguments(request); !checked) return report(checked.error());
  const unsigned mask = terminal_mask(request.force_terminal);
  const std::vector<int> fds = direct_descriptors(mask);
  auto connection = connect_to_server(options);
  if (!connection) return report(connection.error());
  // From here on signals are the command's. While it has not started (an approval may take
  // minutes), one gives up.
  auto signals = command_signals();
  if (!signals) return report(signals.error());
  int interrupted = 0;
  connection->set_wait([&](int fd) { return (interrupted = wait_for(fd, signals->get())) == 0; });
  auto response = connection->request({.method = "POST",
                                       .path = exec_path(request),
                                       .body = request.to_json(mask),
                                       .api_key = options.api_key,
                                       .upgrade = "agentsh-exec",
                                       .fds = fds});
  connection->set_wait({});
  if (interrupted != 0) return 128 + interrupted;
  if (!response) return report(response.error());
  if (response->status != 101) return show_outcome(*response);
  return Attachment(std::move(*connection), mask, std::move(*signals)).run();
}

int run_captured(const GlobalOptions& options, const CommandRequest& request) {
  if (auto checked = check_arguments(request); !checked) return report(checked.error());
  auto connection = connect_to_server(options);
  if (!connection) return report(connection.error());
  // A terminal is no input for a command whose output is collected.
  const int input[] = {STDIN_FILENO};
  const bool pass_input = !::isatty(STDIN_FILENO) && ::fcntl(STDIN_FILENO, F_GETFD) >= 0;
  auto response = connection->request(
      {.method = "POST",
       .path = exec_path(request),
       .body = request.to_json(0),
       .api_key = options.api_key,
       .fds = pass_input ? std::span<const int>(input) : std::span<const int>()});
  if (!response) return report(response.error());
  auto document = JsonDocument::parse(response->body, {.max_bytes = 64 << 20});
  if (!document || !document->root().has("exit_code")) return report(error_sentence(*response));
  if (auto written = write_all(STDOUT_FILENO, response->body + "\n", "stdout"); !written)
    return report(written.error());
  return static_cast<int>(document->root().integer("exit_code", kExitFailure));
}

}  // namespace agentsh::client
