#include "tests/unit/dns/scripted_upstream.h"

#include "tests/unit/dns/fakes.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

namespace agentsh::dns {
namespace {

void check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::abort();
}

void set_timeout(int socket, int timeout_ms) {
  const timeval time{timeout_ms / 1000, timeout_ms % 1000 * 1000};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

UniqueFd connected(int type, const Endpoint& server, int timeout_ms) {
  sockaddr_storage address;
  const socklen_t length = server.to_sockaddr(address);
  UniqueFd socket(::socket(address.ss_family, type | SOCK_CLOEXEC, 0));
  set_timeout(socket.get(), timeout_ms);
  check(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0, "connect");
  return socket;
}

bool read_exactly(int socket, std::uint8_t* out, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, out, size, 0);
    if (got <= 0) return false;
    out += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::vector<std::uint8_t>> read_frame(int socket) {
  std::uint8_t prefix[2];
  if (!read_exactly(socket, prefix, 2)) return {};
  std::vector<std::uint8_t> message(static_cast<std::size_t>(prefix[0]) << 8 | prefix[1]);
  if (!read_exactly(socket, message.data(), message.size())) return {};
  return message;
}

void append_frame(std::vector<std::uint8_t>& out, Bytes message) {
  out.push_back(static_cast<std::uint8_t>(message.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(message.size()));
  out.insert(out.end(), message.begin(), message.end());
}

}  // namespace

UniqueFd bound_socket(int type, std::string_view address, std::uint16_t port) {
  sockaddr_storage storage;
  const socklen_t length = Endpoint{ip(address), port}.to_sockaddr(storage);
  UniqueFd socket(::socket(storage.ss_family, type | SOCK_CLOEXEC, 0));
  check(::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0, "bind");
  if (type == SOCK_STREAM) check(::listen(socket.get(), 128) == 0, "listen");
  return socket;
}

Endpoint endpoint_of(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length);
  return Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), length).value();
}

ScriptedUpstream::ScriptedUpstream(Script script, Endpoint endpoint)
    : script_(std::move(script)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  // The same port for both: one that the kernel gave to TCP may be taken for UDP, so try again.
  for (;;) {
    tcp_ = bound_socket(SOCK_STREAM, endpoint.address.to_string(), endpoint.port);
    endpoint_ = endpoint_of(tcp_.get());
    sockaddr_storage storage;
    const socklen_t length = endpoint_.to_sockaddr(storage);
    udp_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::bind(udp_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) break;
    check(endpoint.port == 0, "bind");
  }
  thread_ = std::thread([this] { serve(); });
}

ScriptedUpstream::~ScriptedUpstream() {
  stop_ = true;
  const std::uint64_t one = 1;
  check(::write(wake_.get(), &one, sizeof one) == sizeof one, "eventfd");
  thread_.join();
}

void ScriptedUpstream::serve() {
  while (!stop_) {
    pollfd fds[] = {{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    ::poll(fds, 3, -1);
    if (fds[0].revents != 0) serve_udp();
    if (fds[1].revents != 0) serve_tcp();
  }
}

void ScriptedUpstream::serve_udp() {
  std::uint8_t buffer[4096];
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const ssize_t size =
      ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &length);
  if (size < 0) return;
  const Bytes bytes(buffer, static_cast<std::size_t>(size));
  auto query = parse_query(bytes);
  if (!query) return;
  const auto client =
      Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer), length).value();
  for (const auto& reply : script_({std::move(*query), bytes, false, ++queries_, client})) {
    ::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
  }
}

void ScriptedUpstream::serve_tcp() {
  const UniqueFd socket(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return;
  set_timeout(socket.get(), 2000);
  const auto bytes = read_frame(socket.get());
  if (!bytes) return;
  auto query = parse_query(*bytes);
  if (!query) return;
  ++tcp_queries_;
  std::vector<std::uint8_t> out;
  for (const auto& reply : script_({std::move(*query), *bytes, true, ++queries_, {}})) {
    append_frame(out, reply);
  }
  ::send(socket.get(), out.data(), out.size(), MSG_NOSIGNAL);
}

ScriptedUpstream::Script table_script(std::vector<Record> records) {
  return [records = std::move(records)](const ScriptedUpstream::Exchange& exchange) {
    const Question& asked = *exchange.query.question;
    std::vector<Record> answers;
    Name owner = asked.name;
    bool known = false;
    for (const Record& record : records) {
      if (!(record.owner == owner)) continue;
      known = true;
      if (record.type == asked.type || record.type == RrType::kCname) answers.push_back(record);
      if (record.type == RrType::kCname) owner = std::get<NameData>(record.data).target;
    }
    Message reply =
        reply_to(exchange.query, std::move(answers), known ? Rcode::kNoError : Rcode::kNxDomain);
    if (reply.answers.empty()) {
      reply.authorities.push_back(
          {Name(), RrType::kSoa, 60, SoaData{Name(), Name(), 1, 2, 3, 4, 60}});
    }
    std::vector<std::vector<std::uint8_t>> out;
    out.push_back(write_message(reply, exchange.tcp ? kMaxMessageBytes : kMaxUdpBytes));
    return out;
  };
}

std::vector<std::uint8_t> ask_udp(const Endpoint& server, Bytes query, int timeout_ms) {
  const UniqueFd socket = connected(SOCK_DGRAM, server, timeout_ms);
  ::send(socket.get(), query.data(), query.size(), 0);
  std::vector<std::uint8_t> reply(65535);
  const ssize_t size = ::recv(socket.get(), reply.data(), reply.size(), 0);
  reply.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return reply;
}

std::vector<std::vector<std::uint8_t>> ask_tcp(
    const Endpoint& server, const std::vector<std::vector<std::uint8_t>>& queries,
    std::size_t expected, int timeout_ms) {
  const UniqueFd socket = connected(SOCK_STREAM, server, timeout_ms);
  std::vector<std::uint8_t> out;
  for (const auto& query : queries) append_frame(out, query);
  ::send(socket.get(), out.data(), out.size(), MSG_NOSIGNAL);
  std::vector<std::vector<std::uint8_t>> replies;
  while (replies.size() < expected) {
    auto reply = read_frame(socket.get());
    if (!reply) break;
    replies.push_back(std::move(*reply));
  }
  return replies;
}

}  // namespace agentsh::dns
