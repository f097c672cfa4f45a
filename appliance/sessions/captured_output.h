// What a command wrote to one stream, read from a pipe as it comes: the first MiB is kept, all of
// it counted.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace agentsh {

class CapturedOutput {
 public:
  static constexpr std::size_t kKept = 1 << 20;

  // Makes the pipe. Give write_end() to the command, then close it by release_write_end().
  static Result<std::unique_ptr<CapturedOutput>> create(boost::asio::any_io_executor executor);

  int write_end() const { return write_end_.get(); }
  void release_write_end() { write_end_.reset(); }

  using OnData = std::function<void(std::string_view)>;
  // Reads until every writer has closed or stop() is called; gives each piece to `on_data` as well.
  boost::asio::awaitable<void> collect(OnData on_data = {});
  // The command is over: what is in the pipe now still counts, what a background child writes later
  // does not.
  void stop();

  const std::string& kept() const { return kept_; }
  std::uint64_t total() const { return total_; }
  bool truncated() const { return total_ > kept_.size(); }

 private:
  CapturedOutput(boost::asio::any_io_executor executor, UniqueFd read_end, UniqueFd write_end);
  bool read_available(std::string& piece);

  boost::asio::posix::stream_descriptor read_end_;
  UniqueFd write_end_;
  std::string kept_;
  std::uint64_t total_ = 0;
  bool stopped_ = false;
};

}  // namespace agentsh
