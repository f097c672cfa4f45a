// Runs commands in sessions: decided first, then started with the environment that policy leaves,
// watched until they end.
//
//   CommandRunner runner(recorder, options);
//   ExecOutcome outcome = co_await runner.run_captured(session, request, stdin_fds, connection);
//   co_await runner.run_attached(session, request, fds, connection);
//
// Threads: the API's loop.
#pragma once

#include "appliance/api/exchange.h"
#include "appliance/sessions/exec_request.h"
#include "appliance/sessions/exec_response.h"
#include "appliance/sessions/one_time_event.h"
#include "appliance/sessions/session.h"
#include "audit/collector.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentsh {

class CommandRunner {
 public:
  struct Options {
    std::chrono::nanoseconds default_timeout{0};  // 0: none.
    EnvironmentVariables inject;                  // sandbox.env_inject of the configuration.
    std::string recordings;  // Directory, one folder per session, for what policies want recorded.
  };

  CommandRunner(audit::Recorder& recorder, Options options)
      : recorder_(recorder), options_(std::move(options)) {}

  // The output is collected; stdin is fds[0], or the request's text, or nothing. The command ends
  // when the client goes.
  boost::asio::awaitable<ExecOutcome> run_captured(std::shared_ptr<Session> session,
                                                   ExecRequest request, std::vector<UniqueFd> fds,
                                                   api::Connection& connection);

  // The command has the client's descriptors. Answers on the connection itself: 101 and then lines,
  // or, when the command is refused before it starts, the returned outcome as an ordinary response.
  boost::asio::awaitable<std::optional<ExecOutcome>> run_attached(std::shared_ptr<Session> session,
                                                                  ExecRequest request,
                                                                  std::vector<UniqueFd> fds,
                                                                  api::Connection& connection);

 private:
  struct Run;
  boost::asio::awaitable<bool> admit(Run& run);
  boost::asio::awaitable<bool> run_builtin(Run& run);
  bool prepare_environment(Run& run, const policy::CommandFacts& facts);
  bool open_recording(Run& run);
  bool start(Run& run, std::span<const int> fds);
  boost::asio::awaitable<void> wait_for_end(Run& run);
  boost::asio::awaitable<void> await_closed_connections(Run& run, audit::EventCollector& collector);
  void finish(Run& run);

  audit::Recorder& recorder_;
  Options options_;
};

}  // namespace agentsh
