#include "proxy/net/readiness.h"

#include "base/log.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <sys/epoll.h>

#include <cassert>
#include <exception>
#include <utility>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kEdgesAtOnce = 128;
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

std::uint64_t key_of(std::uint32_t index, std::uint32_t generation) {
  return std::uint64_t{generation} << 32 | index;
}

}  // namespace

Readiness& Readiness::of(const asio::any_io_executor& executor) {
  return asio::use_service<Readiness>(asio::query(executor, asio::execution::context));
}

Readiness::Readiness(asio::execution_context& context)
    : service(context), context_(static_cast<asio::io_context&>(context)) {}

Readiness::~Readiness() = default;

// The coroutines that still wait are destroyed, and with them their streams, which call remove().
void Readiness::shutdown() {
  std::vector<Handler> left;
  for (Place& place : places_) {
    for (auto& waiting : place.waiting) {
      if (waiting) left.push_back(std::move(*waiting));
      waiting.reset();
    }
  }
  waiting_ = 0;
  left.clear();
  set_.reset();
}

Result<> Readiness::open() {
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set) return std::unexpected(errno_error("epoll_create1"));
  set_.emplace(context_);
  boost::system::error_code error;
  set_->assign(set.get(), error);
  if (error) {
    set_.reset();
    return std::unexpected(errno_error(error.value(), "epoll_ctl", "the set of sockets"));
  }
  static_cast<void>(set.release());
  return {};
}

Result<std::uint32_t> Readiness::add(int fd) {
  if (!set_) {
    if (auto opened = open(); !opened) return std::unexpected(opened.error());
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(places_.size()));
    places_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  Place& place = at(index);
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    .data = {.u64 = key_of(index, place.generation)}};
  if (::epoll_ctl(set_->native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return std::unexpected(errno_error("epoll_ctl", "a socket"));
  }
  free_.pop_back();
  return index;
}

// The kernel takes the socket out of the set when its last descriptor is closed. A copy that lives
// on, in a child between fork and exec, sends edges of a generation that is over.
void Readiness::remove(std::uint32_t index) {
  Place& place = at(index);
  end_waits(place);
  ++place.generation;
  place.ended = false;
  place.ready = {};
  free_.push_back(index);
}

void Readiness::take_out(int fd) {
  ::epoll_ctl(set_->native_handle(), EPOLL_CTL_DEL, fd, nullptr);
}

void Readiness::end_waits(Place& place) {
  for (auto& waiting : place.waiting) {
    if (!waiting) continue;
    asio::post(context_, [handler = std::move(*waiting)]() mutable { std::move(handler)(false); });
    waiting.reset();
  }
}

void Readiness::end_wait(std::optional<Handler>& waiting) {
  asio::post(context_, [handler = take_waiting(waiting)]() mutable { std::move(handler)(false); });
  if (waiting_ == 0 && watching_) set_->cancel();
}

void Readiness::cancel_wait(std::uint32_t index, std::uint32_t generation, Want want) {
  Place& place = at(index);
  auto& waiting = place.waiting[static_cast<std::size_t>(want)];
  if (place.generation == generation && waiting) end_wait(waiting);
}

void Readiness::put_waiting(Place& place, Want want, Handler handler) {
  auto& waiting = place.waiting[static_cast<std::size_t>(want)];
  assert(!waiting && "one wait of a kind at a time");
  waiting.emplace(std::move(handler));
  ++waiting_;
  watch();
}

Readiness::Handler Readiness::take_waiting(std::optional<Handler>& waiting) {
  Handler handler = std::move(*waiting);
  waiting.reset();
  --waiting_;
  return handler;
}

void Readiness::watch() {
  if (std::exchange(watching_, true)) return;
  set_->async_wait(asio::posix::descriptor_base::wait_read,
                   [this](const boost::system::error_code& error) {
                     // Still true while edges are taken: what waits anew is seen below.
                     if (!error) take_edges();
                     watching_ = false;
                     if (waiting_ > 0 && set_) watch();
                   });
}

void Readiness::take_edges() {
  std::array<epoll_event, kEdgesAtOnce> edges;
  const int count =
      ::epoll_wait(set_->native_handle(), edges.data(), static_cast<int>(edges.size()), 0);
  for (int i = 0; i < count; ++i) {
    // The other sockets' edges come only once.
    try {
      on_edge(edges[i].data.u64, edges[i].events);
    } catch (const std::exception& error) {
      log_error("net", "an exception reached the event loop: {}", error.what());
    }
  }
}

void Readiness::on_edge(std::uint64_t key, std::uint32_t events) {
  const auto index = static_cast<std::uint32_t>(key);
  const auto generation = static_cast<std::uint32_t>(key >> 32);
  Place& place = at(index);
  if (place.generation != generation) return;
  if ((events & kEnded) != 0) place.ended = true;
  const auto mark = [&](Want want, std::uint32_t which) {
    if ((events & which) != 0) place.ready[static_cast<std::size_t>(want)] = true;
  };
  mark(Want::kRead, kReadable);
  mark(Want::kWrite, kWritable);
  // Whoever is resumed may give the place up.
  for (const Want want : {Want::kRead, Want::kWrite}) {
    auto& waiting = place.waiting[static_cast<std::size_t>(want)];
    if (place.generation != generation) return;
    if (!waiting || !place.ready[static_cast<std::size_t>(want)]) continue;
    take_waiting(waiting)(true);
  }
}

Result<SocketWatch> SocketWatch::add(Readiness& readiness, int fd) {
  auto index = readiness.add(fd);
  if (!index) return std::unexpected(index.error());
  return SocketWatch(readiness, *index);
}

SocketWatch::SocketWatch(SocketWatch&& other) noexcept
    : readiness_(std::exchange(other.readiness_, nullptr)), index_(other.index_) {}

SocketWatch& SocketWatch::operator=(SocketWatch&& other) noexcept {
  reset();
  readiness_ = std::exchange(other.readiness_, nullptr);
  index_ = other.index_;
  return *this;
}

void SocketWatch::reset() {
  if (readiness_ != nullptr) std::exchange(readiness_, nullptr)->remove(index_);
}

void SocketWatch::release(int fd) {
  readiness_->take_out(fd);
  reset();
}

asio::awaitable<bool> SocketWatch::wait(Want want) {
  const auto start = [this, want](Readiness::Handler handler) {
    Readiness& readiness = *readiness_;
    if (auto cancel = asio::get_associated_cancellation_slot(handler); cancel.is_connected()) {
      cancel.assign(
          [&readiness, index = index_, generation = place().generation,
           want](asio::cancellation_type) { readiness.cancel_wait(index, generation, want); });
    }
    readiness.put_waiting(place(), want, std::move(handler));
  };
  asio::use_awaitable_t<> token;
  return asio::async_initiate<asio::use_awaitable_t<>, void(bool)>(start, token);
}

}  // namespace agentsh::net
