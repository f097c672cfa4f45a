// A secret in memory of its own: not in core dumps (madvise(2), MADV_DONTDUMP), not swapped out
// where the limit of locked memory allows it, wiped when it goes.
//
// Movable, not copyable; share it by shared_ptr. Threads: immutable.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace agentsh {

class SecretText {
 public:
  // Errors: no memory.
  static Result<SecretText> copy_of(std::string_view text);

  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText();

  std::string_view view() const { return {data_, size_}; }
  std::size_t size() const { return size_; }

 private:
  SecretText(char* data, std::size_t size, std::size_t mapped)
      : data_(data), size_(size), mapped_(mapped) {}
  void release();

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

// Overwrites what a string holds and empties it: for copies on the way to or from a SecretText.
void wipe(std::string& text);

}  // namespace agentsh
