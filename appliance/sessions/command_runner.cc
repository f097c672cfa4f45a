#include "appliance/sessions/command_runner.h"

#include "appliance/secrets/reference.h"
#include "appliance/sessions/captured_output.h"
#include "appliance/sessions/command_recording.h"
#include "appliance/sessions/command_watch.h"
#include "appliance/sessions/companion.h"
#include "appliance/sessions/passed_descriptors.h"
#include "appliance/sessions/session_builtins.h"
#include "audit/collector.h"
#include "base/file_io.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/net/socket_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace agentsh {
namespace {

using namespace std::chrono_literals;
using policy::Decision;
using policy::Verdict;

constexpr int kExitBadRequest = 2;
constexpr int kExitTimeout = 124;
constexpr int kExitDenied = 126;
constexpr int kExitNotStarted = 127;
constexpr std::size_t kMaxEvents = 10'000;
constexpr auto kFlushLimit = 2s;

// Of the client's machine and session, and wrong or dangerous inside ours: where the server is and
// how to authenticate there, proxies that the session does not need, and directories that it does
// not have.
constexpr std::string_view kClientOnly[] = {"AGENTSH_SERVER",
                                            "AGENTSH_API_KEY",
                                            "AGENTSH_CONFIG",
                                            "AGENTSH_CLIENT_TIMEOUT",
                                            "AGENTSH_SESSION_ID",
                                            "AGENTSH_IN_SESSION",
                                            "http_proxy",
                                            "https_proxy",
                                            "all_proxy",
                                            "no_proxy",
                                            "HTTP_PROXY",
                                            "HTTPS_PROXY",
                                            "ALL_PROXY",
                                            "NO_PROXY",
                                            "TMPDIR",
                                            "TMP",
                                            "TEMP",
                                            "XDG_RUNTIME_DIR",
                                            "DBUS_SESSION_BUS_ADDRESS"};

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<UniqueFd> input_from_text(const std::string& text) {
  UniqueFd memory(::memfd_create("stdin", MFD_CLOEXEC));
  if (!memory) return std::unexpected(errno_error("memfd_create"));
  if (auto written = write_all(memory.get(), text, "stdin"); !written)
    return std::unexpected(written.error());
  if (::lseek(memory.get(), 0, SEEK_SET) != 0) return std::unexpected(errno_error("lseek"));
  return memory;
}

ExecProblem problem_of(const Verdict& verdict, const ExecRequest& request) {
  ExecProblem problem{
      "E_POLICY_DENIED", verdict.message(), verdict.rule(), request.command_line(), true, false};
  if (verdict.decision() == Decision::kApprove) {
    problem.code =
        verdict.message().contains("timed out") ? "E_APPROVAL_TIMEOUT" : "E_APPROVAL_DENIED";
    problem.retryable = true;
  }
  return problem;
}

}  // namespace

// One command from admission to its end.
struct CommandRunner::Run {
  Run(std::shared_ptr<Session> in_session, ExecRequest what)
      : session(std::move(in_session)),
        request(std::move(what)),
        begun(session->executor()),
        ended(session->executor()) {
    outcome.command_id = "cmd-" + random_uuid();
    outcome.session_id = session->id();
    outcome.timestamp = std::chrono::system_clock::now();
    command->id = outcome.command_id;
    command->command = request.command;
    command->args = request.args;
    command->started_at = outcome.timestamp;
  }

  audit::Event event(std::string type) const {
    audit::Event event(std::move(type));
    event.command_id = outcome.command_id;
    event.source = "api";
    event.pid = command->pid;
    event.program = request.command.substr(request.command.rfind('/') + 1);
    event.field("command", request.command).field("args", request.args);
    return event;
  }

  void refuse(int exit_code, ExecProblem problem) {
    outcome.exit_code = exit_code;
    outcome.standard_error.text = refusal_text(problem) + "\n";
    outcome.standard_error.total = outcome.standard_error.text.size();
    outcome.problem = std::move(problem);
  }

