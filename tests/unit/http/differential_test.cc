// What we forward is read by real servers as we read it: the same requests with the same content,
// or refused, but never more, fewer or other ones.
#include "base/encoding.h"
#include "tests/unit/http/peers.h"
#include "tests/unit/http/request_pipe.h"
#include "tests/unit/http/smuggling_cases.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace agentsh::http {
namespace {

constexpr std::string_view kLast =
    "GET /last HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

std::string expected_line(const SeenMessage& message) {
  const std::size_t space = message.start.find(' ');
  return fmt::format("{} {} {}", message.start.substr(0, space),
                     to_hex(as_bytes(std::string_view(message.start).substr(space + 1))),
                     to_hex(as_bytes(message.content)));
}

std::string trimmed(std::string line) {
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

struct Comparison {
  unsigned agreed = 0;
  unsigned refused = 0;
};

void compare(const Peer& peer, const SmugglingCase& one, Comparison& result) {
  SCOPED_TRACE(fmt::format("{} reads \"{}\"", peer.name, one.name));
  RequestPipe pipe;
  pipe.feed(one.payload);
  // Half a message is never completed by us, so there is nothing to compare.
  if (pipe.messages().empty() || pipe.complete_messages() < pipe.messages().size()) return;
  std::vector<std::string> expected;
  for (const SeenMessage& message : pipe.messages()) {
    expected.push_back(trimmed(expected_line(message)));
  }
  expected.push_back(trimmed(expected_line({.start = "GET /last"})));

  const PeerAnswer answer = Peers::exchange(peer, pipe.output() + std::string(kLast));
  ASSERT_TRUE(answer.closed) << "waits for more, so it reads a longer message than we do";
  // A request may be refused by the server; what it does read is ours and in order.
  std::size_t at = 0;
  for (const std::string& line : answer.seen) {
    while (at < expected.size() && expected[at] != trimmed(line)) ++at;
    ASSERT_LT(at++, expected.size()) << "reads a request that we did not send: " << line;
  }
  ++(answer.seen.size() == expected.size() ? result.agreed : result.refused);
}

TEST(Differential, ServersReadWhatWeForwardAsWeDo) {
  const Peers peers;
  if (peers.running().empty()) GTEST_SKIP() << "no HTTP server is installed";
  for (const Peer& peer : peers.running()) {
    Comparison result;
    for (const SmugglingCase& one : all_smuggling_cases()) {
      if (one.payload.starts_with("CONNECT")) continue;  // Not forwarded.
      compare(peer, one, result);
      if (HasFatalFailure()) return;
    }
    fmt::print("{}: {} agreed, {} refused by it\n", peer.name, result.agreed, result.refused);
    EXPECT_GT(result.agreed, 40u);
    EXPECT_LT(result.refused, 12u);
  }
}

}  // namespace
}  // namespace agentsh::http
