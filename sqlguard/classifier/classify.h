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

// Any thread with a stack of 4 MiB or more.
Analysis classify(std::string_view sql, Dialect dialect, TextLimits limits = {});

// Is there code for statements of this node type? For the test that walks the grammar.
bool classifies(std::string_view node_type);

namespace internal {
// How deep a text stands in another (SQL in a function's argument or body): texts around it, and
// nodes of their trees, which all take stack at the same time.
struct Nesting {
  static constexpr unsigned kMaximumTexts = 3;
  static constexpr unsigned kMaximumNodes = 2500;
  unsigned texts = 0;
  unsigned nodes = 0;
};
Analysis classify_text(std::string_view sql, Dialect dialect, TextLimits limits, Nesting nesting);
}  // namespace internal

}  // namespace agentsh::sql
