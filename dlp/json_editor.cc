#include "dlp/json_editor.h"

#include "dlp/json_splice.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <optional>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kKeptKey = 256;
constexpr std::size_t kMaxNumber = 1024;
constexpr std::size_t kShownNumber = 4;

bool is_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}
bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

// The length of the beginning of `text` without quotes, backslashes and control characters.
std::size_t plain_run(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const auto zero_bytes = [](std::uint64_t v) { return (v - kOnes) & ~v & kHigh; };
    // The lowest byte that is marked is right; ones above it may be marked by a borrow.
    const std::uint64_t special = zero_bytes(word ^ (kOnes * '"')) |
                                  zero_bytes(word ^ (kOnes * '\\')) |
                                  ((word - kOnes * 0x20) & ~word & kHigh);
    if (special != 0) {
      static_assert(std::endian::native == std::endian::little);
      return at + static_cast<std::size_t>(std::countr_zero(special)) / 8;
    }
  }
  while (at < text.size() && text[at] != '"' && text[at] != '\\' &&
         static_cast<unsigned char>(text[at]) >= 0x20) {
    ++at;
  }
  return at;
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool is_number(std::string_view text) {
  const auto digits = [&] {
    std::size_t count = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) ++count;
    return count;
  };
  const auto take = [&](std::string_view any) {
    if (text.empty() || !any.contains(text.front())) return false;
    text.remove_prefix(1);
    return true;
  };
  take("-");
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (digits() == 0) {
    return false;
  }
  if (take(".") && digits() == 0) return false;
  if (take("eE")) {
    take("+-");
    if (digits() == 0) return false;
  }
  return text.empty();
}

}  // namespace

class JsonEditor::State {
 public:
  State(TextEditor& editor, JsonEditorOptions options) : options_(options), splice_(editor) {}

  Result<void> push(std::string_view chunk, std::string& out) {
    if (failed_) return std::unexpected(*failed_);
    chunk_ = chunk;
    at_ = 0;
    while (at_ < chunk_.size() && !failed_) step(out);
    offset_ += at_;
    if (failed_) return std::unexpected(*failed_);
    return {};
  }

  Result<void> finish(std::string& out) {
    if (failed_) return std::unexpected(*failed_);
    chunk_ = {};
    at_ = 0;
    if (expect_ == Expect::kNumber) end_number(out);
    if (!failed_ && expect_ != Expect::kEnd) wrong("it ends too early");
    if (failed_) return std::unexpected(*failed_);
    return {};
  }

 private:
  // What the next byte belongs to.
  enum class Expect : std::uint8_t {
    kValue,
    kFirstElement,  // A value or ].
    kFirstKey,      // A key or }.
    kKey,
    kColon,
    kComma,  // Or the end of the array or object.
    kString,
    kNumber,
    kWord,
    kEnd,  // White space only.
  };

  void wrong(std::string_view what) {
    failed_ = make_error(fmt::format("invalid JSON at byte {}: {}", offset_ + at_, what));
  }
  void refused() { failed_ = make_error("the text was refused", std::errc::permission_denied); }

  char next(std::string& out) {
    out += chunk_[at_];
    return chunk_[at_++];
  }

  void step(std::string& out) {
    switch (expect_) {
      case Expect::kString:
        return string(out);
      case Expect::kNumber:
        return number(out);
      case Expect::kWord:
        return word(out);
      default:
        break;
    }
    const char byte = chunk_[at_];
    if (is_space(byte)) {
      out += byte;
      ++at_;
      return;
    }
    switch (expect_) {
      case Expect::kFirstElement:
        if (byte == ']') return close(out);
        return value(out);
      case Expect::kValue:
        return value(out);
      case Expect::kFirstKey:
        if (byte == '}') return close(out);
        return key(out);
      case Expect::kKey:
        return key(out);
      case Expect::kColon:
        if (byte != ':') return wrong("a colon is missing");
        next(out);
        expect_ = Expect::kValue;
        return;
      case Expect::kComma:
        return comma(out);
      default:
        return wrong("there is more after the value");
    }
  }

  void value(std::string& out) {
    const char byte = chunk_[at_];
    if (byte == '"') {
      next(out);
      return begin_string(JsonText::kString);
    }
    if (byte == '{' || byte == '[') return open(out);
    if (byte == '-' || is_digit(byte)) {
      number_.clear();
      expect_ = Expect::kNumber;
      return;
    }
    word_ = byte == 't' ? "true" : byte == 'f' ? "false" : byte == 'n' ? "null" : "";
    if (word_.empty()) return wrong("a value is missing");
    expect_ = Expect::kWord;
  }

  void key(std::string& out) {
    if (chunk_[at_] != '"') return wrong("a key is missing");
    next(out);
    JsonPath::Frame& frame = path_.frames_.back();
    path_.keys_.resize(frame.key_begin);
    frame.key_end = frame.key_begin;
    key_raw_.clear();
    begin_string(JsonText::kKey);
  }

  void open(std::string& out) {
    if (path_.depth() >= options_.max_depth) {
      return wrong(fmt::format("it is nested more than {} levels deep", options_.max_depth));
    }
    const bool is_array = next(out) == '[';
    const auto key_at = static_cast<std::uint32_t>(path_.keys_.size());
    path_.frames_.push_back({.key_begin = key_at, .key_end = key_at, .in_array = is_array});
    expect_ = is_array ? Expect::kFirstElement : Expect::kFirstKey;
  }

  void close(std::string& out) {
    next(out);
    path_.keys_.resize(path_.frames_.back().key_begin);
    path_.frames_.pop_back();
    after_value();
  }

