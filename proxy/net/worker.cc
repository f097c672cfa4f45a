#include "proxy/net/worker.h"

#include "base/log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <pthread.h>
#include <signal.h>

#include <exception>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

asio::awaitable<void> end_tasks(TaskGroup& tasks, asio::io_context& context,
                                std::chrono::milliseconds grace) {
  const std::size_t left = co_await tasks.shutdown(grace);
  if (left > 0) log_warning("net", "{} tasks did not end in time and were dropped", left);
  context.stop();
}

}  // namespace

Worker::Worker(const std::string& name)
    : work_(context_.get_executor()), tasks_(context_.get_executor()) {
  thread_ = std::thread(&Worker::run, this, name);
}

Worker::~Worker() {
  if (thread_.joinable()) stop(std::chrono::milliseconds(0));
}

void Worker::run(std::string name) {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  name.resize(std::min<std::size_t>(name.size(), 15));
  ::pthread_setname_np(::pthread_self(), name.c_str());
  // What throws out of a posted function is a bug in it; the other connections go on.
  while (!context_.stopped()) {
    try {
      context_.run();
    } catch (const std::exception& error) {
      log_error("net", "{}: an exception reached the event loop: {}", name, error.what());
    }
  }
}

void Worker::stop(std::chrono::milliseconds grace) {
  post([this, grace] {
    asio::co_spawn(context_, end_tasks(tasks_, context_, grace), asio::detached);
  });
  thread_.join();
}

WorkerPool::WorkerPool(const std::string& name, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<Worker>(name + "-" + std::to_string(i)));
  }
}

void WorkerPool::stop(std::chrono::milliseconds grace) {
  std::vector<std::thread> stoppers;
  for (auto& worker : workers_) {
    stoppers.emplace_back([&worker, grace] { worker->stop(grace); });
  }
  for (std::thread& stopper : stoppers) stopper.join();
}

}  // namespace agentsh::net
