// The way of a question with bytes of an attacker at both ends. The input's first two bytes give
// the length of the client's message; the rest is the upstream's reply, put under the exchange's
// own id and question where it leaves room for that. Checked: an answer holds only leased
// addresses, no address of a special class, and fits its limit.
#include "proxy/dns/response.h"
#include "proxy/dns/upstream_exchange.h"
#include "tests/unit/dns/fakes.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

using agentsh::AddressClass;
using agentsh::Bytes;
using agentsh::classify;
using namespace agentsh::dns;

namespace {

const TimePoint kNow = TimePoint(std::chrono::hours(1000));

AnswerPtr answer_from(const UpstreamQuestion& question, Bytes reply) {
  UpstreamExchange exchange(question, true);
  std::vector<std::uint8_t> bytes(reply.begin(), reply.end());
  if (bytes.size() >= 12) {
    bytes[0] = exchange.query()[0];
    bytes[1] = exchange.query()[1];
    bytes[2] |= 0x80;
    // The question as it was asked, with its case.
    const std::size_t size = exchange.query().size() - 11;
    if (bytes.size() >= size) {
      std::copy_n(exchange.query().begin() + 12, size - 12, bytes.begin() + 12);
    }
  }
  if (exchange.judge(bytes) != ReplyKind::kAnswer) {
    return std::make_shared<Answer>(failed_answer(ErrorInfo::kOther, "not an answer"));
  }
  auto answer =
      distil(exchange.reply(), *Name::from_host(question.host), question.type, question.dnssec, {});
  if (!answer) return std::make_shared<Answer>(failed_answer(ErrorInfo::kOther, "bad"));
  answer->received = kNow;
  return std::make_shared<Answer>(std::move(*answer));
}

void check_reply(const ReplyFrame& frame, const Lookup& lookup) {
  std::vector<std::uint8_t> out;
  write_reply(frame, lookup.outcome(), out);
  if (out.size() > frame.limit) std::abort();
  const auto parsed = parse_message(out);
  if (!parsed) std::abort();
  for (const Record& record : parsed->answers) {
    if (record.address() == nullptr) continue;
    if (lookup.outcome().source == AnswerSource::kSpecial) continue;
    if (classify(*record.address()) != AddressClass::kPublic) std::abort();
    if (!lookup.session().leases().is_leased(lookup.query().host, *record.address())) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t client_size =
      std::min<std::size_t>(size - 2, static_cast<std::size_t>(data[0]) << 8 | data[1]);
  const Bytes client = Bytes(data, size).subspan(2, client_size);
  const Bytes reply = Bytes(data, size).subspan(2 + client_size);
  const std::uint16_t kept[] = {8};
  ReceivedQuery received = read_query(client, QueryTransport::kUdp, kept);
  if (!received.query) {
    std::vector<std::uint8_t> out;
    if (received.early) write_early_reply(received.frame, received.early->rcode, out);
    return 0;
  }
  Engine engine({.hosts_file = "", .kept_options = {8}}, std::make_shared<Cache>());
  TestSession test;
  test.policy->allow_all = true;
  test.policy->denied = {"denied.example"};
  SessionOptions options;
  options.leases.clock = [] { return kNow; };
  test.make(std::move(options));
  Lookup lookup(engine, test.session, std::move(*received.query), kNow);
  Step step = lookup.start();
  while (step == Step::kAskUpstream) {
    step = lookup.upstream_answered(answer_from(lookup.next_question(), reply), kNow);
  }
  check_reply(received.frame, lookup);
  return 0;
}
