// permessage-deflate (RFC 7692): what was negotiated, and the two directions of its compression.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::websocket {

struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::uint8_t server_max_window_bits = 15;
  std::uint8_t client_max_window_bits = 15;
  friend bool operator==(const DeflateParameters&, const DeflateParameters&) = default;
};

enum class Negotiation : std::uint8_t {
  kNone,     // No extension.
  kDeflate,  // permessage-deflate alone; the parameters are filled.
  kUnknown,  // Another extension, or parameters that are not well-formed: frames cannot be read.
};

// Reads the Sec-WebSocket-Extensions of a 101 response.
Negotiation read_negotiated(std::string_view extensions, DeflateParameters& parameters);

// Decompresses messages of one sender.
class Inflater {
 public:
  Inflater(int window_bits, bool context_takeover);
  ~Inflater();
  Inflater(Inflater&&) noexcept;

  enum class Outcome : std::uint8_t { kDone, kMalformed, kTooLarge };
  // The whole compressed payload of a message -> `out` (replaced), of at most `limit` bytes.
  Outcome inflate(std::string_view payload, std::size_t limit, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Compresses messages to one receiver.
class Deflater {
 public:
  Deflater(int window_bits, bool context_takeover);
  ~Deflater();
  Deflater(Deflater&&) noexcept;

  // Appends the compressed payload. False when the window is one that zlib cannot make (8 bits):
  // the message goes out as it is.
  [[nodiscard]] bool deflate(std::string_view payload, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::websocket
