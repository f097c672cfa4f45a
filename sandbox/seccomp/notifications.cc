#include "sandbox/seccomp/notifications.h"

#include "base/file_io.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

namespace agentsh::sandbox {

Call::Call(Call&& other) noexcept
    : from_(std::exchange(other.from_, nullptr)),
      id_(other.id_),
      thread_(other.thread_),
      number_(other.number_),
      arguments_(other.arguments_) {}

Call::~Call() {
  if (from_ != nullptr) answer(EPERM);
}

Result<pid_t> Call::process() const {
  auto status = read_file("/proc/" + std::to_string(thread_) + "/status", 1 << 16);
  if (!status) return std::unexpected(status.error());
  constexpr std::string_view kKey = "\nTgid:";
  const std::size_t at = status->find(kKey);
  if (at == std::string::npos) return fail("/proc status has no Tgid");
  const std::size_t number = status->find_first_not_of(" \t", at + kKey.size());
  pid_t process = 0;
  if (number != std::string::npos)
    std::from_chars(status->data() + number, status->data() + status->size(), process);
  if (process <= 0) return fail("/proc status has no Tgid");
  return process;
}

Result<> Call::read(std::uint64_t address, std::span<std::byte> into) const {
  const iovec ours{into.data(), into.size()};
  const iovec theirs{reinterpret_cast<void*>(address), into.size()};
  const ssize_t copied = ::process_vm_readv(thread_, &ours, 1, &theirs, 1, 0);
  if (copied < 0) return std::unexpected(errno_error("process_vm_readv"));
  if (static_cast<std::size_t>(copied) != into.size())
    return fail("memory of the caller ends", std::errc::bad_address);
  return {};
}

Result<std::string> Call::read_text(std::uint64_t address, std::size_t limit) const {
  constexpr std::uint64_t kPage = 4096;
  std::string text;
  while (text.size() < limit) {
    // A page at a time: the next one need not be there.
    std::array<char, kPage> part;
    const std::uint64_t from = address + text.size();
    const std::size_t size = std::min<std::size_t>(kPage - from % kPage, limit - text.size());
    if (auto done = read(from, std::as_writable_bytes(std::span(part)).first(size)); !done)
      return std::unexpected(done.error());
    const std::string_view got(part.data(), size);
    const std::size_t end = got.find('\0');
    text += got.substr(0, end);
    if (end != std::string_view::npos) return text;
  }
  return fail("a text is too long", std::errc::filename_too_long);
}

// A thread may have descriptors of its own; before Linux 6.9 only the process's can be had.
constexpr unsigned kPidfdThread = O_EXCL;

Result<UniqueFd> Call::descriptor(int number) const {
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, thread_, kPidfdThread)));
  if (!handle) {
    auto owner = process();
    if (!owner) return std::unexpected(owner.error());
    handle.reset(static_cast<int>(::syscall(SYS_pidfd_open, *owner, 0)));
  }
  if (!handle) return std::unexpected(errno_error("pidfd_open"));
  UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, handle.get(), number, 0)));
  if (!copy) return std::unexpected(errno_error("pidfd_getfd"));
  return copy;
}

bool Call::is_waiting() const {
  std::uint64_t id = id_;
  return ::ioctl(from_->listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void Call::answer(int error) {
  seccomp_notif_resp response{};
  response.id = id_;
  response.error = -error;
  // ENOENT: it has died.
  ::ioctl(std::exchange(from_, nullptr)->listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

Result<std::optional<Call>> Notifications::next() {
  seccomp_notif notification{};
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
    if (errno == ENOENT || errno == EINTR) return std::optional<Call>();
    return std::unexpected(errno_error("SECCOMP_IOCTL_NOTIF_RECV"));
  }
  std::array<std::uint64_t, 6> arguments{};
  std::ranges::copy(notification.data.args, arguments.begin());
  return std::optional<Call>(Call(*this, notification.id, static_cast<pid_t>(notification.pid),
                                  notification.data.nr, arguments));
}

}  // namespace agentsh::sandbox
