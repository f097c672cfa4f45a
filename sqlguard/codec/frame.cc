#include "sqlguard/codec/frame.h"

#include <fmt/format.h>

#include <string_view>

namespace agentsh::sql {
namespace {

constexpr std::string_view kFrontend = "BCDEFHPQSXcdfp";
constexpr std::string_view kBackend = "123ACDEGHIKNRSTVWZcdnstv";

// What may be long: statements, parameters, data; notices, errors and descriptions of the server.
constexpr std::string_view kLargeFrontend = "BFPQd";
constexpr std::string_view kLargeBackend = "ACDENTVdtRS";

}  // namespace

bool is_message_type(char type, Direction direction) {
  return (direction == Direction::kFrontend ? kFrontend : kBackend).contains(type);
}

Result<std::optional<FrameHeader>> read_frame_header(Bytes bytes, Direction direction,
                                                     FrameLimits limits) {
  if (bytes.size() < FrameHeader::kSize) return std::nullopt;
  const char type = static_cast<char>(bytes[0]);
  if (!is_message_type(type, direction))
    return fail(fmt::format("there is no message of type 0x{:02x}", bytes[0]),
                std::errc::bad_message);
  ByteReader reader(bytes.subspan(1, 4));
  const std::uint32_t length = reader.u32();
  const bool large =
      (direction == Direction::kFrontend ? kLargeFrontend : kLargeBackend).contains(type);
  const std::uint32_t limit = large ? limits.large : limits.small;
  if (length < 4 || length - 4 > limit)
    return fail(fmt::format("a message of type {} cannot be {} bytes long", type, length),
                std::errc::message_size);
  return FrameHeader{type, length - 4};
}

Result<std::optional<Frame>> read_frame(Bytes bytes, Direction direction, FrameLimits limits) {
  const auto header = read_frame_header(bytes, direction, limits);
  if (!header) return std::unexpected(header.error());
  if (!*header || bytes.size() < (*header)->size()) return std::nullopt;
  return Frame{(*header)->type, bytes.subspan(FrameHeader::kSize, (*header)->body),
               (*header)->size()};
}

}  // namespace agentsh::sql
