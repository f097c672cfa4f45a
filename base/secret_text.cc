#include "base/secret_text.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace agentsh {

Result<SecretText> SecretText::copy_of(std::string_view text) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t mapped = std::max<std::size_t>(1, (text.size() + page - 1) / page) * page;
  void* memory =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::unexpected(errno_error("mmap", "a secret"));
  // Best effort: RLIMIT_MEMLOCK may be used up.
  static_cast<void>(::mlock(memory, mapped));
  static_cast<void>(::madvise(memory, mapped, MADV_DONTDUMP));
  static_cast<void>(::madvise(memory, mapped, MADV_WIPEONFORK));
  std::memcpy(memory, text.data(), text.size());
  return SecretText(static_cast<char*>(memory), text.size(), mapped);
}

SecretText::SecretText(SecretText&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

SecretText& SecretText::operator=(SecretText&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  return *this;
}

SecretText::~SecretText() {
  release();
}

void SecretText::release() {
  if (data_ == nullptr) return;
  ::explicit_bzero(data_, mapped_);
  ::munmap(data_, mapped_);
  data_ = nullptr;
}

void wipe(std::string& text) {
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace agentsh
