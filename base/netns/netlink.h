// The little of netlink(7) that this folder speaks: building messages, one socket, checked walks
// over answers. No libmnl, because the session's init must stay small.
//
// Threads: a socket belongs to whoever holds it. Errors: what the kernel answered, as errno.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace agentsh::netns {

// Messages one after another in one buffer, to be sent with one system call.
class NetlinkWriter {
 public:
  // Starts a message and returns its sequence number, counted from 1.
  std::uint32_t begin(std::uint16_t type, std::uint16_t flags);

  // The fixed header that follows nlmsghdr.
  template <class Header>
  void header(const Header& value) {
    append({reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  void attribute(std::uint16_t type, Bytes data);
  void attribute(std::uint16_t type, std::uint32_t value);

  std::uint32_t count() const { return sequence_; }
  Bytes finish();

 private:
  void append(Bytes data);
  void close_message();

  std::vector<std::uint8_t> out_;
  std::size_t message_ = 0;  // Offset of the open message.
  bool open_ = false;
  std::uint32_t sequence_ = 0;
};

// One message of an answer.
struct NetlinkMessage {
  nlmsghdr header{};
  Bytes body;  // After nlmsghdr.

  // The errno (positive) of an NLMSG_ERROR, 0 for an acknowledgement; empty for other messages. A
  // truncated one reads as EBADMSG.
  std::optional<int> error() const;
};

// Calls `visit` for each message of a datagram until it returns false. False when the datagram is
// malformed.
bool walk_messages(Bytes datagram, const std::function<bool(const NetlinkMessage&)>& visit);

// The payload of the first attribute of `type` in `attributes`; empty where there is none.
Bytes find_attribute(Bytes attributes, std::uint16_t type);

class NetlinkSocket {
 public:
  // A close-on-exec socket of NETLINK_ROUTE, NETLINK_NETFILTER, ... in the calling thread's network
  // namespace. Receiving gives up after two seconds (resource_unavailable_try_again): the kernel
  // answers within the send call, so an answer that is not there does not come.
  static Result<NetlinkSocket> open(int protocol);
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  UniqueFd release() { return std::move(fd_); }

  Result<> send(Bytes messages) const;
  // One datagram of answers.
  Result<std::vector<std::uint8_t>> receive() const;
  // Sends messages that all have NLM_F_ACK and sequence numbers 1 to `count`; returns the errno of
  // each.
  Result<std::vector<int>> exchange(Bytes messages, std::uint32_t count) const;

 private:
  UniqueFd fd_;
};

// send() and receive() on a descriptor that the caller owns.
Result<> netlink_send(int fd, Bytes messages);
Result<std::vector<std::uint8_t>> netlink_receive(int fd);

}  // namespace agentsh::netns
