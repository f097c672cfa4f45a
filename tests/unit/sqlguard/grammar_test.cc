// The classifier against the grammar's own list of nodes.
#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/node_types.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

namespace agentsh::sql {
namespace {

// The node types of libpg_query, from the alternatives of message Node in its protobuf description.
std::set<std::string> grammar_nodes() {
  std::ifstream file(AGENTSH_GRAMMAR);
  std::set<std::string> names;
  const std::regex alternative(R"re(^\s*(\w+) \w+ = \d+ \[json_name="\w+"\];)re");
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.contains("oneof node")) inside = true;
    if (inside && line.contains("}")) break;
    std::smatch match;
    if (inside && std::regex_search(line, match, alternative)) names.insert(match[1]);
  }
  return names;
}

TEST(Grammar, EveryNodeTypeIsListed) {
  const auto names = grammar_nodes();
  ASSERT_GT(names.size(), 200u);
  std::set<std::string> listed;
  for (const NodeType& type : node_types()) listed.emplace(type.name);
  EXPECT_EQ(names, listed);
}

TEST(Grammar, EveryStatementHasAHandler) {
  for (const NodeType& type : node_types()) {
    EXPECT_EQ(type.role == NodeRole::kStatement, classifies(type.name)) << type.name;
  }
}

// What ends in Stmt is a statement, but for the few that the parser never gives on their own.
TEST(Grammar, NoStatementIsTakenForAPart) {
  const std::set<std::string_view> others = {"RawStmt", "SetOperationStmt", "PLAssignStmt",
                                             "ReturnStmt", "ReplicaIdentityStmt"};
  for (const NodeType& type : node_types()) {
    if (!type.name.ends_with("Stmt") || others.contains(type.name)) continue;
    EXPECT_EQ(type.role, NodeRole::kStatement) << type.name;
  }
}

TEST(Grammar, NodesThatAreNotListedAreNotFound) {
  EXPECT_EQ(node_type("JsonTableStmt"), nullptr);
  EXPECT_EQ(node_type(""), nullptr);
}

}  // namespace
}  // namespace agentsh::sql
