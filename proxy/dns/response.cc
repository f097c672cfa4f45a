#include "proxy/dns/response.h"

#include "proxy/dns/message_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dns {
namespace {

constexpr std::uint8_t kOpcodeQuery = 0;
// Options passed on are few and short: they leave the session.
constexpr std::size_t kMaxForwardedBytes = 256;

std::vector<EdnsOption> kept(const Edns& edns, std::span<const std::uint16_t> codes) {
  std::vector<EdnsOption> options;
  std::size_t size = 0;
  for (const EdnsOption& option : edns.options) {
    if (std::find(codes.begin(), codes.end(), option.code) == codes.end()) continue;
    size += option.value.size();
    if (size > kMaxForwardedBytes) break;
    options.push_back(option);
  }
  return options;
}

void set_frame(ReplyFrame& frame, const Message& message, QueryTransport transport) {
  frame.header = message.header;
  frame.question = message.question;
  frame.has_edns = message.edns.has_value();
  frame.dnssec_ok = frame.has_edns && message.edns->dnssec_ok;
  if (transport != QueryTransport::kUdp) {
    frame.limit = kMaxMessageBytes;
  } else if (frame.has_edns) {
    frame.limit = std::clamp<std::size_t>(message.edns->udp_bytes, kPlainUdpBytes, kMaxUdpBytes);
  }
}

Header reply_header(const ReplyFrame& frame, Rcode rcode) {
  Header header;
  header.id = frame.header.id;
  header.response = true;
  header.opcode = frame.header.opcode;
  header.recursion_desired = frame.header.recursion_desired;
  header.recursion_available = true;
  header.checking_disabled = frame.header.checking_disabled;
  header.rcode = rcode;
  return header;
}

void write(const ReplyFrame& frame, const Header& header, const Outcome* outcome,
           std::vector<std::uint8_t>& out) {
  Edns edns;
  edns.dnssec_ok = frame.dnssec_ok;
  if (outcome != nullptr && outcome->error) edns.options.push_back(*outcome->error);
  MessageWriter writer(out, frame.limit);
  writer.begin(header, frame.question ? &*frame.question : nullptr);
  if (frame.has_edns) writer.reserve(edns_bytes(edns));
  if (outcome != nullptr) {
    bool fits = true;
    for (const GivenRecord& given : outcome->answers) {
      fits = fits && writer.add(Section::kAnswer, *given.record, given.ttl);
    }
    for (const GivenRecord& given : outcome->authority) {
      fits = fits && writer.add(Section::kAuthority, *given.record, given.ttl);
    }
    if (!fits) writer.truncate();
  }
  if (frame.has_edns) writer.add_edns(edns, header.rcode);
  writer.finish();
}

}  // namespace

ReceivedQuery read_query(Bytes data, QueryTransport transport,
                         std::span<const std::uint16_t> kept_options) {
  ReceivedQuery received;
  const auto header = parse_header(data);
  if (!header || header->response) return received;
  received.frame.header = *header;
  if (header->opcode != kOpcodeQuery) {
    received.early = {Rcode::kNotImp, fmt::format("opcode {}", header->opcode)};
    return received;
  }
  auto message = parse_query(data);
  if (!message) {
    received.early = {Rcode::kFormErr, message.error().what};
    return received;
  }
  set_frame(received.frame, *message, transport);
  if (message->edns && message->edns->version > 0) {
    received.early = {Rcode::kBadVers, fmt::format("EDNS version {}", message->edns->version)};
    return received;
  }
  if (message->question->rr_class != kClassInternet) {
    received.early = {Rcode::kRefused, fmt::format("class {}", message->question->rr_class)};
    return received;
  }
  Query query;
  query.host = message->question->name.host().value_or(std::string());
  query.name = std::move(message->question->name);
  query.type = message->question->type;
  query.dnssec_ok = received.frame.dnssec_ok;
  query.transport = transport;
  if (message->edns) query.forwarded = kept(*message->edns, kept_options);
  received.query = std::move(query);
  return received;
}

void write_reply(const ReplyFrame& frame, const Outcome& outcome, std::vector<std::uint8_t>& out) {
  Header header = reply_header(frame, outcome.rcode);
  header.authentic_data = outcome.authenticated && (frame.dnssec_ok || frame.header.authentic_data);
  write(frame, header, &outcome, out);
}

void write_early_reply(const ReplyFrame& frame, Rcode rcode, std::vector<std::uint8_t>& out) {
  write(frame, reply_header(frame, rcode), nullptr, out);
}

}  // namespace agentsh::dns
