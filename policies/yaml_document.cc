#include "policies/yaml_document.h"

#include "base/encoding.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <unordered_map>

namespace agentsh::policy {
namespace {

// Leaves yaml-cpp's parser from within an event. It never leaves this file.
struct Abort {
  SourcePosition where;
  std::string message;
};

SourcePosition position(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

bool is_core_tag(std::string_view tag) {
  constexpr std::string_view kCore = "tag:yaml.org,2002:";
  if (tag.empty() || tag == "?" || tag == "!") return true;
  if (!tag.starts_with(kCore)) return false;
  tag.remove_prefix(kCore.size());
  constexpr std::string_view kNames[] = {"str",  "int", "float", "bool",
                                         "null", "seq", "map",   "merge"};
  return std::ranges::find(kNames, tag) != std::end(kNames);
}

// Builds the tree from yaml-cpp's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Diagnostics& problems, const YamlLimits& limits)
      : problems_(problems), limits_(limits), nodes_(std::make_unique<std::deque<YamlData>>()) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    attach(make(YamlKind::kNull, mark, anchor));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end() || found->second == nullptr) {
      throw Abort{position(mark),
                  "an alias (*) must name an anchor (&) that is complete before it"};
    }
    attach(found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    YamlData* data = make(YamlKind::kScalar, mark, anchor);
    data->text = value;
    data->plain = tag == "?";
    attach(data);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(make(YamlKind::kSequence, mark, 0), anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(make(YamlKind::kMap, mark, 0), anchor);
  }
  void OnMapEnd() override {
    resolve_merges(*open_.back().data);
    close();
  }

  const YamlData* root() const { return root_; }
  std::unique_ptr<std::deque<YamlData>> take_nodes() { return std::move(nodes_); }

 private:
  struct Frame {
    YamlData* data;
    YAML::anchor_t anchor;
    const YamlData* key = nullptr;  // Of a map: the key whose value comes next.
  };

  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!is_core_tag(tag)) throw Abort{position(mark), fmt::format("unknown tag \"{}\"", tag)};
  }

  YamlData* make(YamlKind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (nodes_->size() >= limits_.max_nodes) too_large(position(mark));
    YamlData& data = nodes_->emplace_back();
    data.kind = kind;
    data.where = position(mark);
    if (anchor != 0) anchors_[anchor] = &data;
    return &data;
  }

  [[noreturn]] void too_large(SourcePosition where) const {
    throw Abort{where, fmt::format("more than {} values, aliases counted each time they are used",
                                   limits_.max_nodes)};
  }

  void open(YamlData* data, YAML::anchor_t anchor) {
    if (open_.size() >= limits_.max_depth) {
      throw Abort{data->where, fmt::format("nested more than {} levels deep", limits_.max_depth)};
    }
    // Known from the end of the node on: an alias inside its own anchor would be a cycle.
    if (anchor != 0) anchors_[anchor] = nullptr;
    open_.push_back({data, anchor});
  }

  void close() {
    const Frame frame = open_.back();
    open_.pop_back();
    if (frame.anchor != 0) anchors_[frame.anchor] = frame.data;
    attach(frame.data);
  }

  void attach(const YamlData* data) {
    if (open_.empty()) {
      root_ = data;
      return;
    }
    Frame& parent = open_.back();
    parent.data->weight += data->weight;
    if (parent.data->weight > limits_.max_nodes) too_large(data->where);
    if (parent.data->kind == YamlKind::kSequence) {
      parent.data->items.push_back(data);
    } else if (parent.key == nullptr) {
      if (data->kind != YamlKind::kScalar) {
        throw Abort{data->where,
                    fmt::format("a key must be a text, this is {}", YamlNode(data).describe())};
      }
      parent.key = data;
    } else {
      parent.data->entries.push_back({parent.key, value_at(*parent.key, data)});
      parent.key = nullptr;
    }
  }

  // yaml-cpp places a missing value at the next token, lines below: it belongs to its key.
  const YamlData* value_at(const YamlData& key, const YamlData* data) {
    if (data->kind != YamlKind::kNull || data->where <= key.where) return data;
    YamlData& moved = nodes_->emplace_back(*data);
    moved.where = key.where;
    return &moved;
  }

