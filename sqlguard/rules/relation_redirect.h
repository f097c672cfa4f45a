// A statement with one relation in place of another, for rules that redirect reads.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::sql {

// `sql`, one statement, with every mention of relation `source` reading `target`; both schema.name,
// written out. A name without a schema is taken for the source's. Columns keep their names: the
// target gets the source's name as its alias where the statement gave none. The text is written
// anew from the parse tree, so comments are gone.
//
// Fails when the statement is not one plain query, when it does not mention the source, or when the
// result is not the query that it should be.
Result<std::string> redirect_relation(std::string_view sql, std::string_view source,
                                      std::string_view target);

}  // namespace agentsh::sql
