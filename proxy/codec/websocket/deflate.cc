#include "proxy/codec/websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace agentsh::websocket {
namespace {

// What a sender leaves out at the end of each message (§7.2.1).
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The part of `text` before `separator`, taken off with it.
std::string_view take_part(std::string_view& text, char separator) {
  const std::size_t size = std::min(text.find(separator), text.size());
  const std::string_view part = trim(text.substr(0, size));
  text.remove_prefix(std::min(size + 1, text.size()));
  return part;
}

bool read_window_bits(std::string_view value, std::uint8_t& bits) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
  return error == std::errc() && end == value.data() + value.size() && value.front() != '0' &&
         bits >= 8 && bits <= 15;
}

bool read_parameter(std::string_view parameter, DeflateParameters& parameters, unsigned& seen) {
  const std::string_view name = take_part(parameter, '=');
  static constexpr std::array<std::string_view, 4> kNames = {
      "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits",
      "client_max_window_bits"};
  const auto* found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return false;
  const auto index = static_cast<unsigned>(found - kNames.begin());
  if ((seen & 1U << index) != 0) return false;  // §7.1: not twice.
  seen |= 1U << index;
  switch (index) {
    case 0:
      parameters.server_no_context_takeover = true;
      return parameter.empty();
    case 1:
      parameters.client_no_context_takeover = true;
      return parameter.empty();
    case 2:
      return read_window_bits(trim(parameter), parameters.server_max_window_bits);
    default:
      return read_window_bits(trim(parameter), parameters.client_max_window_bits);
  }
}

Bytef* to_input(std::string_view bytes) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

}  // namespace

Negotiation read_negotiated(std::string_view extensions, DeflateParameters& parameters) {
  parameters = {};
  extensions = trim(extensions);
  if (extensions.empty()) return Negotiation::kNone;
  if (extensions.find(',') != std::string_view::npos) return Negotiation::kUnknown;
  if (take_part(extensions, ';') != "permessage-deflate") return Negotiation::kUnknown;
  unsigned seen = 0;
  while (!extensions.empty()) {
    if (!read_parameter(take_part(extensions, ';'), parameters, seen)) return Negotiation::kUnknown;
  }
  return Negotiation::kDeflate;
}

struct Inflater::State {
  z_stream stream{};
  bool ready = false;
  bool context_takeover = true;
  std::vector<Bytef> window;

  Outcome run(std::string_view input, std::size_t limit, std::string& out);
  bool restart_in_window();
};

Inflater::Inflater(int window_bits, bool context_takeover) : state_(std::make_unique<State>()) {
  state_->context_takeover = context_takeover;
  state_->ready = inflateInit2(&state_->stream, -window_bits) == Z_OK;
}
Inflater::~Inflater() {
  if (state_ && state_->ready) inflateEnd(&state_->stream);
}
Inflater::Inflater(Inflater&&) noexcept = default;

// A sender may end a message with a final block (§7.2.3.4); what follows goes on with the window.
bool Inflater::State::restart_in_window() {
  window.resize(32 << 10);
  uInt size = 0;
  if (inflateGetDictionary(&stream, window.data(), &size) != Z_OK) return false;
  if (inflateReset(&stream) != Z_OK) return false;
  return size == 0 || inflateSetDictionary(&stream, window.data(), size) == Z_OK;
}

Inflater::Outcome Inflater::State::run(std::string_view input, std::size_t limit,
                                       std::string& out) {
  std::array<char, 16 << 10> block;
  stream.next_in = to_input(input);
  stream.avail_in = static_cast<uInt>(input.size());
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    const int status = ::inflate(&stream, Z_SYNC_FLUSH);
    const std::size_t produced = block.size() - stream.avail_out;
    if (produced > limit - out.size()) return Outcome::kTooLarge;
    out.append(block.data(), produced);
    if (status == Z_STREAM_END) {
      if (!restart_in_window()) return Outcome::kMalformed;
      if (stream.avail_in == 0) return Outcome::kDone;
    } else if (status == Z_BUF_ERROR || (status == Z_OK && stream.avail_out != 0)) {
      return stream.avail_in == 0 ? Outcome::kDone : Outcome::kMalformed;
    } else if (status != Z_OK) {
      return Outcome::kMalformed;
    }
  }
}

Inflater::Outcome Inflater::inflate(std::string_view payload, std::size_t limit, std::string& out) {
  out.clear();
  if (!state_->ready) return Outcome::kMalformed;
  Outcome outcome = state_->run(payload, limit, out);
  if (outcome == Outcome::kDone) outcome = state_->run(kTail, limit, out);
  if (!state_->context_takeover && inflateReset(&state_->stream) != Z_OK) state_->ready = false;
  return outcome;
}

struct Deflater::State {
  z_stream stream{};
  bool ready = false;
  bool context_takeover = true;
};

Deflater::Deflater(int window_bits, bool context_takeover) : state_(std::make_unique<State>()) {
  state_->context_takeover = context_takeover;
  // zlib silently makes 9 of 8, which the receiver's window could not hold.
  state_->ready =
      window_bits > 8 && deflateInit2(&state_->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                      -window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}
Deflater::~Deflater() {
  if (state_ && state_->ready) deflateEnd(&state_->stream);
}
Deflater::Deflater(Deflater&&) noexcept = default;

bool Deflater::deflate(std::string_view payload, std::string& out) {
  if (!state_->ready) return false;
  z_stream& stream = state_->stream;
  std::array<char, 16 << 10> block;
  stream.next_in = to_input(payload);
  stream.avail_in = static_cast<uInt>(payload.size());
  do {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    ::deflate(&stream, Z_SYNC_FLUSH);
    out.append(block.data(), block.size() - stream.avail_out);
  } while (stream.avail_out == 0);
  if (out.ends_with(kTail)) out.resize(out.size() - kTail.size());
  if (payload.empty() && out.empty()) out += '\0';  // §7.2.3.6
  if (!state_->context_takeover && deflateReset(&stream) != Z_OK) state_->ready = false;
  return true;
}

}  // namespace agentsh::websocket
