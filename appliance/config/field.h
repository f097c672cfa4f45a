// One typed value of the configuration: how it is read from the file, checked, and printed. A field
// refers to a member of a ServerConfig; the table of keys (schema.h) owns the fields.
//
// Reading reports what is wrong with key and position and leaves the member as it was. Printing
// gives JSON, which is YAML too, so that the sample configuration can be read back.
//
// Lifetime: the member must outlive the field. Threads: one owner.
#pragma once

#include "appliance/config/config.h"
#include "appliance/config/expand.h"
#include "base/json_writer.h"
#include "policies/yaml_reader.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace agentsh::config {

// What values may refer to, and where problems go.
struct ReadContext {
  policy::Diagnostics& problems;
  const Environment& environment;
  std::string base_directory;  // Relative paths are below this.
};

class Field {
 public:
  virtual ~Field() = default;

  // "true or false", "a duration", "one of a, b": completes "must be ..." and the documentation.
  virtual std::string type() const = 0;
  // Lists take comma-separated text from environment variables.
  virtual bool is_list() const { return false; }
  // One of a vocabulary, in which several words may mean the same.
  virtual bool is_word() const { return false; }

  virtual bool read(policy::YamlNode node, std::string_view key, ReadContext& context) = 0;

  // With `masked`, what is secret becomes "****".
  virtual void write(JsonWriter& out, bool masked) const = 0;
};
using FieldPtr = std::unique_ptr<Field>;

// What is wrong with a text, as the end of "must be ..."; empty when nothing is.
using TextCheck = std::string (*)(std::string_view text);

FieldPtr flag_field(bool& value);
FieldPtr integer_field(int& value, int minimum, int maximum);
// "4MB", "512K", "1GiB", a number of bytes; K, M and G are powers of 1024.
FieldPtr size_field(std::uint64_t& value, std::uint64_t minimum, std::uint64_t maximum);
FieldPtr duration_field(Duration& value, Duration minimum, Duration maximum);
FieldPtr text_field(std::string& value, std::string type, TextCheck check = nullptr);
// A file or directory, made absolute; variables are expanded. Empty stays empty.
FieldPtr path_field(std::string& value);
// Permission bits, octal.
FieldPtr permissions_field(mode_t& value);
// "address:port"; empty for none.
FieldPtr endpoint_field(std::optional<Endpoint>& value);
FieldPtr endpoint_list_field(std::vector<Endpoint>& value, std::uint16_t default_port);
FieldPtr text_list_field(std::vector<std::string>& value, std::string type,
                         TextCheck check = nullptr);
FieldPtr path_list_field(std::vector<std::string>& value);
FieldPtr integer_list_field(std::vector<int>& value, int minimum, int maximum);
// Names to texts of one type ("names to URLs").
FieldPtr text_map_field(std::map<std::string, std::string>& value, std::string type,
                        TextCheck check);
// Names to texts. The texts are secret; variables in them are expanded.
FieldPtr secret_map_field(std::map<std::string, std::string>& value);
// "http://[user:password@]host:port"; variables are expanded.
FieldPtr upstream_proxy_field(UpstreamProxy& value);

// A word of a vocabulary. The first word with a value is the one that is printed, so later ones can
// be aliases.
template <class E, std::size_t N>
FieldPtr word_field(E& value, const policy::Word<E> (&words)[N]);

// --- the rest is what word_field() is made of ---

class WordField : public Field {
 public:
  std::string type() const override;
  bool is_word() const override { return true; }
  bool read(policy::YamlNode node, std::string_view key, ReadContext& context) override;
  void write(JsonWriter& out, bool masked) const override;

 protected:
  std::vector<std::string_view> words_;

 private:
  virtual std::size_t index() const = 0;
  virtual void set(std::size_t index) = 0;
};

template <class E, std::size_t N>
FieldPtr word_field(E& value, const policy::Word<E> (&words)[N]) {
  class Typed final : public WordField {
   public:
    Typed(E& target, const policy::Word<E> (&vocabulary)[N])
        : target_(target), vocabulary_(vocabulary) {
      for (const policy::Word<E>& word : vocabulary) words_.push_back(word.text);
    }

   private:
    std::size_t index() const override {
      std::size_t i = 0;
      while (i + 1 < vocabulary_.size() && vocabulary_[i].value != target_) ++i;
      return i;
    }
    void set(std::size_t index) override { target_ = vocabulary_[index].value; }

    E& target_;
    std::span<const policy::Word<E>> vocabulary_;
  };
  return std::make_unique<Typed>(value, words);
}

}  // namespace agentsh::config
