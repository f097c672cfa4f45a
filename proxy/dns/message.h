// One DNS message, parsed within bounds of our own: at most one question, class IN records only,
// names that cannot loop, no bytes left over, at most one OPT. What does not parse is malformed as
// a whole; nothing is repaired.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "proxy/dns/name.h"
#include "proxy/dns/record.h"
#include "proxy/dns/wire_types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::dns {

struct Header {
  std::uint16_t id = 0;
  bool response = false;
  std::uint8_t opcode = 0;  // 0: a standard query.
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  bool authentic_data = false;
  bool checking_disabled = false;
  Rcode rcode = Rcode::kNoError;  // With the OPT record's upper bits once a message was parsed.
  bool operator==(const Header&) const = default;
};

struct Question {
  Name name;
  RrType type = RrType::kA;
  std::uint16_t rr_class = kClassInternet;
  bool operator==(const Question&) const = default;
};

inline constexpr std::uint16_t kOptionExtendedError = 15;

struct EdnsOption {
  std::uint16_t code = 0;
  std::string value;
  bool operator==(const EdnsOption&) const = default;
};

// The OPT record (RFC 6891).
struct Edns {
  std::uint16_t udp_bytes = kMaxUdpBytes;  // What the sender accepts.
  std::uint8_t version = 0;
  bool dnssec_ok = false;
  std::vector<EdnsOption> options;
  bool operator==(const Edns&) const = default;
};

// RFC 8914: why an answer is what it is. The text is cut to kMaxExtendedErrorText bytes at a
// character's border.
EdnsOption extended_error(ErrorInfo info, std::string_view text);
inline constexpr std::size_t kMaxExtendedErrorText = 300;

struct Message {
  Header header;
  std::optional<Question> question;
  std::vector<Record> answers;
  std::vector<Record> authorities;
  std::vector<Record> additionals;  // Without the OPT record.
  std::optional<Edns> edns;
  bool operator==(const Message&) const = default;
};

// The first 12 bytes, enough to answer FORMERR with the right id. Nothing when there are fewer.
std::optional<Header> parse_header(Bytes data);

// Fails with bad_message and a sentence that says what and where.
Result<Message> parse_message(Bytes data);

// As parse_message() and moreover what a question must be: not a response, exactly one question, no
// records but an OPT.
Result<Message> parse_query(Bytes data);

// The message on the wire. Precondition: it came from parse_message() or keeps its bounds. When it
// passes `limit`, all records are left out and TC is set.
std::vector<std::uint8_t> write_message(const Message& message,
                                        std::size_t limit = kMaxMessageBytes);

}  // namespace agentsh::dns
