#include "proxy/dns/upstream_exchange.h"

#include "base/random.h"

#include <array>

namespace agentsh::dns {
namespace {

// So many wrong replies on one socket are an attack in progress.
constexpr int kMaxStrays = 16;

bool knows_no_edns(Rcode rcode) {
  return rcode == Rcode::kFormErr || rcode == Rcode::kNotImp || rcode == Rcode::kBadVers;
}

}  // namespace

UpstreamExchange::UpstreamExchange(const UpstreamQuestion& question, bool edns) {
  std::array<std::uint8_t, 18> random;
  fill_random(random);
  question_.header.id = static_cast<std::uint16_t>(random[0] << 8 | random[1]);
  question_.header.recursion_desired = true;
  question_.header.authentic_data = true;  // "Tell me whether you validated" (RFC 6840 §5.7).
  const Name name = Name::from_host(question.host).value_or(Name());
  question_.question = Question{name.with_case_bits(as_text(random).substr(2)), question.type};
  if (edns) question_.edns = Edns{kMaxUdpBytes, 0, question.dnssec, question.options};
  query_ = write_message(question_);
}

ReplyKind UpstreamExchange::judge(Bytes data) {
  const auto stray = [this] {
    return ++strays_ < kMaxStrays ? ReplyKind::kStray : ReplyKind::kDoubtful;
  };
  const auto header = parse_header(data);
  if (!header || !header->response || header->id != question_.header.id) return stray();
  auto message = parse_message(data);
  if (!message) return ReplyKind::kDoubtful;
  if (message->header.opcode != 0) return stray();
  if (!message->question) {
    const bool retry = question_.edns && knows_no_edns(message->header.rcode);
    return retry ? ReplyKind::kWithoutEdns : stray();
  }
  if (!(message->question == question_.question)) return stray();
  if (!message->question->name.same_case(question_.question->name)) return ReplyKind::kDoubtful;
  if (message->header.truncated) return ReplyKind::kDoubtful;
  const Rcode rcode = message->header.rcode;
  reply_ = std::move(*message);
  if (rcode == Rcode::kNoError || rcode == Rcode::kNxDomain) return ReplyKind::kAnswer;
  return question_.edns && knows_no_edns(rcode) ? ReplyKind::kWithoutEdns : ReplyKind::kFailed;
}

}  // namespace agentsh::dns
