// DNS over UDP: every way of asking arrives at the DNS service, and the answers come from the
// resolver that was asked.
#include "base/bytes.h"
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <set>

namespace agentsh::bpf::testing {
namespace {

const Endpoint kResolver4 = *Endpoint::parse("9.9.9.9:53");
const Endpoint kResolver6 = *Endpoint::parse("[2620:fe::fe]:53");

class DnsRedirect : public BothVariants {};
INSTANTIATE_TEST_SUITE_P(Dns, DnsRedirect, ::testing::ValuesIn(kAllVariants), variant_name);

struct Query {
  Endpoint peer;
  Endpoint service;
  std::string bytes;
};

// Serves the UDP listeners of both families with `answer` until `child` has said what it had to
// say.
std::string serve(const SessionFixture& session, Child child,
                  const std::function<std::string(const Query&)>& answer) {
  const int v4 = session.listener(true).dns_udp.get();
  const int v6 = session.listener(false).dns_udp.get();
  for (;;) {
    std::array<pollfd, 3> waits{{{v4, POLLIN, 0}, {v6, POLLIN, 0}, {child.output_fd(), POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), 10000) <= 0) return "the child hangs: " + child.finish();
    for (const pollfd& ready : {waits[0], waits[1]}) {
      if (ready.revents == 0) continue;
      char buffer[1500];
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      auto* address = reinterpret_cast<sockaddr*>(&from);
      const ssize_t got = ::recvfrom(ready.fd, buffer, sizeof buffer, 0, address, &length);
      if (got < 0) continue;
      const netns::ListenerSockets& listener = session.listener(ready.fd == v4);
      const Query query{*Endpoint::from_sockaddr(address, length),
                        {listener.address, listener.dns_udp_port},
                        std::string(buffer, static_cast<std::size_t>(got))};
      const std::string reply = answer(query);
      if (!reply.empty()) ::sendto(ready.fd, reply.data(), reply.size(), 0, address, length);
    }
    if (waits[2].revents != 0) return child.finish();
  }
}

std::string echo(const Query& query) {
  return "re:" + query.bytes;
}

struct Case {
  const char* name;
  Datagram datagram;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const bool connected : {false, true}) {
    for (const bool many : {false, true}) {
      const char* name = connected ? (many ? "connected sendmmsg" : "connected")
                                   : (many ? "unconnected sendmmsg" : "unconnected");
      Datagram datagram{.connected = connected, .many = many, .payload = "q", .want_answer = true};
      datagram.to = kResolver4;
      all.push_back({name, datagram});
      datagram.mapped = true;
      all.push_back({name, datagram});
      datagram.mapped = false;
      datagram.to = kResolver6;
      all.push_back({name, datagram});
    }
  }
  return all;
}

TEST_P(DnsRedirect, AnswersSeemToComeFromTheResolver) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(std::string(each.name) + (each.datagram.mapped ? " mapped " : " ") +
                 each.datagram.to.to_string());
    Child child = session_->start([&] {
      say(send_datagram(each.datagram));
      return 0;
    });
    const std::string source =
        (each.datagram.mapped ? "mapped " : "") + each.datagram.to.to_string();
    std::string expected = "ok";
    for (int i = 0; i < (each.datagram.many ? 2 : 1); ++i) expected += " " + source + " re:q";
    EXPECT_EQ(serve(*session_, std::move(child), echo), expected);
  }
}

TEST_P(DnsRedirect, ConnectedSocketsNameTheResolver) {
  for (const Endpoint& resolver : {kResolver4, kResolver6}) {
    Child child = session_->start([&] {
      say(send_datagram({.to = resolver, .connected = true, .want_peer = true}));
      return 0;
    });
    EXPECT_EQ(serve(*session_, std::move(child), echo), "ok " + resolver.to_string());
  }
}

// --- glibc ---------------------------------------------------------------------------------------

