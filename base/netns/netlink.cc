#include "base/netns/netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

namespace agentsh::netns {
namespace {

// Large enough for any answer asked for here; NLMSG_GOODSIZE of the kernel is smaller.
constexpr std::size_t kReceiveSize = 32768;

std::size_t aligned(std::size_t length) {
  return (length + 3) & ~std::size_t{3};
}

}  // namespace

std::uint32_t NetlinkWriter::begin(std::uint16_t type, std::uint16_t flags) {
  close_message();
  message_ = out_.size();
  open_ = true;
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = ++sequence_;
  append({reinterpret_cast<const std::uint8_t*>(&head), sizeof head});
  return sequence_;
}

void NetlinkWriter::attribute(std::uint16_t type, Bytes data) {
  nlattr head{};
  head.nla_type = type;
  head.nla_len = static_cast<std::uint16_t>(sizeof head + data.size());
  append({reinterpret_cast<const std::uint8_t*>(&head), sizeof head});
  append(data);
}

void NetlinkWriter::attribute(std::uint16_t type, std::uint32_t value) {
  attribute(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

Bytes NetlinkWriter::finish() {
  close_message();
  return out_;
}

void NetlinkWriter::append(Bytes data) {
  out_.insert(out_.end(), data.begin(), data.end());
  out_.resize(aligned(out_.size()));
}

void NetlinkWriter::close_message() {
  if (!open_) return;
  const auto length = static_cast<std::uint32_t>(out_.size() - message_);
  std::memcpy(out_.data() + message_, &length, sizeof length);
  open_ = false;
}

std::optional<int> NetlinkMessage::error() const {
  if (header.nlmsg_type != NLMSG_ERROR) return {};
  std::int32_t negative = 0;
  if (body.size() < sizeof negative) return EBADMSG;
  std::memcpy(&negative, body.data(), sizeof negative);
  return -negative;
}

bool walk_messages(Bytes datagram, const std::function<bool(const NetlinkMessage&)>& visit) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    NetlinkMessage message;
    std::memcpy(&message.header, datagram.data(), sizeof message.header);
    const std::size_t length = message.header.nlmsg_len;
    if (length < sizeof(nlmsghdr) || length > datagram.size()) return false;
    message.body = datagram.subspan(sizeof(nlmsghdr), length - sizeof(nlmsghdr));
    if (!visit(message)) return true;
    datagram = datagram.subspan(std::min(aligned(length), datagram.size()));
  }
  return datagram.empty();
}

Bytes find_attribute(Bytes attributes, std::uint16_t type) {
  while (attributes.size() >= sizeof(nlattr)) {
    nlattr head;
    std::memcpy(&head, attributes.data(), sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > attributes.size()) return {};
    if ((head.nla_type & NLA_TYPE_MASK) == type) {
      return attributes.subspan(sizeof head, head.nla_len - sizeof head);
    }
    attributes = attributes.subspan(std::min(aligned(head.nla_len), attributes.size()));
  }
  return {};
}

Result<> netlink_send(int fd, Bytes messages) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = ::sendto(fd, messages.data(), messages.size(), 0,
                                reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent < 0) return std::unexpected(errno_error("send", "netlink"));
  if (static_cast<std::size_t>(sent) != messages.size()) return fail("netlink message was cut");
  return {};
}

Result<std::vector<std::uint8_t>> netlink_receive(int fd) {
  std::vector<std::uint8_t> buffer(kReceiveSize);
  sockaddr_nl from{};
  socklen_t from_length = sizeof from;
  ssize_t got;
  do {
    got = ::recvfrom(fd, buffer.data(), buffer.size(), MSG_TRUNC,
                     reinterpret_cast<sockaddr*>(&from), &from_length);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::unexpected(errno_error("receive", "netlink"));
  if (from.nl_pid != 0)
    return fail("netlink message from another process", std::errc::permission_denied);
  if (static_cast<std::size_t>(got) > buffer.size()) return fail("netlink answer was cut");
  buffer.resize(static_cast<std::size_t>(got));
  return buffer;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return std::unexpected(errno_error("socket", "AF_NETLINK"));
  const timeval two_seconds{2, 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &two_seconds, sizeof two_seconds) != 0) {
    return std::unexpected(errno_error("setsockopt", "SO_RCVTIMEO"));
  }
  return NetlinkSocket(std::move(fd));
}

Result<> NetlinkSocket::send(Bytes messages) const {
  return netlink_send(fd_.get(), messages);
}

Result<std::vector<std::uint8_t>> NetlinkSocket::receive() const {
  return netlink_receive(fd_.get());
}

Result<std::vector<int>> NetlinkSocket::exchange(Bytes messages, std::uint32_t count) const {
  if (auto sent = send(messages); !sent) return std::unexpected(sent.error());
  std::vector<int> errors(count, 0);
  std::uint32_t answered = 0;
  while (answered < count) {
    auto datagram = receive();
    if (!datagram) return std::unexpected(datagram.error());
    const bool sound = walk_messages(*datagram, [&](const NetlinkMessage& message) {
      const auto error = message.error();
      const std::uint32_t sequence = message.header.nlmsg_seq;
      if (!error || sequence == 0 || sequence > count) return true;
      errors[sequence - 1] = *error;
      ++answered;
      return true;
    });
    if (!sound) return fail("malformed netlink answer", std::errc::bad_message);
  }
  return errors;
}

}  // namespace agentsh::netns
