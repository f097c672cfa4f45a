// Bytes read and not consumed yet. The storage is one block of 64 KB, borrowed from a stock of this
// thread when bytes come and handed back when the buffer is empty and told so: a connection that
// waits holds none.
//
// Threads: used and destroyed on one thread.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <memory>
#include <span>

namespace agentsh::flows {

class Buffer {
 public:
  static constexpr std::size_t kBlockBytes = 64 << 10;

  Buffer() = default;
  ~Buffer() { release(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // What is there.
  Bytes data() const { return {block_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  // Room at the end, after moving what is there to the front if need be. Empty when the block is
  // full. Moves bytes: views of data() end here.
  std::span<std::uint8_t> room();
  void added(std::size_t count) { end_ += count; }
  void consume(std::size_t count);
  void append(Bytes bytes);  // Precondition: they fit room().

  // Hands the block back if nothing is in it. Before every wait.
  void release_if_empty() {
    if (empty()) release();
  }
  bool holds_block() const { return block_ != nullptr; }

 private:
  void release();

  std::unique_ptr<std::uint8_t[]> block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace agentsh::flows
