#include "appliance/sessions/command_watch.h"

#include "base/json_reader.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace agentsh {
namespace {

// Between the request to end and the order to.
constexpr auto kKillGrace = std::chrono::seconds(2);

}  // namespace

boost::asio::awaitable<void> enforce_timeout(std::shared_ptr<Session> session,
                                             std::shared_ptr<RunningCommand> command,
                                             std::chrono::nanoseconds limit, bool& timed_out) {
  boost::asio::steady_timer timer(session->executor(), limit);
  auto [error] = co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (error) co_return;
  timed_out = true;
  command->killed = true;
  session->process().signal(command->spawn_id, SIGTERM, true);
  timer.expires_after(kKillGrace);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  session->process().signal(command->spawn_id, SIGKILL, true);
}

boost::asio::awaitable<void> end_abandoned(std::shared_ptr<Session> session,
                                           std::shared_ptr<RunningCommand> command) {
  session->process().signal(command->spawn_id, SIGHUP, true);
  boost::asio::steady_timer timer(session->executor(), kKillGrace);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  session->process().signal(command->spawn_id, SIGKILL, true);
}

boost::asio::awaitable<void> watch_client(std::shared_ptr<Session> session,
                                          std::shared_ptr<RunningCommand> command,
                                          std::shared_ptr<CommandRecording> recording,
                                          api::Connection& connection) {
  for (;;) {
    auto line = co_await connection.read_line();
    if (!line) {
      if (line.error().code == std::errc::operation_canceled)
        co_return;  // The command ended first.
      if (recording) recording->abandon();
      co_await end_abandoned(session, command);
      co_return;
    }
    auto document = JsonDocument::parse(*line);
    if (!document) continue;
    const JsonValue message = document->root();
    const auto number = static_cast<int>(message.integer("number"));
    if (message.text("type") == "signal" && number > 0 && number < NSIG) {
      session->process().signal(command->spawn_id, number, true);
    }
    if (message.text("type") == "resize" && recording) {
      recording->resize(static_cast<std::uint16_t>(message.integer("rows")),
                        static_cast<std::uint16_t>(message.integer("columns")));
    }
  }
}

}  // namespace agentsh
