// FieldRules as a tree, and a reader that walks a JSON text along it.
#pragma once

#include "proxy/llm/field.h"
#include "proxy/llm/json_lexer.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

// Immutable once built; shared by all threads.
class FieldMap {
 public:
  // Rules that apply to what stands below `prefix`: "response.", "" for the document.
  struct Part {
    std::string_view prefix;
    std::span<const FieldRule> rules;
  };
  // Rules further back override those of the same path before them.
  explicit FieldMap(std::initializer_list<Part> parts);

  // A place in a document: a node of the tree, or off it, and the treatment of texts there.
  struct Place {
    std::int16_t node = 0;
    TextUse text = TextUse::kText;
    Field field = Field::kNone;
    Slot slot = Slot::kContent;
  };
  Place root() const { return place_of(0, TextUse::kText); }
  Place member(const Place& object, std::string_view key) const;
  Place element(const Place& array) const;

 private:
  struct Node {
    std::vector<std::pair<std::string, std::int16_t>> members;
    std::int16_t any_member = -1;
    std::int16_t element = -1;
    Field field = Field::kNone;
    TextUse text = TextUse::kInherit;
    Slot slot = Slot::kContent;
  };
  std::int16_t make(std::string_view path);
  std::int16_t make_member(std::int16_t node, std::string_view key);
  Place place_of(std::int16_t node, TextUse above) const;

  std::vector<Node> nodes_;
};

// Reads a document's tokens, each with what its place means.
class FieldReader {
 public:
  explicit FieldReader(const FieldMap& map) : map_(map) {}

  struct Token : JsonToken {
    FieldMap::Place place;
    // The indices of the outermost two arrays that the value is in; 0 where there are fewer.
    std::array<std::uint32_t, 2> element = {0, 0};
    // What was read of the key last; for values of members only.
    std::string_view key = {};
  };

  void feed(std::string_view chunk) { lexer_.feed(chunk); }
  // Keys are not given out: their values carry their place.
  JsonStep next(Token& token);
  JsonStep finish(Token& token);

  std::size_t depth() const { return lexer_.depth(); }
  std::uint64_t pending_from() const { return lexer_.pending_from(); }
  // The place of the value that comes next, or of which a part was read.
  const FieldMap::Place& upcoming() const { return upcoming_; }

 private:
  struct Level {
    FieldMap::Place place;
    std::uint32_t index = 0;
    bool array = false;
  };
  void give(Token& token);
  void take_key(const JsonToken& token);
  void after_value();

  const FieldMap& map_;
  JsonLexer lexer_;
  std::vector<Level> levels_;
  std::string key_;
  FieldMap::Place upcoming_;
  std::array<std::uint32_t, 2> element_ = {0, 0};
  std::size_t arrays_ = 0;
  bool started_ = false;
};

}  // namespace agentsh::llm
