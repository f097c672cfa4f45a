#include "proxy/llm/json_lexer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace agentsh::llm {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool is_word_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '+' || c == '-' || c == '.' ||
         c == 'E';
}

// How many bytes at the start of `text` are neither a quote nor a backslash, eight at a time.
std::size_t plain_run(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const auto zero_bytes = [](std::uint64_t v) { return (v - kOnes) & ~v & (kOnes << 7); };
  static_assert(std::endian::native == std::endian::little);
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t found =
        zero_bytes(word ^ (kOnes * '"')) | zero_bytes(word ^ (kOnes * '\\'));
    // The lowest mark is right; ones above it may come from a borrow.
    if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
  }
  while (at < text.size() && text[at] != '"' && text[at] != '\\') ++at;
  return at;
}

// Digits with what may stand around them: enough to tell a number from a word.
bool looks_like_number(std::string_view text) {
  const char first = text.front();
  if (first != '-' && (first < '0' || first > '9')) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
  });
}

}  // namespace

void JsonLexer::feed(std::string_view chunk) {
  chunk_offset_ += chunk_.size();
  chunk_ = chunk;
  at_ = 0;
}

std::uint64_t JsonLexer::pending_from() const {
  return partial_ == Partial::kNone ? chunk_offset_ + at_ : token_begin_;
}

JsonStep JsonLexer::invalid() {
  failed_ = true;
  return JsonStep::kInvalid;
}

void JsonLexer::after_value() {
  expect_ = in_array_.empty() ? Expect::kNothing : Expect::kCommaOrEnd;
}

// Keeps what the chunk holds of a token that goes on in the next.
void JsonLexer::spill(std::size_t from, std::size_t to) {
  const std::size_t room = kMaxSpilled - std::min(spilled_.size(), kMaxSpilled);
  const std::size_t size = std::min(room, to - from);
  cut_ = cut_ || size < to - from;
  spilled_.append(chunk_.substr(from, size));
}

// The token's text, whose last part is in the chunk.
std::string_view JsonLexer::token_text(std::size_t from, std::size_t to) {
  if (spilled_.empty()) return chunk_.substr(from, to - from);
  spill(from, to);
  return spilled_;
}

JsonStep JsonLexer::next(JsonToken& token) {
  if (failed_) return JsonStep::kInvalid;
  if (partial_ == Partial::kString) return read_string(token);
  if (partial_ == Partial::kWord) return read_word(token);
  while (at_ < chunk_.size()) {
    const char c = chunk_[at_];
    if (is_space(c)) {
      ++at_;
    } else if (c == ',' && expect_ == Expect::kCommaOrEnd) {
      expect_ = in_array_.back() ? Expect::kValue : Expect::kKey;
      ++at_;
    } else if (c == ':' && expect_ == Expect::kColon) {
      expect_ = Expect::kValue;
      ++at_;
    } else {
      return start_token(c, token);
    }
  }
  return JsonStep::kNeedMore;
}

JsonStep JsonLexer::start_token(char c, JsonToken& token) {
  token_begin_ = chunk_offset_ + at_;
  if (c == '}' || c == ']') return close(c == ']', token);
  const bool wants_key = expect_ == Expect::kKey || expect_ == Expect::kKeyOrEnd;
  const bool wants_value = expect_ == Expect::kValue || expect_ == Expect::kValueOrEnd;
  if (c == '"' ? !wants_key && !wants_value : !wants_value) return invalid();
  spilled_.clear();
  cut_ = false;
  if (c == '"') {
    ++at_;
    partial_ = Partial::kString;
    is_key_ = wants_key;
    escaped_ = escape_pending_ = false;
    return read_string(token);
  }
  if (c == '{' || c == '[') return open(c == '[', token);
  partial_ = Partial::kWord;
  return read_word(token);
}

JsonStep JsonLexer::open(bool array, JsonToken& token) {
  if (in_array_.size() >= kMaxDepth) return invalid();
  in_array_.push_back(array);
  expect_ = array ? Expect::kValueOrEnd : Expect::kKeyOrEnd;
  ++at_;
  token = {.kind = array ? JsonKind::kArrayBegin : JsonKind::kObjectBegin,
           .begin = token_begin_,
           .end = token_begin_ + 1};
  return JsonStep::kToken;
}

JsonStep JsonLexer::close(bool array, JsonToken& token) {
  if (in_array_.empty() || in_array_.back() != array) return invalid();
  const Expect empty = array ? Expect::kValueOrEnd : Expect::kKeyOrEnd;
  if (expect_ != empty && expect_ != Expect::kCommaOrEnd) return invalid();
  in_array_.pop_back();
  ++at_;
  after_value();
  token = {.kind = array ? JsonKind::kArrayEnd : JsonKind::kObjectEnd,
           .begin = token_begin_,
           .end = token_begin_ + 1};
  return JsonStep::kToken;
}

JsonStep JsonLexer::read_string(JsonToken& token) {
  const std::size_t start = at_;
  if (escape_pending_ && at_ < chunk_.size()) {
    escape_pending_ = false;
    ++at_;
  }
  while (true) {
    at_ += plain_run(chunk_.substr(at_));
    if (at_ == chunk_.size()) break;
    if (chunk_[at_] == '"') return end_string(start, token);
    escaped_ = true;
    at_ += 2;
    if (at_ <= chunk_.size()) continue;
    at_ = chunk_.size();
    escape_pending_ = true;
    break;
  }
  spill(start, at_);
  return JsonStep::kNeedMore;
}

JsonStep JsonLexer::end_string(std::size_t start, JsonToken& token) {
  partial_ = Partial::kNone;
  token = {.kind = is_key_ ? JsonKind::kKey : JsonKind::kString,
           .escaped = escaped_,
           .begin = token_begin_,
           .end = chunk_offset_ + at_ + 1,
           .text = token_text(start, at_)};
  token.text_cut = cut_;
  ++at_;
  if (is_key_) {
    expect_ = Expect::kColon;
  } else {
    after_value();
  }
  return JsonStep::kToken;
}

JsonStep JsonLexer::read_word(JsonToken& token) {
  const std::size_t start = at_;
  while (at_ < chunk_.size() && is_word_char(chunk_[at_])) ++at_;
  spill(start, at_);
  if (spilled_.size() > 1024) return invalid();  // No number that anyone writes.
  return at_ == chunk_.size() ? JsonStep::kNeedMore : end_word(token);
}

JsonStep JsonLexer::end_word(JsonToken& token) {
  partial_ = Partial::kNone;
  token = {.begin = token_begin_, .end = chunk_offset_ + at_, .text = spilled_};
  if (token.text.empty()) return invalid();
  if (token.text == "true") {
    token.kind = JsonKind::kTrue;
  } else if (token.text == "false") {
    token.kind = JsonKind::kFalse;
  } else if (token.text == "null") {
    token.kind = JsonKind::kNull;
  } else if (looks_like_number(token.text)) {
    token.kind = JsonKind::kNumber;
  } else {
    return invalid();
  }
  after_value();
  return JsonStep::kToken;
}

JsonStep JsonLexer::finish(JsonToken& token) {
  if (failed_) return JsonStep::kInvalid;
  if (partial_ == Partial::kWord) return end_word(token);
  return expect_ == Expect::kNothing ? JsonStep::kNeedMore : invalid();
}

}  // namespace agentsh::llm
