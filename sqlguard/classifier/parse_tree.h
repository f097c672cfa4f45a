// PostgreSQL's own grammar (libpg_query, version 15): text to a raw parse tree.
//
// The library hands its tree out as JSON, every field of every node under its C name, defaults left
// out; it is kept here as one flat array, strings pointing into the text that the library wrote.
// (Its protobuf form costs several times as much, and its C structures need the server's headers.)
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class TreeNode;

// One value; which of these a node is, TreeNode::kind() says.
enum class TreeKind : std::uint8_t { kAbsent, kText, kNumber, kFlag, kObject, kArray };

class ParseTree {
 public:
  // Fails with the parser's message. Precondition: check_limits(sql). Any thread; the library's
  // memory is the thread's own.
  static Result<ParseTree> parse(const std::string& sql);

  // The elements are RawStmts: {stmt, stmt_location, stmt_len}.
  TreeNode statements() const;

 private:
  friend class TreeNode;
  struct Entry {
    std::string_view key;
    std::string_view text;  // kText, kNumber; "true" or "false".
    std::uint32_t child = 0;
    std::uint32_t next = 0;
    TreeKind kind = TreeKind::kAbsent;
  };
  struct Freed {
    void operator()(char* text) const;
  };
  class Builder;

  std::unique_ptr<char, Freed> text_;  // Strings are unescaped in place.
  std::vector<Entry> entries_;         // 0 is "none", 1 the root.
};

// A view of one value; valid while the tree lives. Look-ups of what is not there give an absent
// node, empty texts, 0 and false.
class TreeNode {
 public:
  TreeNode() = default;

  explicit operator bool() const { return index_ != 0; }
  TreeKind kind() const { return index_ == 0 ? TreeKind::kAbsent : entry().kind; }
  bool is_array() const { return kind() == TreeKind::kArray; }
  bool is_object() const { return kind() == TreeKind::kObject; }
  bool empty() const { return index_ == 0 || entry().child == 0; }

  std::string_view key() const { return index_ == 0 ? std::string_view() : entry().key; }
  std::string_view text() const { return index_ == 0 ? std::string_view() : entry().text; }

  TreeNode child(std::string_view key) const {
    for (TreeNode node = first(); node; node = node.next()) {
      if (node.key() == key) return node;
    }
    return {};
  }
  std::string_view text(std::string_view key) const { return child(key).text(); }
  bool flag(std::string_view key) const { return child(key).text() == "true"; }
  std::int64_t integer(std::string_view key) const;

  // Members or elements: for (TreeNode n = x.first(); n; n = n.next()).
  TreeNode first() const { return index_ == 0 ? TreeNode() : TreeNode(tree_, entry().child); }
  TreeNode next() const { return index_ == 0 ? TreeNode() : TreeNode(tree_, entry().next); }

  // A node of the grammar is an object with one member that is named like its type: {"FuncCall":
  // {...}}. Its fields, with key() the type's name; absent for everything else.
  TreeNode typed() const;

 private:
  friend class ParseTree;
  TreeNode(const ParseTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}
  const ParseTree::Entry& entry() const { return tree_->entries_[index_]; }

  const ParseTree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

}  // namespace agentsh::sql
