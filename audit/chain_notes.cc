#include "audit/chain_notes.h"

#include "base/json_reader.h"

namespace agentsh::audit {
namespace {

// The type stands near the start of every event of ours.
constexpr std::size_t kTypeWithin = 160;

}  // namespace

ChainNote read_chain_note(std::string_view payload) {
  const std::string_view start = payload.substr(0, kTypeWithin);
  const bool possible = start.find(kSegmentsRemoved) != std::string_view::npos ||
                        start.find(kChainReset) != std::string_view::npos;
  if (!possible) return {};
  const auto document = JsonDocument::parse(std::string(payload) + "}");
  if (!document) return {};
  const std::string_view type = document->root().text("type");
  if (type != kSegmentsRemoved && type != kChainReset) return {};
  const JsonValue fields = document->root().member("fields");
  ChainNote note;
  note.is_reset = type == kChainReset;
  const std::int64_t oldest = fields.integer("oldest_segment");
  if (oldest > 0 && oldest <= UINT32_MAX) note.oldest_segment = static_cast<std::uint32_t>(oldest);
  note.reason = fields.text("reason");
  note.reason_code = fields.text("reason_code");
  return note;
}

}  // namespace agentsh::audit
