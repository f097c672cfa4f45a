// Memory shared with a file (mmap(2), MAP_SHARED): what is written there is in the page cache at
// once and stays when the process is killed at any instruction. It does not survive a power cut
// unless the kernel happened to write it back.
//
// The file's blocks are allocated when it is made, because a store into a hole of a full disk would
// raise SIGBUS. The mapping is not inherited by fork() (MADV_DONTFORK), so that a child can never
// write into its parent's log.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace agentsh::audit {

class SharedMapping {
 public:
  // Makes `path` (which must not exist) with `size` bytes of zero, mode 0600. Fails with
  // no_space_on_device when the disk cannot hold it; then nothing is left behind.
  static Result<SharedMapping> create(const std::string& path, std::size_t size);
  // Maps the whole of an existing regular file. Fails with file_too_large beyond `limit`, and for
  // empty files.
  static Result<SharedMapping> open(const std::string& path, std::size_t limit);

  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  ~SharedMapping();

  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  SharedMapping(std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  static Result<SharedMapping> map(int fd, std::size_t size, const std::string& path);

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace agentsh::audit
