#include "appliance/sessions/session.h"

#include "appliance/network/network_service.h"
#include "appliance/sessions/session_view.h"
#include "base/log.h"
#include "proxy/services/session_services.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace agentsh {
namespace {

// Finished commands whose output can still be paged.
constexpr std::size_t kKeptCommands = 64;

}  // namespace

EnvironmentVariables Session::service_environment() const {
  if (parts_.services == nullptr) return {};
  return parts_.services->environment(NetworkService::services_url());
}

std::string_view to_string(SessionState state) {
  switch (state) {
    case SessionState::kReady:
      return "ready";
    case SessionState::kStopping:
      return "stopping";
    case SessionState::kCompleted:
      return "completed";
    case SessionState::kTimedOut:
      return "timed_out";
    case SessionState::kFailed:
      return "failed";
  }
  return "failed";
}

void RunningCommand::write_json(JsonWriter& json) const {
  json.begin_object().field("id", std::string_view(id)).field("command", std::string_view(command));
  json.key("args").begin_array();
  for (const std::string& argument : args) json.value(std::string_view(argument));
  json.end_array()
      .field("started_at", std::string_view(format_rfc3339(started_at)))
      .field("pid", pid);
  json.field("state", finished() ? "finished" : "running");
  if (exit_code) json.field("exit_code", *exit_code).field("duration_ms", duration.count());
  json.end_object();
}

Session::Session(boost::asio::any_io_executor executor, Parts parts)
    : executor_(executor),
      parts_(std::move(parts)),
      // A duplicate: the event loop takes its descriptor over, and init's socket must live as long
      // as the process.
      control_(executor, ::fcntl(parts_.process->control_fd(), F_DUPFD_CLOEXEC, 0)),
      cwd_(workspace_root()) {}

Session::~Session() = default;

std::string Session::workspace_root() const {
  return description().virtual_workspace ? std::string(kVirtualWorkspace) : description().workspace;
}

std::string Session::as_seen(std::string directory) const {
  const std::string& workspace = description().workspace;
  const bool inside = directory.starts_with(workspace) &&
                      (directory.size() == workspace.size() || directory[workspace.size()] == '/');
  if (inside) directory.replace(0, workspace.size(), workspace_root());
  return directory;
}

Result<std::string> Session::resolved(const std::string& directory) const {
  std::filesystem::path path = directory;
  if (path.is_relative()) path = std::filesystem::path(cwd_) / path;
  path = path.lexically_normal();
  std::string text = path.native();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  if (text.find('\0') != std::string::npos) return fail("directory names cannot contain NUL bytes");
  return text;
}

void Session::set_cwd(std::string resolved) {
  cwd_ = std::move(resolved);
  cwd_changed_ = true;
}

void Session::set_variable(const std::string& name, const std::string& value) {
  unset_variable(name);
  changes_.back().second = value;
}

void Session::unset_variable(const std::string& name) {
  std::erase_if(changes_, [&](const auto& change) { return change.first == name; });
  changes_.emplace_back(name, std::nullopt);
}

EnvironmentVariables Session::with_session_variables(EnvironmentVariables variables) const {
  for (const auto& [name, value] : changes_) {
    std::erase_if(variables, [&](const auto& entry) { return entry.first == name; });
    if (value) variables.emplace_back(name, *value);
  }
  return variables;
}

void Session::add_command(std::shared_ptr<RunningCommand> command) {
  commands_.push_back(std::move(command));
  while (commands_.size() > kKeptCommands) {
    auto oldest =
        std::ranges::find_if(commands_, [](const auto& entry) { return entry->finished(); });
    if (oldest == commands_.end()) return;
    commands_.erase(oldest);
  }
}

std::shared_ptr<RunningCommand> Session::find_command(std::string_view id) const {
  auto found =
      std::ranges::find_if(commands_, [&](const auto& command) { return command->id == id; });
  return found == commands_.end() ? nullptr : *found;
}

std::size_t Session::running_commands() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(commands_, [](const auto& command) { return !command->finished(); }));
}

std::optional<std::string> Session::overdue(std::chrono::steady_clock::time_point now,
                                            std::chrono::nanoseconds default_timeout,
                                            std::chrono::nanoseconds default_idle_timeout) const {
  const auto& limits = parts_.gate->policy()->policy().resource_limits;
  const auto total = limits.session_timeout.value_or(default_timeout);
  if (total.count() > 0 && now - started_ >= total) {
    return fmt::format("session_timeout of {} is over", format_duration(total));
  }
  const auto idle = limits.idle_timeout.value_or(default_idle_timeout);
  if (idle.count() > 0 && running_commands() == 0 && now - last_used_ >= idle) {
    return fmt::format("idle for {}", format_duration(idle));
  }
  return {};
}

void Session::start(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  boost::asio::co_spawn(executor_, hear(shared_from_this()), boost::asio::detached);
}

boost::asio::awaitable<void> Session::hear(std::shared_ptr<Session> self) {
  for (;;) {
    auto [error] =
        co_await self->control_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                           boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) break;
    auto handled = self->parts_.process->handle_message();
    if (!handled) {
      if (self->state_ == SessionState::kReady) {
        log_warning("session", "{}: ended: {}", self->id(), handled.error().what);
        self->state_ = SessionState::kFailed;
      }
      break;
    }
  }
  self->parts_.process->abandon_commands();
  if (self->on_end_) self->on_end_();
  self->on_end_ = nullptr;
}

void Session::end(SessionState state) {
  if (state_ != SessionState::kReady) return;
  state_ = state;
  parts_.process->kill();
}

void Session::write_json(JsonWriter& json) const {
  const SessionDescription& description = parts_.description;
  json.begin_object()
      .field("id", std::string_view(description.id))
      .field("state", to_string(state_));
  json.field("created_at", std::string_view(format_rfc3339(created_at_)));
  json.field("workspace", std::string_view(description.workspace));
  json.field("policy", std::string_view(description.policy)).field("cwd", std::string_view(cwd_));
  if (description.virtual_workspace) json.field("virtual_root", kVirtualWorkspace);
  json.optional_field("project_root", description.roots.project)
      .optional_field("git_root", description.roots.git);
  json.field("uid", description.user.uid).optional_field("owner", description.owner);
  json.key("commands").begin_array();
  for (const auto& command : commands_) command->write_json(json);
  json.end_array();
  if (!parts_.warnings.empty()) {
    json.key("warnings").begin_array();
    for (const std::string& warning : parts_.warnings) json.value(std::string_view(warning));
    json.end_array();
  }
  json.end_object();
}

}  // namespace agentsh