// Answers A and AAAA questions as RFC 1035 has it: the question comes back, with one record that
// points at its name.
std::string answer_addresses(const Query& query) {
  const Bytes bytes = as_bytes(query.bytes);
  ByteReader reader(bytes);
  const std::uint16_t id = reader.u16();
  reader.skip(10);
  const std::size_t name_start = reader.position();
  for (std::uint8_t label = reader.u8(); label != 0 && reader.ok(); label = reader.u8())
    reader.skip(label);
  const std::uint16_t type = reader.u16();
  reader.u16();
  if (!reader.ok()) return {};
  const Bytes question = bytes.subspan(name_start, reader.position() - name_start);
  const bool v4 = type == 1;
  ByteWriter writer;
  writer.u16(id);
  writer.u16(0x8180);  // A response, recursion desired and available, no error.
  writer.u16(1);
  writer.u16(1);
  writer.u32(0);
  writer.bytes(question);
  writer.u16(0xc00c);  // The name at offset 12.
  writer.u16(type);
  writer.u16(1);
  writer.u32(60);
  const IpAddress address = *IpAddress::parse(v4 ? "93.184.216.34" : "2606:2800:220:1::1");
  const Bytes value = v4 ? Bytes(address.bytes()).subspan(12) : Bytes(address.bytes());
  writer.u16(static_cast<std::uint16_t>(value.size()));
  writer.bytes(value);
  return std::string(as_text(writer.view()));
}

// What resolv.conf would do, without touching the machine's.
void ask_resolver(const Endpoint& resolver) {
  ::res_init();
  _res.nscount = 1;
  if (resolver.address.is_v4()) {
    sockaddr_storage storage;
    resolver.to_sockaddr(storage);
    std::memcpy(&_res.nsaddr_list[0], &storage, sizeof(sockaddr_in));
  }
}

std::string look_up(const char* name, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(name, "443", &hints, &list); error != 0)
    return ::gai_strerror(error);
  std::set<std::string> found;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    found.insert(Endpoint::from_sockaddr(each->ai_addr, each->ai_addrlen)->to_string());
  }
  ::freeaddrinfo(list);
  std::string text;
  for (const std::string& each : found) text += each + " ";
  return text;
}

TEST_P(DnsRedirect, GlibcResolves) {
  for (const int flags : {0, AI_ADDRCONFIG}) {
    Child child = session_->start([&] {
      ask_resolver(kResolver4);
      say(look_up("www.example.com", flags));
      return 0;
    });
    EXPECT_EQ(serve(*session_, std::move(child), answer_addresses),
              "93.184.216.34:443 [2606:2800:220:1::1]:443 ");
  }
}

// --- Attribution ---------------------------------------------------------------------------------

using DnsBpf = BpfOnly;

TEST_F(DnsBpf, KnowsResolverAndProcess) {
  auto session = make_session();
  for (const Case& each : cases()) {
    SCOPED_TRACE(std::string(each.name) + (each.datagram.mapped ? " mapped " : " ") +
                 each.datagram.to.to_string());
    Child child = session->start([&] {
      say(send_datagram(each.datagram));
      return 0;
    });
    const pid_t pid = child.pid();
    int queries = 0;
    serve(*session, std::move(child), [&](const Query& query) {
      ++queries;
      const auto record = redirector_->find_query(session->cookie(), query.peer, query.service);
      EXPECT_TRUE(record);
      if (record) {
        EXPECT_EQ(record->original, each.datagram.to);
        EXPECT_EQ(record->pid, pid);
        EXPECT_EQ(record->comm, "bpf_redirect_te");
      }
      return echo(query);
    });
    EXPECT_EQ(queries, each.datagram.many ? 2 : 1);
  }
}

TEST_F(DnsBpf, GlibcIsNoReasonForRefusals) {
  auto session = make_session();
  Child child = session->start([] {
    ask_resolver(kResolver4);
    say(look_up("www.example.com", AI_ADDRCONFIG));
    return 0;
  });
  serve(*session, std::move(child), answer_addresses);
  // getaddrinfo() connects UDP sockets to what it found, to sort by source address.
  EXPECT_TRUE(take_refusals().empty());
}

TEST_F(DnsBpf, RefusesDirectQueriesToTheService) {
  auto session = make_session();
  for (const netns::ListenerSockets& listener : session->listeners()) {
    const Endpoint service{listener.address, listener.dns_udp_port};
    for (const bool connected : {false, true}) {
      const std::string said = say_in(*session, Datagram{.to = service, .connected = connected});
      EXPECT_EQ(said, connected ? "connect errno EPERM" : "errno EPERM");
    }
    EXPECT_FALSE(wait_readable(listener.dns_udp.get(), 0));
  }
}

}  // namespace
}  // namespace agentsh::bpf::testing
