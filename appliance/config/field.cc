#include "appliance/config/field.h"

#include "appliance/config/size_text.h"
#include "base/time_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace agentsh::config {
namespace {

using policy::YamlNode;

bool wrong(YamlNode node, std::string_view key, ReadContext& context, std::string message,
           std::string suggestion = {}) {
  context.problems.error(node.where(), key, std::move(message), std::move(suggestion));
  return false;
}

class FlagField final : public Field {
 public:
  explicit FlagField(bool& value) : value_(value) {}
  std::string type() const override { return "true or false"; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    return policy::read_flag(node, key, context.problems, value_);
  }
  void write(JsonWriter& out, bool) const override { out.value(value_); }

 private:
  bool& value_;
};

class IntegerField final : public Field {
 public:
  IntegerField(int& value, int minimum, int maximum)
      : value_(value), minimum_(minimum), maximum_(maximum) {}
  std::string type() const override {
    return fmt::format("a whole number from {} to {}", minimum_, maximum_);
  }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::int64_t value = 0;
    if (!policy::read_integer(node, key, context.problems, minimum_, maximum_, value)) return false;
    value_ = static_cast<int>(value);
    return true;
  }
  void write(JsonWriter& out, bool) const override { out.value(value_); }

 private:
  int& value_;
  int minimum_;
  int maximum_;
};

class SizeField final : public Field {
 public:
  SizeField(std::uint64_t& value, std::uint64_t minimum, std::uint64_t maximum)
      : value_(value), minimum_(minimum), maximum_(maximum) {}
  std::string type() const override {
    return fmt::format("a size from {} to {}", format_size(minimum_), format_size(maximum_));
  }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    auto size = parse_size(node.text());
    if (!size) {
      return wrong(
          node, key, context,
          fmt::format("must be a size such as 10MB or 512K, not {}",
                      node.is_scalar() ? json_quoted(node.text()) : std::string(node.describe())));
    }
    if (*size < minimum_ || *size > maximum_) {
      return wrong(node, key, context, fmt::format("must be {}, is {}", type(), node.text()));
    }
    value_ = *size;
    return true;
  }
  void write(JsonWriter& out, bool) const override { out.value(format_size(value_)); }

 private:
  std::uint64_t& value_;
  std::uint64_t minimum_;
  std::uint64_t maximum_;
};

class DurationField final : public Field {
 public:
  DurationField(Duration& value, Duration minimum, Duration maximum)
      : value_(value), minimum_(minimum), maximum_(maximum) {}
  std::string type() const override {
    return fmt::format("a duration from {} to {}", format_duration(minimum_),
                       format_duration(maximum_));
  }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    Duration value{};
    if (!policy::read_duration(node, key, context.problems, value)) return false;
    if (value < minimum_ || value > maximum_) {
      return wrong(node, key, context, fmt::format("must be {}, is {}", type(), node.text()));
    }
    value_ = value;
    return true;
  }
  void write(JsonWriter& out, bool) const override { out.value(format_duration(value_)); }

 private:
  Duration& value_;
  Duration minimum_;
  Duration maximum_;
};

class PermissionsField final : public Field {
 public:
  explicit PermissionsField(mode_t& value) : value_(value) {}
  std::string type() const override { return "octal permissions such as \"0660\""; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::string_view text = node.text();
    if (text.starts_with("0o")) text.remove_prefix(2);
    unsigned bits = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, 8);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || bits > 0777) {
      return wrong(
          node, key, context,
          fmt::format("must be {}, not {}", type(),
                      node.is_scalar() ? json_quoted(node.text()) : std::string(node.describe())));
    }
    value_ = bits;
    return true;
  }
  void write(JsonWriter& out, bool) const override { out.value(fmt::format("{:04o}", value_)); }

 private:
  mode_t& value_;
};

class IntegerListField final : public Field {
 public:
  IntegerListField(std::vector<int>& value, int minimum, int maximum)
      : value_(value), minimum_(minimum), maximum_(maximum) {}
  std::string type() const override {
    return fmt::format("a list of whole numbers from {} to {}", minimum_, maximum_);
  }
  bool is_list() const override { return true; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    if (!node.is_sequence()) {
      return wrong(node, key, context, fmt::format("must be a list, not {}", node.describe()),
                   node.is_scalar() ? fmt::format("[{}]", node.text()) : "");
    }
    std::vector<int> values;
    bool good = true;
    for (std::size_t i = 0; i < node.size(); ++i) {
      int value = 0;
      IntegerField item(value, minimum_, maximum_);
      good &= item.read(node.item(i), fmt::format("{}[{}]", key, i), context);
      values.push_back(value);
    }
    if (good) value_ = std::move(values);
    return good;
  }
  void write(JsonWriter& out, bool) const override {
    out.begin_array();
    for (int value : value_) out.value(value);
    out.end_array();
  }

 private:
  std::vector<int>& value_;
  int minimum_;
  int maximum_;
};

}  // namespace

FieldPtr flag_field(bool& value) {
  return std::make_unique<FlagField>(value);
}

FieldPtr integer_field(int& value, int minimum, int maximum) {
  return std::make_unique<IntegerField>(value, minimum, maximum);
}

FieldPtr size_field(std::uint64_t& value, std::uint64_t minimum, std::uint64_t maximum) {
  return std::make_unique<SizeField>(value, minimum, maximum);
}

FieldPtr duration_field(Duration& value, Duration minimum, Duration maximum) {
  return std::make_unique<DurationField>(value, minimum, maximum);
}

FieldPtr permissions_field(mode_t& value) {
  return std::make_unique<PermissionsField>(value);
}

FieldPtr integer_list_field(std::vector<int>& value, int minimum, int maximum) {
  return std::make_unique<IntegerListField>(value, minimum, maximum);
}

std::string WordField::type() const {
  return fmt::format("one of {}", fmt::join(words_, ", "));
}

bool WordField::read(YamlNode node, std::string_view key, ReadContext& context) {
  auto found = policy::find_word(node, key, context.problems, words_);
  if (found) set(*found);
  return found.has_value();
}

void WordField::write(JsonWriter& out, bool) const {
  out.value(words_[index()]);
}

}  // namespace agentsh::config
