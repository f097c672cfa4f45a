// Statements of Amazon Redshift that PostgreSQL's grammar does not have: UNLOAD, and COPY between a
// table and S3 with its own options.
#pragma once

#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/text_scan.h"

#include <optional>
#include <string_view>

namespace agentsh::sql {

// Nothing unless the whole text is one such statement. `nesting` as in classify_text().
std::optional<Statement> classify_redshift(std::string_view sql, TextLimits limits,
                                           internal::Nesting nesting);

}  // namespace agentsh::sql
