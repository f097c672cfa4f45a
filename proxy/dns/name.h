// A domain name in its wire form: labels with a length byte each, ending in the empty root label,
// at most 255 bytes (RFC 1035 §3.1). Any byte may stand in a label; letters keep the case they came
// in and compare without it (RFC 4343).
//
// A name that policy judges is a host name (base/domain.h), text in lower case: host() gives it, or
// nothing for a name that is no host name.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::dns {

class Name {
 public:
  static constexpr std::size_t kMaxWireBytes = 255;
  static constexpr std::size_t kMaxLabelBytes = 63;

  Name() : wire_(1, '\0') {}  // The root.

  // From a host name, with or without a trailing dot. Nothing when it is not one.
  static std::optional<Name> from_host(std::string_view text);
  // From an uncompressed wire form that is exactly one name.
  static std::optional<Name> from_wire(std::string_view wire);

  // Reads a name at `position` of `message`, following compression pointers, and moves `position`
  // behind it. A pointer must point backwards, before everything that was read of this name, so
  // that no message makes it loop. Nothing when the bytes are malformed.
  static std::optional<Name> read(Bytes message, std::size_t& position);

  std::string_view wire() const { return wire_; }
  bool is_root() const { return wire_.size() == 1; }

  // Lower-case text without the trailing dot, "." for the root; bytes that are not of a host name
  // as \DDD, as master files write them.
  std::string to_text() const;
  // The canonical host name.
  std::optional<std::string> host() const;

  // Each letter's case taken from one bit of `bits` (repeated): what RFC draft
  // "dns-0x20" does so that a forged answer has more to guess.
  Name with_case_bits(std::string_view bits) const;
  bool same_case(const Name& other) const { return wire_ == other.wire_; }

  friend bool operator==(const Name& a, const Name& b);

 private:
  explicit Name(std::string wire) : wire_(std::move(wire)) {}
  std::string wire_;
};

}  // namespace agentsh::dns
