#include "appliance/sessions/directory_check.h"

#include "appliance/sessions/one_time_event.h"
#include "base/unique_fd.h"

#include <fcntl.h>

namespace agentsh {

boost::asio::awaitable<Result<>> check_directory(std::shared_ptr<Session> session,
                                                 std::string directory) {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) co_return std::unexpected(errno_error("open", "/dev/null"));
  sandbox::Spawn spawn;
  // A directory is no program: what enters the place fails one step later, and nothing is run.
  spawn.path = "/";
  spawn.argv = {"/"};
  spawn.directory = std::move(directory);
  // Shared with the callbacks, which outlive this coroutine when it is thrown away.
  struct Answer {
    explicit Answer(boost::asio::any_io_executor executor) : came(std::move(executor)) {}
    Result<> entered;
    OneTimeEvent came;
  };
  auto answer = std::make_shared<Answer>(session->executor());
  sandbox::SessionProcess::CommandEvents events;
  events.failed = [answer](const sandbox::SpawnFailed& failed) {
    if (failed.directory) answer->entered = fail(failed.what);
    answer->came.fire();
  };
  events.exited = [answer](const sandbox::Exited&) { answer->came.fire(); };
  const int fds[] = {null.get(), null.get(), null.get()};
  auto asked = session->process().spawn(std::move(spawn), fds, std::move(events));
  if (!asked) co_return std::unexpected(asked.error());
  co_await answer->came.wait();
  co_return answer->entered;
}

}  // namespace agentsh
