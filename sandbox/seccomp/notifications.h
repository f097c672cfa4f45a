// System calls that wait for the daemon (seccomp_unotify(2)).
//
// The kernel stops a process at a call that a filter names and hands it over here, until it is
// answered or the process dies. What the arguments point at can be changed by the process at any
// time, so it is read once, and the call is never let through to read it again
// (SECCOMP_USER_NOTIF_FLAG_CONTINUE is not used): whoever decides does the work itself, on the
// process's own descriptors.
//
// A call that is not answered is refused (EPERM) when its Call goes. With the listener closed every
// such call fails with ENOSYS.
//
// Threads: one reads; a Call may be answered from any.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace agentsh::sandbox {

class Notifications;

class Call {
 public:
  Call(Call&& other) noexcept;
  Call& operator=(Call&&) = delete;
  ~Call();

  int number() const { return number_; }
  std::uint64_t argument(std::size_t index) const { return arguments_[index]; }
  // The calling thread, and the process that it belongs to, in our PID namespace.
  pid_t thread() const { return thread_; }
  Result<pid_t> process() const;

  // Copies memory of the caller's. Fails with bad_address where it has none.
  Result<> read(std::uint64_t address, std::span<std::byte> into) const;
  // A text that ends with NUL, of at most `limit` bytes with it.
  Result<std::string> read_text(std::uint64_t address, std::size_t limit) const;
  // A duplicate of one of the caller's descriptors: the same open file.
  Result<UniqueFd> descriptor(int number) const;
  // Is it still the process that we looked at? What was read before counts only if so.
  bool is_waiting() const;

  // What the call returns: an errno, or 0.
  void answer(int error);

 private:
  friend class Notifications;
  Call(const Notifications& from, std::uint64_t id, pid_t thread, int number,
       std::array<std::uint64_t, 6> arguments)
      : from_(&from), id_(id), thread_(thread), number_(number), arguments_(arguments) {}

  const Notifications* from_;
  std::uint64_t id_;
  pid_t thread_;
  int number_;
  std::array<std::uint64_t, 6> arguments_;
};

class Notifications {
 public:
  explicit Notifications(UniqueFd listener) : listener_(std::move(listener)) {}

  // Readable when a call waits; hung up when no process has the filter any more (poll(2)).
  int fd() const { return listener_.get(); }
  // The next call. Nothing when its process has died meanwhile.
  Result<std::optional<Call>> next();

 private:
  friend class Call;
  UniqueFd listener_;
};

}  // namespace agentsh::sandbox
