#include "appliance/directory_watch.h"

#include "base/log.h"
#include "base/result.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

namespace agentsh {
namespace {

// An editor's save is several events.
constexpr auto kSettle = std::chrono::milliseconds(100);
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;

}  // namespace

struct DirectoryWatch::State {
  State(boost::asio::any_io_executor executor, int fd, std::function<void()> callback)
      : events(executor, fd), timer(executor), on_change(std::move(callback)) {}
  boost::asio::posix::stream_descriptor events;
  boost::asio::steady_timer timer;
  std::function<void()> on_change;
};

std::unique_ptr<DirectoryWatch> DirectoryWatch::create(boost::asio::any_io_executor executor,
                                                       const std::vector<std::string>& directories,
                                                       std::function<void()> on_change) {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) {
    log_warning("policy", "changes of policy files are only seen on SIGHUP: {}",
                errno_error("inotify_init1").what);
    return nullptr;
  }
  for (const std::string& directory : directories)
    ::inotify_add_watch(fd, directory.c_str(), kEvents);
  auto state = std::make_shared<State>(executor, fd, std::move(on_change));
  boost::asio::co_spawn(executor, watch(state), boost::asio::detached);
  return std::unique_ptr<DirectoryWatch>(new DirectoryWatch(std::move(state)));
}

DirectoryWatch::DirectoryWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

DirectoryWatch::~DirectoryWatch() {
  boost::system::error_code ignored;
  state_->events.close(ignored);
  state_->timer.cancel();
}

boost::asio::awaitable<void> DirectoryWatch::watch(std::shared_ptr<State> state) {
  for (;;) {
    auto [error] =
        co_await state->events.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                          boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return;
    state->timer.expires_after(kSettle);
    auto [canceled] =
        co_await state->timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (canceled) co_return;
    std::array<char, 16384> buffer;
    while (::read(state->events.native_handle(), buffer.data(), buffer.size()) > 0) {
    }
    state->on_change();
  }
}

}  // namespace agentsh
