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
  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void bytes(Bytes data) { out_.insert(out_.end(), data.begin(), data.end()); }
  void text(std::string_view data) { bytes(as_bytes(data)); }
  void text8(std::string_view data);
  void name(const Name& name, bool compress);

 private:
  void take_back(std::size_t start);
  bool written_at(std::size_t offset, std::string_view suffix) const;
  void patch_u16(std::size_t offset, std::uint16_t value);

  std::vector<std::uint8_t>& out_;
  std::size_t limit_;
  std::size_t reserved_ = 0;
  std::size_t records_start_ = 0;
  std::uint16_t counts_[3] = {0, 0, 0};
  std::vector<std::uint16_t> labels_;  // Offsets at which a name, or the rest of one, begins.
};

// Bytes that add_edns() takes.
std::size_t edns_bytes(const Edns& edns);

}  // namespace agentsh::dns
