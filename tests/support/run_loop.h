// Runs one coroutine on an event loop to its end, for tests and benchmarks.
//
//   asio::io_context loop(1);
//   Result<std::size_t> got = run_loop(loop, net::read(stream, buffer));
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

namespace agentsh::test {

// The coroutine's result; rethrows what it throws. Other work of the loop runs meanwhile and is
// left where it is afterwards.
template <class T>
T run_loop(boost::asio::io_context& loop, boost::asio::awaitable<T> task) {
  std::optional<T> result;
  std::exception_ptr failure;
  bool done = false;
  boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
    failure = error;
    result.emplace(std::move(value));
    done = true;
  });
  loop.restart();
  while (!done && loop.run_one() > 0) {
  }
  if (failure) std::rethrow_exception(failure);
  if (!done) {
    std::fputs("run_loop: the loop ran dry before the coroutine ended\n", stderr);
    std::abort();
  }
  return std::move(*result);
}

inline void run_loop(boost::asio::io_context& loop, boost::asio::awaitable<void> task) {
  std::exception_ptr failure;
  bool done = false;
  boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) {
    failure = error;
    done = true;
  });
  loop.restart();
  while (!done && loop.run_one() > 0) {
  }
  if (failure) std::rethrow_exception(failure);
  if (!done) {
    std::fputs("run_loop: the loop ran dry before the coroutine ended\n", stderr);
    std::abort();
  }
}

}  // namespace agentsh::test
