#include "appliance/sessions/captured_output.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace agentsh {
namespace {

constexpr std::size_t kPiece = 64 << 10;

}  // namespace

Result<std::unique_ptr<CapturedOutput>> CapturedOutput::create(
    boost::asio::any_io_executor executor) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe"));
  UniqueFd read_end(fds[0]), write_end(fds[1]);
  if (::fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0)
    return std::unexpected(errno_error("fcntl"));
  return std::unique_ptr<CapturedOutput>(
      new CapturedOutput(std::move(executor), std::move(read_end), std::move(write_end)));
}

CapturedOutput::CapturedOutput(boost::asio::any_io_executor executor, UniqueFd read_end,
                               UniqueFd write_end)
    : read_end_(executor, read_end.release()), write_end_(std::move(write_end)) {}

bool CapturedOutput::read_available(std::string& piece) {
  piece.resize(kPiece);
  ssize_t got;
  do {
    got = ::read(read_end_.native_handle(), piece.data(), piece.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    piece.clear();
    return !stopped_;  // Nothing now; more may come unless the command is over.
  }
  piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  total_ += piece.size();
  kept_.append(piece, 0, kKept - kept_.size());
  return got > 0;
}

boost::asio::awaitable<void> CapturedOutput::collect(OnData on_data) {
  std::string piece;
  while (read_available(piece)) {
    if (!piece.empty()) {
      if (on_data) on_data(piece);
      continue;
    }
    auto [error] = co_await read_end_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                                 boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error && !stopped_) co_return;
  }
}

void CapturedOutput::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  read_end_.cancel(ignored);
}

}  // namespace agentsh
