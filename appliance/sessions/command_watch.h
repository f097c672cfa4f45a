// What goes on beside a running command: its time-out, and its client.
//
// Threads: the API's loop. Each ends when the command does, by cancellation (companion.h).
#pragma once

#include "appliance/api/exchange.h"
#include "appliance/sessions/command_recording.h"
#include "appliance/sessions/running_command.h"
#include "appliance/sessions/session.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>

namespace agentsh {

// Ends the command when its time is over: first asked, then told.
boost::asio::awaitable<void> enforce_timeout(std::shared_ptr<Session> session,
                                             std::shared_ptr<RunningCommand> command,
                                             std::chrono::nanoseconds limit, bool& timed_out);

// The command's client is gone: nobody reads its output or waits for its status.
boost::asio::awaitable<void> end_abandoned(std::shared_ptr<Session> session,
                                           std::shared_ptr<RunningCommand> command);

// Reads what the client sends while its command runs (signals, window sizes); ends the command when
// the client goes. `recording` may be null.
boost::asio::awaitable<void> watch_client(std::shared_ptr<Session> session,
                                          std::shared_ptr<RunningCommand> command,
                                          std::shared_ptr<CommandRecording> recording,
                                          api::Connection& connection);

}  // namespace agentsh
