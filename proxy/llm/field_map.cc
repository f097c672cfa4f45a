#include "proxy/llm/field_map.h"

#include <algorithm>

namespace agentsh::llm {

FieldMap::FieldMap(std::initializer_list<Part> parts) : nodes_(1) {
  for (const Part& part : parts) {
    for (const FieldRule& rule : part.rules) {
      const std::int16_t at = make(std::string(part.prefix) + std::string(rule.path));
      Node& node = nodes_[static_cast<std::size_t>(at)];
      if (rule.field != Field::kNone) node.field = rule.field;
      if (rule.text != TextUse::kInherit) node.text = rule.text;
      node.slot = rule.slot;
    }
  }
}

std::int16_t FieldMap::make(std::string_view path) {
  std::int16_t node = 0;
  while (!path.empty()) {
    if (path.starts_with("[]")) {
      path.remove_prefix(2);
      std::int16_t element = nodes_[static_cast<std::size_t>(node)].element;
      if (element < 0) {
        element = static_cast<std::int16_t>(nodes_.size());
        nodes_.emplace_back();
        nodes_[static_cast<std::size_t>(node)].element = element;
      }
      node = element;
    } else {
      const std::size_t size = std::min(path.find_first_of(".["), path.size());
      node = make_member(node, path.substr(0, size));
      path.remove_prefix(size);
    }
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return node;
}

std::int16_t FieldMap::make_member(std::int16_t node, std::string_view key) {
  const auto at = static_cast<std::size_t>(node);
  const auto fresh = static_cast<std::int16_t>(nodes_.size());
  if (key == "*") {
    if (nodes_[at].any_member >= 0) return nodes_[at].any_member;
    nodes_[at].any_member = fresh;
  } else {
    for (const auto& [name, child] : nodes_[at].members) {
      if (name == key) return child;
    }
    nodes_[at].members.emplace_back(key, fresh);
  }
  nodes_.emplace_back();
  return fresh;
}

FieldMap::Place FieldMap::place_of(std::int16_t node, TextUse above) const {
  if (node < 0) return {.node = -1, .text = above};
  const Node& found = nodes_[static_cast<std::size_t>(node)];
  return {.node = node,
          .text = found.text == TextUse::kInherit ? above : found.text,
          .field = found.field,
          .slot = found.slot};
}

FieldMap::Place FieldMap::member(const Place& object, std::string_view key) const {
  std::int16_t child = -1;
  if (object.node >= 0) {
    const Node& node = nodes_[static_cast<std::size_t>(object.node)];
    child = node.any_member;
    for (const auto& [name, at] : node.members) {
      if (name.size() == key.size() && name == key) {
        child = at;
        break;
      }
    }
  }
  return place_of(child, object.text);
}

FieldMap::Place FieldMap::element(const Place& array) const {
  return place_of(
      array.node < 0 ? std::int16_t{-1} : nodes_[static_cast<std::size_t>(array.node)].element,
      array.text);
}

JsonStep FieldReader::next(Token& token) {
  if (!started_) {
    started_ = true;
    upcoming_ = map_.root();
  }
  while (true) {
    const JsonStep step = lexer_.next(token);
    if (step != JsonStep::kToken) return step;
    if (token.kind != JsonKind::kKey) break;
    take_key(token);
  }
  give(token);
  return JsonStep::kToken;
}

JsonStep FieldReader::finish(Token& token) {
  const JsonStep step = lexer_.finish(token);
  if (step == JsonStep::kToken) give(token);
  return step;
}

void FieldReader::take_key(const JsonToken& token) {
  key_.clear();
  // Two spellings of a key are the same key.
  if (!token.escaped) {
    key_ = token.text;
  } else if (!json_unescape(token.text, key_)) {
    key_.clear();
  }
  upcoming_ = map_.member(levels_.back().place, key_);
}

void FieldReader::give(Token& token) {
  token.key =
      !levels_.empty() && !levels_.back().array ? std::string_view(key_) : std::string_view();
  switch (token.kind) {
    case JsonKind::kObjectBegin:
    case JsonKind::kArrayBegin: {
      const bool array = token.kind == JsonKind::kArrayBegin;
      token.place = upcoming_;
      token.element = element_;
      levels_.push_back({.place = upcoming_, .array = array});
      if (array) {
        if (arrays_ < element_.size()) element_[arrays_] = 0;
        ++arrays_;
        upcoming_ = map_.element(levels_.back().place);
      }
      return;
    }
    case JsonKind::kObjectEnd:
    case JsonKind::kArrayEnd:
      token.place = levels_.back().place;
      if (levels_.back().array) {
        --arrays_;
        if (arrays_ < element_.size()) element_[arrays_] = 0;
      }
      levels_.pop_back();
      token.element = element_;
      break;
    default:
      token.place = upcoming_;
      token.element = element_;
  }
  after_value();
}

void FieldReader::after_value() {
  if (levels_.empty() || !levels_.back().array) return;
  Level& level = levels_.back();
  ++level.index;
  if (arrays_ <= element_.size()) element_[arrays_ - 1] = level.index;
  upcoming_ = map_.element(level.place);
}

}  // namespace agentsh::llm
