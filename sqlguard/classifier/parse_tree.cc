#include "sqlguard/classifier/parse_tree.h"

#include <fmt/format.h>
#include <pg_query.h>

#include <charconv>
#include <cstdlib>
#include <utility>

namespace agentsh::sql {

void ParseTree::Freed::operator()(char* text) const {
  std::free(text);
}

// Reads the JSON that libpg_query wrote: well formed, without white space between tokens. What is
// not as expected ends the reading as an error, not as a guess.
class ParseTree::Builder {
 public:
  Builder(char* text, std::size_t length, std::vector<Entry>& entries)
      : at_(text), end_(text + length), entries_(entries) {}

  bool build() {
    entries_.emplace_back();
    if (!value({})) return false;
    while (!open_.empty()) {
      if (!step()) return false;
    }
    return at_ == end_;
  }

 private:
  struct Open {
    std::uint32_t index;
    std::uint32_t last = 0;  // Its last child so far.
  };

  bool step() {
    Open& open = open_.back();
    const bool object = entries_[open.index].kind == TreeKind::kObject;
    if (at_ == end_) return false;
    if (*at_ == (object ? '}' : ']')) {
      ++at_;
      open_.pop_back();
      return true;
    }
    if (open.last != 0) {
      if (*at_ != ',') return false;
      ++at_;
    }
    std::string_view key;
    if (object) {
      if (!string(key) || at_ == end_ || *at_ != ':') return false;
      ++at_;
    }
    return value(key);
  }

  bool value(std::string_view key) {
    if (at_ == end_) return false;
    const auto index = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back({.key = key});
    if (!open_.empty()) {
      Open& parent = open_.back();
      if (parent.last == 0)
        entries_[parent.index].child = index;
      else
        entries_[parent.last].next = index;
      parent.last = index;
    }
    Entry& entry = entries_.back();
    switch (*at_) {
      case '{':
      case '[':
        entry.kind = *at_ == '{' ? TreeKind::kObject : TreeKind::kArray;
        ++at_;
        open_.push_back({index});
        return true;
      case '"':
        entry.kind = TreeKind::kText;
        return string(entry.text);
      case 't':
      case 'f':
        entry.kind = TreeKind::kFlag;
        return word(entry.text, *at_ == 't' ? "true" : "false");
      default:
        entry.kind = TreeKind::kNumber;
        return number(entry.text);
    }
  }

  bool word(std::string_view& out, std::string_view expected) {
    out = std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, expected.size());
    at_ += out.size();
    return out == expected;
  }

  bool number(std::string_view& out) {
    const char* begin = at_;
    while (at_ != end_ && (*at_ == '-' || *at_ == '.' || *at_ == '+' || *at_ == 'e' ||
                           (*at_ >= '0' && *at_ <= '9')))
      ++at_;
    out = {begin, at_};
    return at_ != begin;
  }

  bool string(std::string_view& out) {
    if (at_ == end_ || *at_ != '"') return false;
    char* begin = ++at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
    char* written = at_;
    while (at_ != end_ && *at_ != '"') {
      if (*at_ == '\\') {
        if (!escape(written)) return false;
      } else {
        *written++ = *at_++;
      }
    }
    if (at_ == end_) return false;
    ++at_;
    out = {begin, written};
    return true;
  }

  // The library escapes control characters, quotes, backslashes and < > as \u00XX; other bytes
  // stand for themselves.
  bool escape(char*& written) {
    if (end_ - at_ < 2) return false;
    const char c = at_[1];
    if (c == 'u') {
      unsigned code = 0;
      if (end_ - at_ < 6) return false;
      const auto [stop, error] = std::from_chars(at_ + 2, at_ + 6, code, 16);
      if (error != std::errc() || stop != at_ + 6 || code > 0x7f) return false;
      *written++ = static_cast<char>(code);
      at_ += 6;
      return true;
    }
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t which = kLetters.find(c);
    if (which == std::string_view::npos) return false;
    *written++ = kMeanings[which];
    at_ += 2;
    return true;
  }

  char* at_;
  char* end_;
  std::vector<Entry>& entries_;
  std::vector<Open> open_;
};

Result<ParseTree> ParseTree::parse(const std::string& sql) {
  PgQueryParseResult result = pg_query_parse(sql.c_str());
  ParseTree tree;
  tree.text_.reset(std::exchange(result.parse_tree, nullptr));
  std::string problem;
  if (result.error != nullptr) {
    problem = fmt::format("{} (at {})", result.error->message, result.error->cursorpos);
  }
  pg_query_free_parse_result(result);
  if (!problem.empty()) return fail(std::move(problem));
  if (tree.text_ == nullptr) return fail("the parser gave no tree", std::errc::not_enough_memory);
  const std::size_t length = std::string_view(tree.text_.get()).size();
  tree.entries_.reserve(length / 16);
  Builder builder(tree.text_.get(), length, tree.entries_);
  if (!builder.build()) return fail("the parser's tree cannot be read", std::errc::bad_message);
  return tree;
}

TreeNode ParseTree::statements() const {
  return TreeNode(this, 1).child("stmts");
}

std::int64_t TreeNode::integer(std::string_view key) const {
  const std::string_view digits = text(key);
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

TreeNode TreeNode::typed() const {
  if (!is_object()) return {};
  const TreeNode only = first();
  if (!only || only.next() || !only.is_object()) return {};
  const char initial = only.key().empty() ? '\0' : only.key()[0];
  return initial >= 'A' && initial <= 'Z' ? only : TreeNode();
}

}  // namespace agentsh::sql