  void after_value() { expect_ = path_.depth() == 0 ? Expect::kEnd : Expect::kComma; }

  void comma(std::string& out) {
    JsonPath::Frame& frame = path_.frames_.back();
    const char byte = chunk_[at_];
    if (byte == (frame.in_array ? ']' : '}')) return close(out);
    if (byte != ',') return wrong("a comma is missing");
    next(out);
    ++frame.index;
    expect_ = frame.in_array ? Expect::kValue : Expect::kKey;
  }

  TextOrigin origin() {
    context_.clear();
    if (const std::string_view key = path_.nearest_key(); !key.empty()) {
      context_.append(key).append(": ");
    }
    return {context_, &path_};
  }

  bool is_wanted(JsonText what) {
    if (options_.filter == nullptr) return what != JsonText::kKey;
    return options_.filter->wants(path_, what);
  }

  void begin_string(JsonText what) {
    text_ = what;
    expect_ = Expect::kString;
    escape_ = Escape::kNone;
    edited_ = is_wanted(what);
    if (edited_) splice_.begin(what == JsonText::kKey ? TextOrigin{{}, &path_} : origin());
  }

  // Takes what the chunk has of the string.
  void string(std::string& out) {
    std::size_t end = at_;
    bool closed = false;
    while (end < chunk_.size() && !closed) {
      if (escape_ != Escape::kNone) {
        if (!escape_byte(chunk_[end++])) return wrong("a wrong escape in a string");
        continue;
      }
      end += plain_run(chunk_.substr(end));
      if (end >= chunk_.size()) break;
      if (chunk_[end] == '"') {
        closed = true;
      } else if (chunk_[end] == '\\') {
        escape_ = Escape::kLetter;
        ++end;
      } else {
        return wrong("a control character in a string");
      }
    }
    piece(chunk_.substr(at_, end - at_), closed, out);
    if (failed_) return;
    at_ = end;
    if (!closed) return;
    next(out);
    end_string();
  }

  // The next byte behind a backslash; false when it is wrong there.
  bool escape_byte(char byte) {
    if (escape_ == Escape::kLetter) {
      escape_ = byte == 'u' ? Escape::kDigit1 : Escape::kNone;
      return std::string_view("u\"\\/bfnrt").contains(byte);
    }
    escape_ = escape_ == Escape::kDigit4 ? Escape::kNone
                                         : static_cast<Escape>(static_cast<int>(escape_) + 1);
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
  }

  void piece(std::string_view raw, bool is_last, std::string& out) {
    if (text_ == JsonText::kKey && key_raw_.size() < 6 * kKeptKey) {
      key_raw_.append(raw.substr(0, 6 * kKeptKey));
    }
    if (!edited_) {
      out.append(raw);
      return;
    }
    // Escapes have been checked, so what is not taken is refused by the editor.
    if (!(is_last ? splice_.finish(raw, out) : splice_.push(raw, out))) refused();
  }

  void end_string() {
    if (text_ == JsonText::kString) return after_value();
    JsonPath::Frame& frame = path_.frames_.back();
    path_.keys_.append(std::string_view(json_unescaped(key_raw_)).substr(0, kKeptKey));
    frame.key_end = static_cast<std::uint32_t>(path_.keys_.size());
    expect_ = Expect::kColon;
  }

  void number(std::string& out) {
    while (at_ < chunk_.size()) {
      const char byte = chunk_[at_];
      if (!is_digit(byte) && !std::string_view("+-.eE").contains(byte)) return end_number(out);
      if (number_.size() == kMaxNumber) return wrong("a number is too long");
      number_ += byte;
      ++at_;
    }
  }

  void end_number(std::string& out) {
    if (!is_number(number_)) return wrong("a wrong number");
    after_value();
    if (number_.size() < kShownNumber || !is_wanted(JsonText::kNumber)) {
      out.append(number_);
      return;
    }
    edited_number_.clear();
    splice_.begin(origin());
    if (!splice_.finish(number_, edited_number_)) return refused();
    const bool is_same = edited_number_ == number_;
    if (!is_same) out += '"';
    out.append(edited_number_);
    if (!is_same) out += '"';
  }

  void word(std::string& out) {
    while (at_ < chunk_.size() && !word_.empty()) {
      if (chunk_[at_] != word_.front()) return wrong("a value is missing");
      next(out);
      word_.remove_prefix(1);
    }
    if (word_.empty()) after_value();
  }

  enum class Escape : std::uint8_t { kNone, kLetter, kDigit1, kDigit2, kDigit3, kDigit4 };

  JsonEditorOptions options_;
  JsonSplice splice_;
  JsonPath path_;
  Expect expect_ = Expect::kValue;
  JsonText text_ = JsonText::kString;
  bool edited_ = false;            // The string at hand is shown to the editor.
  Escape escape_ = Escape::kNone;  // Where in an escape the string at hand is.
  std::string_view word_;          // What is missing of true, false or null.
  std::string number_;
  std::string edited_number_;
  std::string key_raw_;
  std::string context_;     // Of the text at hand.
  std::string_view chunk_;  // Of this push, and where it is at.
  std::size_t at_ = 0;
  std::uint64_t offset_ = 0;  // Of the chunk.
  std::optional<Error> failed_;
};

JsonEditor::JsonEditor(TextEditor& editor, JsonEditorOptions options)
    : state_(std::make_unique<State>(editor, options)) {}
JsonEditor::~JsonEditor() = default;

Result<void> JsonEditor::push(std::string_view chunk, std::string& out) {
  return state_->push(chunk, out);
}

Result<void> JsonEditor::finish(std::string& out) {
  return state_->finish(out);
}

}  // namespace agentsh::dlp
