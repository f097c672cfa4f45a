// Builds one message into a buffer of the caller's: header, question, records with compressed names
// (RFC 1035 §4.1.4), OPT. It never grows past the limit: a record that does not fit is taken back
// and add() says so.
//
//   MessageWriter writer(buffer, limit);
//   writer.begin(header, &question);
//   if (!writer.add(Section::kAnswer, record, ttl)) writer.truncate();
//   writer.finish();
#pragma once

#include "base/bytes.h"
#include "proxy/dns/message.h"
#include "proxy/dns/record.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace agentsh::dns {

enum class Section { kAnswer, kAuthority, kAdditional };

class MessageWriter {
 public:
  // Clears `out`, which must outlive the writer. `limit` is in bytes, at least 512.
  MessageWriter(std::vector<std::uint8_t>& out, std::size_t limit);

  void begin(const Header& header, const Question* question);

  // Appends a record with `ttl` in place of its own. False, with nothing written, when the message
  // would pass the limit. Sections must come in their order.
  bool add(Section section, const Record& record, std::uint32_t ttl);

  // Keeps this many bytes of the limit for the OPT record that comes last.
  void reserve(std::size_t bytes) { reserved_ = bytes; }
  // Appends the OPT record, from what was reserved. False when it does not fit.
  bool add_edns(const Edns& edns, Rcode rcode);

  // Takes all records back and sets TC.
  void truncate();

  // Writes the counts. Nothing may follow.
  void finish();

  // Fields of RDATA (for write_record_data).
  void u8(std::uint8_t value) { *grow(1) = value; }
  void u16(std::uint16_t value) { store(grow(2), value); }
  void u32(std::uint32_t value) {
    std::uint8_t* place = grow(4);
    store(place, static_cast<std::uint16_t>(value >> 16));
    store(place + 2, static_cast<std::uint16_t>(value));
  }
  void bytes(Bytes data) { std::copy(data.begin(), data.end(), grow(data.size())); }
  void text(std::string_view data) { bytes(as_bytes(data)); }
  void text8(std::string_view data);
  void name(const Name& name, bool compress);

 private:
  static void store(std::uint8_t* place, std::uint16_t value) {
    place[0] = static_cast<std::uint8_t>(value >> 8);
    place[1] = static_cast<std::uint8_t>(value);
  }
  std::uint8_t* grow(std::size_t count) {
    const std::size_t size = out_.size();
    out_.resize(size + count);
    return out_.data() + size;
  }
  void patch_u16(std::size_t offset, std::uint16_t value) { store(out_.data() + offset, value); }
  void take_back(std::size_t start);
  bool written_at(std::size_t offset, std::string_view suffix) const;

  std::vector<std::uint8_t>& out_;
  std::size_t limit_;
  std::size_t reserved_ = 0;
  std::size_t records_start_ = 0;
  std::uint16_t counts_[3] = {0, 0, 0};
  // More remembered names than this cost more to search than they save.
  static constexpr std::size_t kMaxLabels = 128;
  // Offsets at which a name, or the rest of one, begins.
  std::array<std::uint16_t, kMaxLabels> labels_;
  std::size_t label_count_ = 0;
};

// Bytes that add_edns() takes.
std::size_t edns_bytes(const Edns& edns);

}  // namespace agentsh::dns
