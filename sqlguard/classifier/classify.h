// SQL text in, what each of its statements does out. No session is needed: what a name means in one
// is told apart later (name_resolution.h), so results can be kept by text (analysis_cache.h).
//
// Whatever is not understood is Group::kUnknown: text that the grammar of PostgreSQL 15 does not
// know, text that exceeds the limits, node types without a handler.
#pragma once

#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/text_scan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

enum class Dialect : std::uint8_t { kPostgres, kAuroraPostgres, kRedshift, kCockroachdb };
std::string_view name_of(Dialect dialect);
std::optional<Dialect> dialect_named(std::string_view name);

struct Analysis {
  Dialect dialect = Dialect::kPostgres;
  std::vector<Statement> statements = {};  // None for an empty query.
};

// Any thread. Needs stack of the order of 1 KB per level of nesting that `limits` allow.
Analysis classify(std::string_view sql, Dialect dialect, TextLimits limits = {});

// Is there code for statements of this node type? For the test that walks the grammar.
bool classifies(std::string_view node_type);

namespace internal {
// `nesting`: how many texts this one stands in.
Analysis classify_text(std::string_view sql, Dialect dialect, TextLimits limits, unsigned nesting);
inline constexpr unsigned kDeepestText = 3;
}  // namespace internal

}  // namespace agentsh::sql
