// One line of the log, or one side-car, that may be anything: taken apart by everything that reads
// lines. Where the general JSON reader accepts it, the line scanner must agree with it.
#include "audit/chain.h"
#include "audit/chain_notes.h"
#include "audit/line_fields.h"
#include "audit/log_recovery.h"
#include "audit/side_car.h"
#include "base/bytes.h"
#include "base/encoding.h"
#include "base/json_reader.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace agentsh;
using namespace agentsh::audit;

void require(bool condition) {
  if (!condition) std::abort();
}

const ChainKey& key() {
  static const ChainKey kKey = ChainKey::from_bytes(std::string(32, 'k')).value();
  return kKey;
}

void check_line(std::string_view text) {
  ParsedLine line;
  if (parse_line(text, line) == LineKind::kSigned) {
    require(text.starts_with(line.payload));
    static_cast<void>(is_authentic(key(), line));
    static_cast<void>(read_chain_note(line.payload));
  }
  static_cast<void>(line_id(text));
  static_cast<void>(line_time(text));
}

void check_fields(std::string_view text) {
  LineFields fields;
  const bool read = read_line_fields(text, fields);
  const auto document = JsonDocument::parse(text);
  if (!document || !document->root().is_object()) return;
  require(read);
  const JsonValue root = document->root();
  // RapidJSON passes a lone low surrogate on as it is, the scanner replaces it.
  const std::string_view compared[] = {root.text("type"), root.text("path"),
                                       root.member("policy").text("decision")};
  if (!std::ranges::all_of(compared, is_utf8)) return;
  require(fields.type == root.text("type"));
  require(fields.path == root.text("path"));
  require(fields.decision == root.member("policy").text("decision"));
}

// Whatever is appended to the chain comes back as it was.
void check_round_trip(std::string_view text) {
  std::string json = "{\"text\":\"" + std::string(text) + "\"}";
  for (char& c : json) {
    if (c == '\n') c = ' ';
  }
  ChainHead head{.sequence = text.size()};
  TextBuffer out;
  append_line(key(), head, json, out);
  ParsedLine line;
  require(parse_line(out.view().substr(0, out.size() - 1), line) == LineKind::kSigned);
  require(std::string(line.payload) + "}" == json);
  require(line.sequence == text.size() + 1);
  require(is_authentic(key(), line));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  check_line(text);
  check_fields(text);
  check_round_trip(text);
  static_cast<void>(parse_side_car(text));
  return 0;
}