  std::shared_ptr<Session> session;
  ExecRequest request;
  ExecOutcome outcome;
  std::shared_ptr<RunningCommand> command = std::make_shared<RunningCommand>();
  sandbox::Spawn spawn;
  bool timed_out = false;
  std::optional<sandbox::SpawnFailed> spawn_failed;
  std::optional<sandbox::Exited> exited;
  UniqueFd terminal;
  std::shared_ptr<CommandRecording> recording;  // Null: not recorded.
  OneTimeEvent begun;                           // It runs, or never will.
  OneTimeEvent ended;
};

// Policy, then environment and directory. False: refused, the outcome says why.
boost::asio::awaitable<bool> CommandRunner::admit(Run& run) {
  run.session->touch();
  const policy::CommandFacts facts{run.request.command, run.request.args, 0, {}};
  Verdict verdict = run.session->gate().judge(facts);
  if (verdict.needs_approval() || !verdict.permitted()) {
    // Settled on whatever thread answers; brought back to this loop.
    auto settled = std::make_shared<std::optional<Verdict>>();
    auto answered = std::make_shared<OneTimeEvent>(run.session->executor());
    audit::Event event = run.event("command_policy");
    event.operation = "command_precheck";
    event.path = run.request.command;
    policy::ApprovalRequest approval;
    approval.command_id = run.outcome.command_id;
    approval.kind = "command";
    approval.target = run.request.command_line();
    run.session->gate().settle(
        std::move(verdict), std::move(approval), std::move(event),
        [settled, answered, executor = run.session->executor()](Verdict answer) {
          boost::asio::post(executor, [settled, answered, answer = std::move(answer)] {
            settled->emplace(answer);
            answered->fire();
          });
        });
    co_await answered->wait();
    verdict = std::move(**settled);
    if (!verdict.permitted()) {
      run.refuse(kExitDenied, problem_of(verdict, run.request));
      co_return false;
    }
  } else {
    audit::Event event = run.event("command_policy");
    event.operation = "command_precheck";
    event.path = run.request.command;
    run.session->gate().record(std::move(event), verdict);
  }
  if (const auto& redirect = verdict.redirect()) {
    audit::Event event = run.event("command_redirected");
    event.field("to_command", redirect->target);
    std::vector<std::string> arguments = redirect->arguments;
    arguments.insert(arguments.end(), run.request.args.begin(), run.request.args.end());
    arguments.insert(arguments.end(), redirect->arguments_append.begin(),
                     redirect->arguments_append.end());
    event.field("to_args", arguments);
    run.session->gate().record(std::move(event), verdict);
    run.request.command = redirect->target;
    run.request.args = std::move(arguments);
    for (const auto& variable : redirect->environment) run.request.environment.push_back(variable);
  }
  co_return prepare_environment(run, facts);
}

bool CommandRunner::prepare_environment(Run& run, const policy::CommandFacts& facts) {
  const auto compiled = run.session->gate().policy();
  EnvironmentVariables requested;
  for (auto& variable : run.request.environment) {
    if (std::ranges::find(kClientOnly, variable.first) != std::ranges::end(kClientOnly)) continue;
    requested.push_back(std::move(variable));
  }
  auto has = [&](std::string_view name) {
    return std::ranges::any_of(requested, [&](const auto& entry) { return entry.first == name; });
  };
  const UserIdentity& user = run.session->description().user;
  if (!has("PATH")) requested.emplace_back("PATH", "/usr/local/bin:/usr/bin:/bin");
  if (!has("HOME")) requested.emplace_back("HOME", user.home);
  if (!has("TERM")) requested.emplace_back("TERM", "dumb");
  if (!has("LANG")) requested.emplace_back("LANG", "C.UTF-8");
  requested = run.session->with_session_variables(std::move(requested));
  auto filtered = compiled->environment_for(facts).apply(requested);
  if (!filtered) {
    run.refuse(kExitBadRequest,
               {"E_COMMAND_FAILED", filtered.error().what, {}, run.request.command, false, false});
    return false;
  }
  EnvironmentVariables variables = std::move(filtered->variables);
  auto add = [&](const std::pair<std::string, std::string>& variable) {
    std::erase_if(variables, [&](const auto& entry) { return entry.first == variable.first; });
    variables.push_back(variable);
  };
  for (const auto& variable : options_.inject) add(variable);
  for (const auto& variable : run.session->injected_environment()) add(variable);
  for (const std::string& name : secrets::variables_of(compiled->policy())) {
    std::erase_if(variables, [&](const auto& entry) { return entry.first == name; });
  }
  for (const auto& variable : run.session->service_environment()) add(variable);
  // A shell sets it; a wrong one would mislead other programs.
  std::erase_if(variables, [](const auto& entry) { return entry.first == "PWD"; });

  run.spawn.path = run.request.command;
  run.spawn.argv = {run.request.argv0.empty() ? run.request.command : run.request.argv0};
  run.spawn.argv.insert(run.spawn.argv.end(), run.request.args.begin(), run.request.args.end());
  for (const auto& [name, value] : variables) run.spawn.environment.push_back(name + "=" + value);
  run.spawn.umask = run.request.umask;
  run.spawn.terminal_fds = run.request.terminal_fds;
  run.spawn.rows = run.request.rows;
  run.spawn.columns = run.request.columns;
  // A directory that the client merely stands in is a wish; one that `cd` or the request names is
  // an order.
  const bool wish = run.request.working_directory_optional;
  if (wish) run.spawn.fallback_directory = run.session->cwd();
  run.spawn.directory =
      run.request.working_directory.empty() || (wish && run.session->cwd_changed())
          ? run.session->cwd()
          : run.session->as_seen(run.request.working_directory);
  return true;
}

