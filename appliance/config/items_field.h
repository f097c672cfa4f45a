// A field whose value is a list of maps.
#pragma once

#include "appliance/config/field.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::config {

// A list of maps, each read by read_item() and written by write_item().
template <class Item>
class ItemsField : public Field {
 public:
  ItemsField(std::vector<Item>& value, std::string type) : value_(value), type_(std::move(type)) {}
  std::string type() const override { return type_; }

  bool read(policy::YamlNode node, std::string_view key, ReadContext& context) override {
    if (!node.is_sequence()) {
      context.problems.error(node.where(), key,
                             fmt::format("must be a list, not {}", node.describe()));
      return false;
    }
    std::vector<Item> items;
    bool good = true;
    for (std::size_t i = 0; i < node.size(); ++i) {
      policy::YamlReader reader(node.item(i), fmt::format("{}[{}]", key, i), context.problems);
      good &= read_item(reader, context, items.emplace_back());
    }
    if (good) value_ = std::move(items);
    return good;
  }

  void write(JsonWriter& out, bool) const override {
    out.begin_array();
    for (const Item& item : value_) {
      out.begin_object();
      write_item(out, item);
      out.end_object();
    }
    out.end_array();
  }

 private:
  virtual bool read_item(policy::YamlReader& reader, ReadContext& context, Item& item) = 0;
  virtual void write_item(JsonWriter& out, const Item& item) const = 0;

  std::vector<Item>& value_;
  std::string type_;
};

}  // namespace agentsh::config
