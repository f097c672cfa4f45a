// PostgreSQL's text form of a stored query (pg_node_tree, as pg_rewrite.ev_action has it): which
// columns of which relations the outputs plainly are. Internal to the catalogue.
#pragma once

#include "sqlguard/catalog/catalog.h"

#include <optional>
#include <string_view>
#include <vector>

namespace agentsh::sql {

// By the output's number less one; relation 0 for what is computed. Nothing when the text has not
// the form that versions 12 to 18 write.
std::optional<std::vector<CatalogRelation::Source>> origins_of(std::string_view node_text);

}  // namespace agentsh::sql