// A command whose output cannot be recorded as its policy asks does not start. False: it is so.
bool CommandRunner::open_recording(Run& run) {
  auto recording =
      CommandRecording::open(run.session->executor(), run.session->gate().policy()->policy().audit,
                             {options_.recordings + "/" + run.session->id(), run.outcome.command_id,
                              run.request.command_line(), run.request.terminal_fds,
                              run.request.rows, run.request.columns});
  if (!recording) {
    run.refuse(kExitNotStarted,
               {"E_COMMAND_FAILED",
                "the policy wants its output recorded, which fails: " + recording.error().what,
                {},
                run.request.command,
                false,
                true});
    return false;
  }
  run.recording = std::move(*recording);
  return true;
}

// Asks init to start it. False: the outcome says why not.
bool CommandRunner::start(Run& run, std::span<const int> fds) {
  sandbox::SessionProcess::CommandEvents events;
  // The callbacks run while the session hears of its processes; this run waits for `ended` and so
  // outlives them.
  events.started = [&run](pid_t pid, UniqueFd terminal) {
    run.command->pid = pid;
    run.terminal = std::move(terminal);
    run.session->ingress().commands().add(pid, run.outcome.command_id);
    run.session->gate().record(run.event("command_started"));
    run.begun.fire();
  };
  events.failed = [&run](const sandbox::SpawnFailed& failed) {
    run.spawn_failed = failed;
    run.begun.fire();
    run.ended.fire();
  };
  events.exited = [&run](const sandbox::Exited& exited) {
    run.exited = exited;
    run.begun.fire();
    run.ended.fire();
  };
  auto id = run.session->process().spawn(run.spawn, fds, std::move(events));
  if (!id) {
    run.refuse(kExitNotStarted,
               {"E_COMMAND_FAILED", id.error().what, {}, run.request.command, false, false});
    return false;
  }
  run.command->spawn_id = *id;
  run.session->add_command(run.command);
  return true;
}

namespace {

CapturedOutput::OnData into(OutputFile* file) {
  if (file == nullptr) return {};
  return [file](std::string_view piece) { file->append(piece); };
}

}  // namespace

boost::asio::awaitable<void> CommandRunner::wait_for_end(Run& run) {
  const auto& limits = run.session->gate().policy()->policy().resource_limits;
  auto limit = run.request.timeout.value_or(0ns);
  for (const auto& other : {limits.command_timeout.value_or(0ns), options_.default_timeout}) {
    if (other.count() > 0 && (limit.count() == 0 || other < limit)) limit = other;
  }
  std::optional<Companion> timeout;
  if (limit.count() > 0) {
    timeout.emplace(run.session->executor(),
                    enforce_timeout(run.session, run.command, limit, run.timed_out));
  }
  co_await run.ended.wait();
  if (timeout) co_await timeout->end();
}

