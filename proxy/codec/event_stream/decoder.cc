#include "proxy/codec/event_stream/decoder.h"

#include "proxy/codec/event_stream/encoder.h"

namespace agentsh::event_stream {
namespace {

// The bytes of a value of `type` whose length does not stand before it.
std::size_t fixed_size(HeaderType type) {
  switch (type) {
    case HeaderType::kByte:
      return 1;
    case HeaderType::kShort:
      return 2;
    case HeaderType::kInteger:
      return 4;
    case HeaderType::kLong:
    case HeaderType::kTimestamp:
      return 8;
    case HeaderType::kUuid:
      return 16;
    default:
      return 0;
  }
}

bool read_headers(std::string_view bytes, std::vector<Header>& headers) {
  headers.clear();
  ByteReader reader(as_bytes(bytes));
  while (reader.ok() && reader.remaining() > 0) {
    const std::string_view name = as_text(reader.vector8());
    const std::uint8_t type = reader.u8();
    if (name.empty() || type > static_cast<std::uint8_t>(HeaderType::kUuid)) return false;
    Header header{.name = name, .type = static_cast<HeaderType>(type), .value = {}};
    const bool counted = header.type == HeaderType::kBytes || header.type == HeaderType::kString;
    header.value = as_text(counted ? reader.vector16() : reader.bytes(fixed_size(header.type)));
    // Readers disagree about which of two headers of one name counts.
    for (const Header& earlier : headers) {
      if (earlier.name == name) return false;
    }
    headers.push_back(header);
  }
  return reader.ok();
}

}  // namespace

void Decoder::feed(std::string_view chunk) {
  if (failure_ != Step::kNeedMore) return;
  buffer_.erase(0, position_);
  position_ = 0;
  buffer_ += chunk;
}

Step Decoder::next(Message& message) {
  if (failure_ != Step::kNeedMore) return failure_;
  const Step step = decode(message);
  if (step != Step::kMessage && step != Step::kNeedMore) failure_ = step;
  return step;
}

Step Decoder::decode(Message& message) {
  const std::string_view rest = std::string_view(buffer_).substr(position_);
  if (rest.size() < kPreludeBytes) return Step::kNeedMore;
  ByteReader prelude(as_bytes(rest.substr(0, kPreludeBytes)));
  const std::size_t total = prelude.u32();
  const std::size_t header_size = prelude.u32();
  if (prelude.u32() != crc32(rest.substr(0, 8))) return Step::kBadPreludeChecksum;
  if (total < kOverheadBytes || total > max_message_bytes_) return Step::kBadLength;
  if (header_size > kMaxHeaderBytes || header_size > total - kOverheadBytes)
    return Step::kBadLength;
  if (rest.size() < total) return Step::kNeedMore;

  message.raw = rest.substr(0, total);
  ByteReader trailer(as_bytes(message.raw.substr(total - 4)));
  if (trailer.u32() != crc32(message.raw.substr(0, total - 4))) return Step::kBadChecksum;
  message.header_bytes = message.raw.substr(kPreludeBytes, header_size);
  message.payload =
      message.raw.substr(kPreludeBytes + header_size, total - kOverheadBytes - header_size);
  if (!read_headers(message.header_bytes, message.headers)) return Step::kBadHeaders;
  position_ += total;
  return Step::kMessage;
}

}  // namespace agentsh::event_stream
