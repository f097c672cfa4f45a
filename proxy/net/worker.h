// One thread with one event loop. A connection is given to a worker when it is accepted and stays
// there until it ends: no locks and no strands on the data path. Other threads reach a worker only
// by post().
//
//   WorkerPool workers("proxy", 2);
//   workers.next().post([fd = std::move(fd)]() mutable { ... });
#pragma once

#include "proxy/net/task_group.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace agentsh::net {

class Worker {
 public:
  // Starts the thread. `name` (at most 15 bytes are kept) is what top(1) shows. All signals are
  // blocked in it: they are the main thread's.
  explicit Worker(const std::string& name);
  // stop() without a grace, if it was not called.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::any_io_executor executor() { return context_.get_executor(); }
  bool in_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

  // Runs `work()` in the worker's thread. From any thread.
  template <class Work>
  void post(Work work) {
    boost::asio::post(context_, std::move(work));
  }

  // The worker's coroutines. In the worker's thread only.
  TaskGroup& tasks() { return tasks_; }

  // Shuts the tasks down (TaskGroup::shutdown), stops the loop and joins the thread. From any
  // other thread, once.
  void stop(std::chrono::milliseconds grace);

 private:
  void run(std::string name);

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  TaskGroup tasks_;
  std::thread thread_;
};

class WorkerPool {
 public:
  WorkerPool(const std::string& name, std::size_t count);

  std::size_t size() const { return workers_.size(); }
  Worker& at(std::size_t index) { return *workers_.at(index); }
  // Round robin. From any thread.
  Worker& next() { return *workers_[next_.fetch_add(1) % workers_.size()]; }

  // Stops all at once, each with the same grace. From a thread that is none of them.
  void stop(std::chrono::milliseconds grace);

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace agentsh::net
