// Every node type of the grammar, and what the classifier does with it. A type that is not listed,
// or that the parser cannot give (it belongs to later stages of the server), makes a statement
// unknown; tests/unit/sqlguard compares the list with the one libpg_query ships.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace agentsh::sql {

enum class NodeRole : std::uint8_t {
  kStatement,  // Has effects of its own: statements.cc has a function for it.
  kPart,       // Of a statement or an expression: what it holds is looked at.
  kRelation,   // A table's name.
  kCall,       // A function call.
  kInternal,   // Not made by the parser.
};

struct NodeType {
  std::string_view name;
  NodeRole role;
};

// Sorted by name.
std::span<const NodeType> node_types();
// Null for a name that is not listed.
const NodeType* node_type(std::string_view name);

}  // namespace agentsh::sql
