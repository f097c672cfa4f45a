// Why an HTTP/1 message is refused. A message whose framing could be read in two ways is never
// repaired: whoever repairs it reads one message where the next hop reads another, and the rest is
// an attack (request smuggling, response splitting).
//
// The codes are stable: they stand in error bodies, events and tests.
#pragma once

#include <cstdint>
#include <string_view>

namespace agentsh::http {

enum class Refusal : std::uint8_t {
  kNone,
  // The bytes of a head.
  kHeadTooLarge,
  kTooManyFields,
  kBareCarriageReturn,
  kBareLineFeed,
  kControlByte,
  kObsoleteFolding,
  kSpaceBeforeColon,
  kBadField,
  kEmptyFirstLine,
  kBadMethod,
  kBadTarget,
  kBadVersion,
  kBadStatusLine,
  kLookAlikeField,
  // How long the message is.
  kLengthAndEncoding,
  kRepeatedLength,
  kBadLength,
  kRepeatedEncoding,
  kBadEncoding,
  kEncodingInHttp10,
  kConnectionNamesFraming,
  kBadConnection,
  kContentInConnect,
  kContentForbidden,
  // Whom it is for.
  kMissingHost,
  kRepeatedHost,
  kBadHost,
  kHostDiffersFromTarget,
  // Chunked bodies.
  kBadChunkSize,
  kChunkSizeOverflow,
  kBadChunkExtension,
  kChunkExtensionsTooLong,
  kChunkNotTerminated,
  kTrailersTooLarge,
  kBadTrailer,
  kForbiddenTrailer,
  // The exchange.
  kUnexpectedUpgrade,
  kTooManyInterim,
  kCutShort,
};
inline constexpr std::size_t kRefusalCount = static_cast<std::size_t>(Refusal::kCutShort) + 1;

struct RefusalInfo {
  std::string_view code;      // "length_and_encoding"
  int status;                 // What a refused request is answered with. Responses: always 502.
  std::string_view sentence;  // For people, without a trailing full stop.
};

const RefusalInfo& describe(Refusal refusal);

}  // namespace agentsh::http