void CommandRunner::finish(Run& run) {
  ExecOutcome& outcome = run.outcome;
  outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now() - outcome.timestamp);
  if (run.command->pid != 0) run.session->ingress().commands().remove(run.command->pid);
  if (run.spawn_failed) {
    run.refuse(run.spawn_failed->directory ? kExitBadRequest : kExitNotStarted,
               {"E_COMMAND_FAILED", run.spawn_failed->what, {}, run.request.command, false, false});
  } else if (run.exited) {
    outcome.exit_code = run.timed_out ? kExitTimeout : exit_code_of(run.exited->status);
    outcome.cpu_user = std::chrono::microseconds(run.exited->user_us);
    outcome.cpu_system = std::chrono::microseconds(run.exited->system_us);
    outcome.memory_peak_kb = run.exited->max_rss_kb;
  } else {
    run.refuse(kExitNotStarted,
               {"E_COMMAND_FAILED", "the session ended", {}, run.request.command, false, false});
  }
  if (run.timed_out) {
    outcome.standard_error.text += "command timed out\n";
    outcome.standard_error.total += 18;
  }
  RunningCommand& command = *run.command;
  command.exit_code = outcome.exit_code;
  command.duration = outcome.duration;
  command.usage = {outcome.cpu_user, outcome.cpu_system, outcome.memory_peak_kb};
  if (command.killed) run.session->gate().record(run.event("command_killed"));
  audit::Event event = run.event("command_finished");
  event.field("exit_code", std::int64_t{outcome.exit_code})
      .field("duration_ms", std::int64_t{outcome.duration.count()});
  event.field("cpu_user_ms", std::int64_t{outcome.cpu_user.count() / 1000});
  event.field("cpu_system_ms", std::int64_t{outcome.cpu_system.count() / 1000});
  event.field("memory_peak_kb", outcome.memory_peak_kb);
  if (run.recording) run.recording->describe(event);
  run.session->gate().record(std::move(event));
  run.session->touch();
}

boost::asio::awaitable<bool> CommandRunner::run_builtin(Run& run) {
  // The program of that name tells where this one command stands.
  if (run.request.command == "pwd" && run.spawn.directory != run.session->cwd()) co_return false;
  auto result = co_await agentsh::run_builtin(run.session, run.request.command, run.request.args);
  if (!result) co_return false;
  run.outcome.exit_code = result->exit_code;
  run.outcome.standard_output = {result->standard_output, result->standard_output.size()};
  run.outcome.standard_error = {result->standard_error, result->standard_error.size()};
  co_return true;
}

// The connections of a command that is over close at once, unless something of it still runs.
boost::asio::awaitable<void> CommandRunner::await_closed_connections(
    Run& run, audit::EventCollector& collector) {
  constexpr int kLooks = 40;
  boost::asio::steady_timer timer(run.session->executor());
  for (int look = 0; look < kLooks && collector.open_connections() > 0; ++look) {
    timer.expires_after(5ms);
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    recorder_.flush(kFlushLimit);
  }
}

