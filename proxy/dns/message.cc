#include "proxy/dns/message.h"

#include "proxy/dns/message_writer.h"
#include "proxy/dns/wire_cursor.h"

#include <fmt/format.h>

namespace agentsh::dns {
namespace {

// Far above what any answer holds; below what a 64 KB message of empty records could.
constexpr std::size_t kMaxRecords = 1024;
constexpr std::size_t kMaxOptions = 32;

struct Counts {
  std::uint16_t questions;
  std::uint16_t answers;
  std::uint16_t authorities;
  std::uint16_t additionals;
};

std::unexpected<Error> malformed(std::string_view what, std::size_t position) {
  return fail(fmt::format("malformed DNS message: {} at byte {}", what, position),
              std::errc::bad_message);
}

Header read_header(WireCursor& in) {
  Header header;
  header.id = in.u16();
  const std::uint16_t flags = in.u16();
  header.response = flags & 0x8000;
  header.opcode = static_cast<std::uint8_t>(flags >> 11 & 0xf);
  header.authoritative = flags & 0x0400;
  header.truncated = flags & 0x0200;
  header.recursion_desired = flags & 0x0100;
  header.recursion_available = flags & 0x0080;
  header.authentic_data = flags & 0x0020;
  header.checking_disabled = flags & 0x0010;
  header.rcode = static_cast<Rcode>(flags & 0xf);
  return header;
}

Result<> read_options(std::string_view data, std::size_t position, Edns& edns) {
  WireCursor in(as_bytes(data), 0, data.size());
  while (!in.at_end()) {
    EdnsOption option;
    option.code = in.u16();
    option.value = in.text(in.u16());
    if (!in.ok()) return malformed("EDNS option runs past its record", position + in.position());
    if (edns.options.size() == kMaxOptions) return malformed("too many EDNS options", position);
    edns.options.push_back(std::move(option));
  }
  return {};
}

struct RawRecord {
  Name owner;
  RrType type;
  std::uint16_t rr_class;
  std::uint32_t ttl;
  std::size_t data_at;
  std::string_view data;
};

class MessageParser {
 public:
  explicit MessageParser(Bytes data) : data_(data), in_(data, 0, data.size()) {}

  Result<Message> parse() {
    if (data_.size() > kMaxMessageBytes) return malformed("more than 65535 bytes", 0);
    message_.header = read_header(in_);
    const Counts counts{in_.u16(), in_.u16(), in_.u16(), in_.u16()};
    if (!in_.ok()) return malformed("shorter than its header", data_.size());
    if (counts.questions > 1) return malformed("more than one question", 4);
    if (std::size_t{counts.answers} + counts.authorities + counts.additionals > kMaxRecords) {
      return malformed("too many records", 6);
    }
    if (counts.questions == 1) {
      if (auto read = read_question(); !read) return std::unexpected(read.error());
    }
    for (auto [count, section] : {std::pair{counts.answers, &message_.answers},
                                  std::pair{counts.authorities, &message_.authorities},
                                  std::pair{counts.additionals, &message_.additionals}}) {
      if (auto read = read_section(count, *section); !read) return std::unexpected(read.error());
    }
    if (!in_.at_end()) return malformed("bytes after the last record", in_.position());
    return std::move(message_);
  }

 private:
  Result<> read_question() {
    Question question;
    question.name = in_.name();
    question.type = static_cast<RrType>(in_.u16());
    question.rr_class = in_.u16();
    if (!in_.ok()) return malformed("question cut off or with a bad name", kHeaderBytes);
    message_.question = std::move(question);
    return {};
  }

  Result<> read_section(std::size_t count, std::vector<Record>& out) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t start = in_.position();
      RawRecord raw{in_.name(), static_cast<RrType>(in_.u16()), in_.u16(), in_.u32(), 0, {}};
      const std::uint16_t length = in_.u16();
      raw.data_at = in_.position();
      raw.data = in_.text(length);
      if (!in_.ok()) return malformed("record cut off or with a bad name", start);
      auto taken = raw.type == RrType::kOpt ? take_opt(raw, &out == &message_.additionals)
                                            : take_record(std::move(raw), out);
      if (!taken) return taken;
    }
    return {};
  }

  Result<> take_opt(const RawRecord& raw, bool additional) {
    if (!additional || !raw.owner.is_root() || message_.edns) {
      return malformed("misplaced or second OPT record", raw.data_at);
    }
    Edns edns;
    edns.udp_bytes = raw.rr_class;
    edns.version = static_cast<std::uint8_t>(raw.ttl >> 16);
    edns.dnssec_ok = raw.ttl & 0x8000;
    const auto upper = static_cast<std::uint16_t>(raw.ttl >> 24 << 4);
    message_.header.rcode =
        static_cast<Rcode>(static_cast<std::uint16_t>(message_.header.rcode) | upper);
    auto read = read_options(raw.data, raw.data_at, edns);
    message_.edns = std::move(edns);
    return read;
  }

  Result<> take_record(RawRecord raw, std::vector<Record>& out) {
    if (raw.rr_class != kClassInternet) return malformed("record of another class", raw.data_at);
    Record record{std::move(raw.owner), raw.type, raw.ttl, OpaqueData{}};
    // RFC 2181 §8: a TTL with its highest bit set is 0.
    if (record.ttl > 0x7fffffff) record.ttl = 0;
    if (!parse_record_data(data_, raw.data_at, raw.data.size(), raw.type, record.data)) {
      return malformed(fmt::format("{} record", to_string(raw.type)), raw.data_at);
    }
    out.push_back(std::move(record));
    return {};
  }

  Bytes data_;
  WireCursor in_;
  Message message_;
};

// Cuts UTF-8 at a character's border.
std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<std::uint8_t>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

}  // namespace

EdnsOption extended_error(ErrorInfo info, std::string_view text) {
  const auto code = static_cast<std::uint16_t>(info);
  EdnsOption option{kOptionExtendedError, {}};
  option.value += static_cast<char>(code >> 8);
  option.value += static_cast<char>(code);
  option.value += cut(text, kMaxExtendedErrorText);
  return option;
}

std::optional<Header> parse_header(Bytes data) {
  if (data.size() < kHeaderBytes) return {};
  WireCursor in(data, 0, data.size());
  return read_header(in);
}

Result<Message> parse_message(Bytes data) {
  return MessageParser(data).parse();
}

Result<Message> parse_query(Bytes data) {
  auto message = parse_message(data);
  if (!message) return message;
  if (message->header.response) return malformed("a response where a question belongs", 2);
  if (!message->question) return malformed("no question", 4);
  if (!message->answers.empty() || !message->authorities.empty() || !message->additionals.empty()) {
    return malformed("records beside the question", 6);
  }
  return message;
}

std::vector<std::uint8_t> write_message(const Message& message, std::size_t limit) {
  std::vector<std::uint8_t> out;
  MessageWriter writer(out, limit);
  writer.begin(message.header, message.question ? &*message.question : nullptr);
  if (message.edns) writer.reserve(edns_bytes(*message.edns));
  bool fits = true;
  for (auto [section, records] : {std::pair{Section::kAnswer, &message.answers},
                                  std::pair{Section::kAuthority, &message.authorities},
                                  std::pair{Section::kAdditional, &message.additionals}}) {
    for (const Record& record : *records) {
      fits = fits && writer.add(section, record, record.ttl);
    }
  }
  if (!fits) writer.truncate();
  if (message.edns) writer.add_edns(*message.edns, message.header.rcode);
  writer.finish();
  return out;
}

}  // namespace agentsh::dns
