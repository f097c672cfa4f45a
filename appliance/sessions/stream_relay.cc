#include "appliance/sessions/stream_relay.h"

#include <boost/asio/post.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

namespace agentsh {
namespace {

void raise(const UniqueFd& event) {
  const std::uint64_t one = 1;
  // It can only fail when it is raised already.
  [[maybe_unused]] const ssize_t ignored = ::write(event.get(), &one, sizeof one);
}

// At most as much as a pipe that polls as writable takes without blocking.
ssize_t write_some(int fd, std::string_view data) {
  const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return sent;
  return ::write(fd, data.data(), data.size());
}

}  // namespace

Result<std::unique_ptr<StreamRelay>> StreamRelay::start(boost::asio::any_io_executor executor,
                                                        UniqueFd from, UniqueFd to,
                                                        Observer observer) {
  UniqueFd finish(::eventfd(0, EFD_CLOEXEC)), abandon(::eventfd(0, EFD_CLOEXEC));
  if (!finish || !abandon) return std::unexpected(errno_error("eventfd"));
  std::unique_ptr<StreamRelay> relay(new StreamRelay(std::move(executor), std::move(from),
                                                     std::move(to), std::move(observer),
                                                     std::move(finish), std::move(abandon)));
  relay->thread_ = std::thread([self = relay.get()] { self->run(); });
  return relay;
}

StreamRelay::StreamRelay(boost::asio::any_io_executor executor, UniqueFd from, UniqueFd to,
                         Observer observer, UniqueFd finish, UniqueFd abandon)
    : from_(std::move(from)),
      to_(std::move(to)),
      observer_(std::move(observer)),
      finish_(std::move(finish)),
      abandon_(std::move(abandon)),
      ended_(std::make_shared<OneTimeEvent>(executor)) {}

StreamRelay::~StreamRelay() {
  raise(abandon_);
  thread_.join();
}

void StreamRelay::finish() {
  raise(finish_);
}
void StreamRelay::abandon() {
  raise(abandon_);
}

void StreamRelay::run() {
  std::array<char, PIPE_BUF> buffer;
  while (wait_readable()) {
    const ssize_t got = ::read(from_.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) break;  // A terminal without users reads as EIO.
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
    observer_(piece);
    if (!write_all(piece)) break;
  }
  // The writer of `from_` is told by SIGPIPE, the reader of `to_` by the end of the stream.
  from_.reset();
  to_.reset();
  boost::asio::post(ended_->executor(), [ended = ended_] { ended->fire(); });
}

bool StreamRelay::wait_readable() {
  bool finishing = false;
  for (;;) {
    std::array<pollfd, 3> entries = {{{from_.get(), POLLIN, 0},
                                      {abandon_.get(), POLLIN, 0},
                                      {finishing ? -1 : finish_.get(), POLLIN, 0}}};
    const int ready = ::poll(entries.data(), entries.size(), finishing ? 0 : -1);
    if (ready < 0 && errno != EINTR) return false;
    if (entries[1].revents != 0) return false;
    if (entries[0].revents != 0) return true;
    if (finishing && ready == 0) return false;
    if (entries[2].revents != 0) finishing = true;
  }
}

bool StreamRelay::write_all(std::string_view data) {
  while (!data.empty()) {
    std::array<pollfd, 2> entries = {{{to_.get(), POLLOUT, 0}, {abandon_.get(), POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return false;
    if (entries[1].revents != 0) return false;
    const ssize_t sent = write_some(to_.get(), data);
    if (sent < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace agentsh