boost::asio::awaitable<ExecOutcome> CommandRunner::run_captured(std::shared_ptr<Session> session,
                                                                ExecRequest request,
                                                                std::vector<UniqueFd> fds,
                                                                api::Connection& connection) {
  Run run(std::move(session), std::move(request));
  run.request.terminal_fds = 0;
  if (auto checked = check_passed_descriptors(fds, ::getpid()); !checked) {
    run.refuse(kExitBadRequest,
               {"E_COMMAND_FAILED", checked.error().what, {}, run.request.command, false, false});
    co_return std::move(run.outcome);
  }
  audit::EventCollector collector(recorder_, run.session->id(), run.outcome.command_id, kMaxEvents);
  auto output = CapturedOutput::create(run.session->executor());
  auto errors = CapturedOutput::create(run.session->executor());
  auto input =
      !fds.empty() ? Result<UniqueFd>(std::move(fds[0])) : input_from_text(run.request.stdin_text);
  if (!output || !errors || !input) {
    run.refuse(kExitNotStarted,
               {"E_COMMAND_FAILED", "no descriptors left", {}, run.request.command, false, true});
    co_return std::move(run.outcome);
  }
  bool admitted = co_await admit(run);
  if (admitted && !co_await run_builtin(run) && open_recording(run)) {
    const int passed[] = {input->get(), (*output)->write_end(), (*errors)->write_end()};
    if (start(run, passed)) {
      (*output)->release_write_end();
      (*errors)->release_write_end();
      input->reset();
      Companion read_output(
          run.session->executor(),
          (*output)->collect(into(run.recording ? run.recording->standard_output() : nullptr)));
      Companion read_errors(
          run.session->executor(),
          (*errors)->collect(into(run.recording ? run.recording->standard_error() : nullptr)));
      Companion watch(run.session->executor(),
                      watch_client(run.session, run.command, run.recording, connection));
      co_await wait_for_end(run);
      co_await watch.end();
      (*output)->stop();
      (*errors)->stop();
      co_await read_output.end();
      co_await read_errors.end();
      run.outcome.standard_output = {(*output)->kept(), (*output)->total()};
      run.outcome.standard_error = {(*errors)->kept(), (*errors)->total()};
      finish(run);
      run.command->standard_output = {run.outcome.standard_output.text,
                                      run.outcome.standard_output.total};
      run.command->standard_error = {run.outcome.standard_error.text,
                                     run.outcome.standard_error.total};
    }
  }
  recorder_.flush(kFlushLimit);
  co_await await_closed_connections(run, collector);
  run.outcome.events = collector.take();
  co_return std::move(run.outcome);
}

boost::asio::awaitable<std::optional<ExecOutcome>> CommandRunner::run_attached(
    std::shared_ptr<Session> session, ExecRequest request, std::vector<UniqueFd> fds,
    api::Connection& connection) {
  Run run(std::move(session), std::move(request));
  if (auto checked = check_passed_descriptors(fds, ::getpid()); !checked) {
    run.refuse(kExitBadRequest,
               {"E_COMMAND_FAILED", checked.error().what, {}, run.request.command, false, false});
    co_return std::move(run.outcome);
  }
  if (!co_await admit(run)) co_return std::move(run.outcome);
  if (co_await run_builtin(run)) co_return std::move(run.outcome);

  if (!open_recording(run)) co_return std::move(run.outcome);
  if (run.recording) {
    if (auto between = run.recording->intercept(fds); !between) {
      run.refuse(kExitNotStarted,
                 {"E_COMMAND_FAILED", between.error().what, {}, run.request.command, false, true});
      co_return std::move(run.outcome);
    }
  }
  std::vector<int> passed;
  for (const UniqueFd& fd : fds) passed.push_back(fd.get());
  if (!start(run, passed)) co_return std::move(run.outcome);
  fds.clear();
  co_await run.begun.wait();
  if (run.spawn_failed) {
    finish(run);
    co_return std::move(run.outcome);
  }
  if (run.recording && run.terminal) {
    auto clients = run.recording->intercept_terminal(std::move(run.terminal));
    // Without its terminal the command gets a hang-up.
    if (clients) run.terminal = std::move(*clients);
  }
  auto told = co_await connection.switch_protocols("agentsh-exec");
  if (told) {
    JsonWriter started;
    started.begin_object()
        .field("type", "started")
        .field("command_id", std::string_view(run.outcome.command_id));
    started.end_object();
    const int terminal[] = {run.terminal.get()};
    told = co_await connection.write(started.take() + "\n", run.terminal
                                                                ? std::span<const int>(terminal)
                                                                : std::span<const int>());
  }
  // The terminal is the client's now: when its copy closes, the command gets a hang-up as from any
  // terminal.
  run.terminal.reset();
  Companion watch(run.session->executor(),
                  told ? watch_client(run.session, run.command, run.recording, connection)
                       : end_abandoned(run.session, run.command));
  co_await wait_for_end(run);
  if (run.recording) co_await run.recording->finish();
  co_await watch.end();
  finish(run);
  JsonWriter over;
  over.begin_object().field("type", "exit").field("exit_code", run.outcome.exit_code);
  if (run.timed_out) over.field("message", "command timed out");
  over.end_object();
  // A client that is gone does not hear of it.
  [[maybe_unused]] auto ignored = co_await connection.write(over.take() + "\n");
  co_return std::nullopt;
}

}  // namespace agentsh