  void resolve_merges(YamlData& map) {
    std::unordered_map<std::string_view, SourcePosition> seen;
    std::vector<YamlData::Entry> own;
    std::vector<const YamlData*> merged;
    for (const YamlData::Entry& entry : map.entries) {
      if (entry.key->plain && entry.key->text == "<<") {
        collect_merged(*entry.value, merged);
        continue;
      }
      auto [first, added] = seen.emplace(entry.key->text, entry.key->where);
      if (added) {
        own.push_back(entry);
      } else {
        problems_.error(entry.key->where, entry.key->text,
                        fmt::format("duplicate key, first written at line {}", first->second.line));
      }
    }
    for (const YamlData* source : merged) {
      for (const YamlData::Entry& entry : source->entries) {
        if (seen.emplace(entry.key->text, entry.key->where).second) own.push_back(entry);
      }
    }
    map.entries = std::move(own);
  }

  static void collect_merged(const YamlData& value, std::vector<const YamlData*>& merged) {
    if (value.kind == YamlKind::kMap) {
      merged.push_back(&value);
      return;
    }
    const bool maps = value.kind == YamlKind::kSequence &&
                      std::ranges::all_of(value.items, [](const YamlData* item) {
                        return item->kind == YamlKind::kMap;
                      });
    if (!maps) throw Abort{value.where, "<<: merges a map or a list of maps only"};
    merged.insert(merged.end(), value.items.begin(), value.items.end());
  }

  Diagnostics& problems_;
  const YamlLimits& limits_;
  std::unique_ptr<std::deque<YamlData>> nodes_;
  std::unordered_map<YAML::anchor_t, const YamlData*> anchors_;
  std::vector<Frame> open_;
  const YamlData* root_ = nullptr;
};

// Only notes that a document starts, and where.
class DocumentFinder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { throw Abort{position(mark), {}}; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

std::string_view line_at(std::string_view text, int line) {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// What comes after the first document.
void check_rest(YAML::Parser& parser, std::string_view text, Diagnostics& problems) {
  DocumentFinder finder;
  try {
    parser.HandleNextDocument(finder);
  } catch (const Abort& next) {
    if (line_at(text, next.where.line).starts_with("---")) {
      problems.warning(next.where, "",
                       "only the first document of a file is read, this one is not");
    } else {
      problems.error(next.where, "",
                     "this is not part of what stands above it: check indentation and brackets");
    }
  }
}

// yaml-cpp's sentence, or a clearer one for the commonest mistake.
std::string explain(const YAML::Exception& error, std::string_view text) {
  const std::string_view line = line_at(text, error.mark.line + 1);
  const std::string_view indentation = line.substr(0, line.find_first_not_of(" \t"));
  if (indentation.contains('\t')) return "a tab is used for indentation; YAML takes spaces only";
  return fmt::format("not YAML: {}", error.msg);
}

bool check_bytes(std::string_view text, Diagnostics& problems, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    problems.error({}, "", fmt::format("larger than {} bytes", limits.max_bytes));
    return false;
  }
  if (!is_utf8(text)) {
    problems.error({}, "", "is not UTF-8 text");
    return false;
  }
  SourcePosition where{1, 1};
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) {
      problems.error(where, "", fmt::format("control byte 0x{:02x} in the text", byte));
      return false;
    }
    where = c == '\n' ? SourcePosition{where.line + 1, 1}
                      : SourcePosition{where.line, where.column + 1};
  }
  return true;
}

}  // namespace

std::size_t YamlNode::size() const {
  if (is_sequence()) return data_->items.size();
  return is_map() ? data_->entries.size() : 0;
}

std::pair<YamlNode, YamlNode> YamlNode::entry(std::size_t index) const {
  const YamlData::Entry& entry = data_->entries[index];
  return {YamlNode(entry.key), YamlNode(entry.value)};
}

YamlNode YamlNode::get(std::string_view key) const {
  if (!is_map()) return {};
  for (const YamlData::Entry& entry : data_->entries) {
    if (entry.key->text == key) return YamlNode(entry.value);
  }
  return {};
}

std::string_view YamlNode::describe() const {
  if (empty()) return "nothing";
  if (is_sequence()) return "a list";
  if (is_map()) return "a map";
  const bool number = is_plain() && !text().empty() &&
                      text().find_first_not_of("0123456789+-._") == std::string_view::npos;
  return number ? "a number" : "a text";
}

std::optional<YamlDocument> YamlDocument::parse(std::string_view text, Diagnostics& problems,
                                                const YamlLimits& limits) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!check_bytes(text, problems, limits)) return {};
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(problems, limits);
  try {
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(builder)) check_rest(parser, text, problems);
  } catch (const Abort& abort) {
    problems.error(abort.where, "", abort.message);
    return {};
  } catch (const YAML::Exception& error) {
    problems.error(position(error.mark), "", explain(error, text));
    return {};
  }
  const YamlData* root = builder.root();
  return YamlDocument(builder.take_nodes(), root);
}

}  // namespace agentsh::policy
