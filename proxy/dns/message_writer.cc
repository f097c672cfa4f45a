#include "proxy/dns/message_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace agentsh::dns {
namespace {

// Offsets beyond this cannot be pointed at.
constexpr std::size_t kMaxPointer = 0x3fff;

constexpr std::uint16_t kResponse = 0x8000;
constexpr std::uint16_t kAuthoritative = 0x0400;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kAuthenticData = 0x0020;
constexpr std::uint16_t kCheckingDisabled = 0x0010;

std::uint16_t flags_of(const Header& header) {
  unsigned flags = static_cast<unsigned>(header.opcode & 0xf) << 11 |
                   (static_cast<unsigned>(header.rcode) & 0xf);
  if (header.response) flags |= kResponse;
  if (header.authoritative) flags |= kAuthoritative;
  if (header.truncated) flags |= kTruncated;
  if (header.recursion_desired) flags |= kRecursionDesired;
  if (header.recursion_available) flags |= kRecursionAvailable;
  if (header.authentic_data) flags |= kAuthenticData;
  if (header.checking_disabled) flags |= kCheckingDisabled;
  return static_cast<std::uint16_t>(flags);
}

char lower(std::uint8_t c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

}  // namespace

MessageWriter::MessageWriter(std::vector<std::uint8_t>& out, std::size_t limit)
    : out_(out), limit_(std::clamp(limit, kPlainUdpBytes, kMaxMessageBytes)) {
  out_.clear();
  out_.reserve(kPlainUdpBytes);
}

void MessageWriter::begin(const Header& header, const Question* question) {
  u16(header.id);
  u16(flags_of(header));
  u16(question != nullptr ? 1 : 0);
  for (int i = 0; i < 3; ++i) u16(0);
  if (question != nullptr) {
    name(question->name, true);
    u16(static_cast<std::uint16_t>(question->type));
    u16(question->rr_class);
  }
  records_start_ = out_.size();
}

bool MessageWriter::add(Section section, const Record& record, std::uint32_t ttl) {
  const std::size_t start = out_.size();
  name(record.owner, true);
  u16(static_cast<std::uint16_t>(record.type));
  u16(kClassInternet);
  u32(ttl);
  const std::size_t length_at = out_.size();
  u16(0);
  write_record_data(*this, record.type, record.data);
  const std::size_t length = out_.size() - length_at - 2;
  if (length > 0xffff || out_.size() + reserved_ > limit_) {
    take_back(start);
    return false;
  }
  patch_u16(length_at, static_cast<std::uint16_t>(length));
  ++counts_[static_cast<std::size_t>(section)];
  return true;
}

bool MessageWriter::add_edns(const Edns& edns, Rcode rcode) {
  const std::size_t start = out_.size();
  u8(0);
  u16(static_cast<std::uint16_t>(RrType::kOpt));
  u16(edns.udp_bytes);
  u8(static_cast<std::uint8_t>(static_cast<unsigned>(rcode) >> 4));
  u8(edns.version);
  u16(edns.dnssec_ok ? 0x8000 : 0);
  const std::size_t length_at = out_.size();
  u16(0);
  for (const EdnsOption& option : edns.options) {
    u16(option.code);
    u16(static_cast<std::uint16_t>(option.value.size()));
    text(option.value);
  }
  patch_u16(length_at, static_cast<std::uint16_t>(out_.size() - length_at - 2));
  if (out_.size() > limit_) {
    take_back(start);
    return false;
  }
  ++counts_[static_cast<std::size_t>(Section::kAdditional)];
  return true;
}

void MessageWriter::take_back(std::size_t start) {
  out_.resize(start);
  while (label_count_ > 0 && labels_[label_count_ - 1] >= start) --label_count_;
}

void MessageWriter::truncate() {
  take_back(records_start_);
  std::fill(std::begin(counts_), std::end(counts_), std::uint16_t{0});
  out_[2] |= static_cast<std::uint8_t>(kTruncated >> 8);
}

void MessageWriter::finish() {
  for (std::size_t i = 0; i < 3; ++i) patch_u16(6 + 2 * i, counts_[i]);
}

void MessageWriter::text8(std::string_view data) {
  assert(data.size() <= 255);
  u8(static_cast<std::uint8_t>(data.size()));
  text(data);
}

void MessageWriter::name(const Name& name, bool compress) {
  std::string_view rest = name.wire();
  // Most owners are the question's name, in its very bytes.
  if (compress && rest.size() > 1 && out_.size() > kHeaderBytes + rest.size() && label_count_ > 0 &&
      labels_[0] == kHeaderBytes &&
      std::memcmp(out_.data() + kHeaderBytes, rest.data(), rest.size()) == 0) {
    u16(0xc000 | kHeaderBytes);
    return;
  }
  while (rest.size() > 1) {
    if (compress) {
      const auto end = labels_.begin() + static_cast<std::ptrdiff_t>(label_count_);
      const auto found = std::find_if(
          labels_.begin(), end, [&](std::uint16_t offset) { return written_at(offset, rest); });
      if (found != end) {
        u16(static_cast<std::uint16_t>(0xc000 | *found));
        return;
      }
    }
    if (out_.size() <= kMaxPointer && label_count_ < kMaxLabels) {
      labels_[label_count_++] = static_cast<std::uint16_t>(out_.size());
    }
    const std::size_t label = 1u + static_cast<std::uint8_t>(rest.front());
    text(rest.substr(0, label));
    rest.remove_prefix(label);
  }
  u8(0);
}

// Compares without case, label by label, through the pointers that this writer wrote itself.
bool MessageWriter::written_at(std::size_t offset, std::string_view suffix) const {
  for (;;) {
    // A name still being written ends where the buffer does.
    if (offset >= out_.size()) return false;
    const std::uint8_t length = out_[offset];
    if (length >= 0xc0) {
      offset = static_cast<std::size_t>(length & 0x3f) << 8 | out_[offset + 1];
      continue;
    }
    if (length != static_cast<std::uint8_t>(suffix.front())) return false;
    if (length == 0) return true;
    for (std::size_t i = 1; i <= length; ++i) {
      if (lower(out_[offset + i]) != lower(static_cast<std::uint8_t>(suffix[i]))) return false;
    }
    offset += 1u + length;
    suffix.remove_prefix(1u + length);
  }
}

std::size_t edns_bytes(const Edns& edns) {
  std::size_t size = 11;
  for (const EdnsOption& option : edns.options) size += 4 + option.value.size();
  return size;
}

}  // namespace agentsh::dns
