#include "proxy/net/splice_pipe.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace agentsh::net {
namespace {

constexpr std::size_t kMaxSpares = 16;
constexpr int kWantedCapacity = 256 << 10;
constexpr std::size_t kDefaultCapacity = 64 << 10;

Result<std::size_t> splice_once(int from, int to, std::size_t size) {
  for (;;) {
    const ssize_t moved =
        ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved >= 0) return static_cast<std::size_t>(moved);
    if (errno != EINTR) return std::unexpected(errno_error("splice"));
  }
}

}  // namespace

struct SplicePipe::Spares {
  static std::vector<Ends>& of_this_thread() {
    thread_local std::vector<Ends> pipes;
    return pipes;
  }
};

SplicePipe::SplicePipe(SplicePipe&& other) noexcept
    : ends_(std::move(other.ends_)), held_(std::exchange(other.held_, 0)) {}

SplicePipe& SplicePipe::operator=(SplicePipe&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  ends_ = std::move(other.ends_);
  held_ = std::exchange(other.held_, 0);
  return *this;
}

void SplicePipe::give_back() {
  if (!ends_.read || held_ > 0) return;
  std::vector<Ends>& spares = Spares::of_this_thread();
  if (spares.size() < kMaxSpares) spares.push_back(std::move(ends_));
}

Result<SplicePipe> SplicePipe::borrow() {
  SplicePipe pipe;
  std::vector<Ends>& spares = Spares::of_this_thread();
  if (!spares.empty()) {
    pipe.ends_ = std::move(spares.back());
    spares.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::unexpected(errno_error("pipe2"));
  pipe.ends_.read.reset(ends[0]);
  pipe.ends_.write.reset(ends[1]);
  // More than the default is a wish: an ordinary user's pages for pipes are limited.
  const int capacity = ::fcntl(ends[1], F_SETPIPE_SZ, kWantedCapacity);
  pipe.ends_.capacity = capacity > 0 ? static_cast<std::size_t>(capacity) : kDefaultCapacity;
  return pipe;
}

Result<std::size_t> SplicePipe::fill(int socket) {
  Result<std::size_t> moved = splice_once(socket, ends_.write.get(), ends_.capacity);
  if (moved) held_ += *moved;
  return moved;
}

Result<std::size_t> SplicePipe::drain(int socket) {
  Result<std::size_t> moved = splice_once(ends_.read.get(), socket, held_);
  if (moved) held_ -= *moved;
  return moved;
}

}  // namespace agentsh::net
