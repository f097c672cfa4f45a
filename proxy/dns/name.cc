#include "proxy/dns/name.h"

#include "base/domain.h"
#include "proxy/dns/wire_types.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dns {
namespace {

// Deeper chains of pointers than this have no use: a name has at most 127 labels.
constexpr int kMaxPointers = 127;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool host_byte(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::optional<Name> Name::from_host(std::string_view text) {
  const auto host = canonical_host(text);
  if (!host) return {};
  std::string wire;
  wire.reserve(host->size() + 2);
  std::string_view rest = *host;
  while (!rest.empty()) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    rest.remove_prefix(std::min(label.size() + 1, rest.size()));
  }
  wire += '\0';
  return Name(std::move(wire));
}

std::optional<Name> Name::from_wire(std::string_view wire) {
  std::size_t at = 0;
  if (wire.size() > kMaxWireBytes) return {};
  while (at < wire.size()) {
    const auto length = static_cast<std::uint8_t>(wire[at]);
    if (length > kMaxLabelBytes) return {};
    if (length == 0) {
      if (at + 1 != wire.size()) return {};
      return Name(std::string(wire));
    }
    at += 1u + length;
  }
  return {};
}

std::optional<Name> Name::read(Bytes message, std::size_t& position) {
  char wire[kMaxWireBytes];
  std::size_t size = 0;
  std::size_t at = position;
  std::size_t floor = position;  // Where the bytes of this name that were read so far begin.
  std::size_t end = 0;           // Behind the name in its first place, once a pointer was followed.
  int pointers = 0;
  for (;;) {
    if (at >= message.size()) return {};
    const std::uint8_t length = message[at];
    if (length >= 0xc0) {
      if (at + 1 >= message.size() || ++pointers > kMaxPointers) return {};
      const std::size_t target = static_cast<std::size_t>(length & 0x3f) << 8 | message[at + 1];
      if (target >= floor || target < kHeaderBytes) return {};
      if (end == 0) end = at + 2;
      floor = at = target;
      continue;
    }
    // 01 and 10 are reserved (extended labels, RFC 6891 §5, were withdrawn).
    if (length > kMaxLabelBytes || message.size() - at - 1 < length) return {};
    if (size + 1u + length + (length > 0 ? 1 : 0) > kMaxWireBytes) return {};
    std::copy_n(message.begin() + static_cast<std::ptrdiff_t>(at), 1u + length, wire + size);
    size += 1u + length;
    at += 1u + length;
    if (length == 0) break;
  }
  position = end == 0 ? at : end;
  return Name(std::string(wire, size));
}

std::string Name::to_text() const {
  if (is_root()) return ".";
  std::string text;
  text.reserve(wire_.size());
  for (std::size_t at = 0; wire_[at] != '\0';) {
    const auto length = static_cast<std::uint8_t>(wire_[at]);
    if (!text.empty()) text += '.';
    for (char c : std::string_view(wire_).substr(at + 1, length)) {
      if (host_byte(c)) {
        text += lower(c);
      } else {
        text += fmt::format("\\{:03}", static_cast<unsigned>(static_cast<std::uint8_t>(c)));
      }
    }
    at += 1u + length;
  }
  return text;
}

std::optional<std::string> Name::host() const {
  if (is_root()) return {};
  std::string text;
  text.reserve(wire_.size());
  for (std::size_t at = 0; wire_[at] != '\0';) {
    const auto length = static_cast<std::uint8_t>(wire_[at]);
    if (!text.empty()) text += '.';
    for (char c : std::string_view(wire_).substr(at + 1, length)) {
      if (!host_byte(c)) return {};
      text += lower(c);
    }
    at += 1u + length;
  }
  return text;
}

Name Name::with_case_bits(std::string_view bits) const {
  std::string wire = wire_;
  std::size_t bit = 0;
  for (std::size_t at = 0; wire[at] != '\0';) {
    const auto length = static_cast<std::uint8_t>(wire[at]);
    for (std::size_t i = at + 1; i <= at + length; ++i) {
      if (!is_letter(wire[i]) || bits.empty()) continue;
      const bool upper = bits[bit / 8 % bits.size()] >> (bit % 8) & 1;
      wire[i] = static_cast<char>(upper ? wire[i] & ~0x20 : wire[i] | 0x20);
      ++bit;
    }
    at += 1u + length;
  }
  return Name(std::move(wire));
}

// Length bytes are below 'A', so comparing every byte without case compares the labels.
bool operator==(const Name& a, const Name& b) {
  return std::equal(a.wire_.begin(), a.wire_.end(), b.wire_.begin(), b.wire_.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace agentsh::dns
