#include "audit/line_fields.h"

#include <charconv>
#include <cstdint>
#include <span>

namespace agentsh::audit {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool at_string() {
    skip_space();
    return !rest_.empty() && rest_.front() == '"';
  }

  // A string; its content goes to `out` unless that is null.
  bool string(std::string* out) {
    if (!take('"')) return false;
    for (;;) {
      const std::size_t plain = plain_length();
      if (plain == rest_.size()) return false;
      if (out != nullptr) out->append(rest_.substr(0, plain));
      const bool ends = rest_[plain] == '"';
      rest_.remove_prefix(plain + 1);
      if (ends) return true;
      if (!escape(out)) return false;
    }
  }

  // Any value. Nesting is counted, not followed.
  bool skip_value() {
    std::size_t depth = 0;
    do {
      skip_space();
      if (rest_.empty()) return false;
      const char c = rest_.front();
      if (c == '"') {
        if (!string(nullptr)) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        rest_.remove_prefix(1);
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
        rest_.remove_prefix(1);
      } else if (depth > 0 && (c == ',' || c == ':')) {
        rest_.remove_prefix(1);
      } else {
        std::size_t end = 0;
        while (end < rest_.size() && !ends_word(rest_[end])) ++end;
        if (end == 0) return false;
        rest_.remove_prefix(end);
      }
    } while (depth > 0);
    return true;
  }

 private:
  // Loops of their own here and below: find_first_of() calls a function for each byte, which was
  // a quarter of the work of indexing an event.
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool ends_word(char c) {
    return c == ',' || c == '}' || c == ']' || c == ':' || c == '{' || c == '[' || c == '"' ||
           is_space(c);
  }
  void skip_space() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  // Up to the next quote or backslash.
  std::size_t plain_length() const {
    const char* at = rest_.data();
    const char* const end = at + rest_.size();
    while (at != end && *at != '"' && *at != '\\') ++at;
    return static_cast<std::size_t>(at - rest_.data());
  }

  // What follows a backslash.
  bool escape(std::string* out) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == 'u') return unicode_escape(out);
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    const std::size_t index = kFrom.find(c);
    if (index == std::string_view::npos) return false;
    if (out != nullptr) out->push_back(kTo[index]);
    return true;
  }

  bool unicode_escape(std::string* out) {
    std::uint32_t code = 0;
    if (!four_digits(code)) return false;
    if (code >= 0xd800 && code <= 0xdbff && rest_.starts_with("\\u")) {
      const std::string_view before = rest_;
      std::uint32_t low = 0;
      rest_.remove_prefix(2);
      if (four_digits(low) && low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        rest_ = before;
      }
    }
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (out != nullptr) append_utf8(*out, code);
    return true;
  }

  bool four_digits(std::uint32_t& code) {
    if (rest_.size() < 4) return false;
    const std::string_view digits = rest_.substr(0, 4);
    const char* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, code, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return false;
    rest_.remove_prefix(4);
    return true;
  }

  std::string_view rest_;
};

struct Wanted {
  std::string_view key;
  std::string LineFields::* member;
};
constexpr Wanted kTopLevel[] = {
    {"id", &LineFields::id},           {"timestamp", &LineFields::timestamp},
    {"type", &LineFields::type},       {"session_id", &LineFields::session_id},
    {"path", &LineFields::path},       {"command_id", &LineFields::command_id},
    {"domain", &LineFields::domain},   {"remote", &LineFields::remote},
    {"program", &LineFields::program}, {"operation", &LineFields::operation}};
constexpr Wanted kPolicy[] = {{"decision", &LineFields::decision},
                              {"effective_decision", &LineFields::effective_decision},
                              {"rule", &LineFields::rule}};

std::string* destination(std::span<const Wanted> wanted, std::string_view key, LineFields& out) {
  for (const Wanted& candidate : wanted) {
    if (candidate.key == key) return &(out.*candidate.member);
  }
  return nullptr;
}

// The members of one object, whose opening brace has been read. `key` is storage to use. At the
// top, `last` is the member to stop at; empty: none.
bool read_members(Scanner& scanner, std::span<const Wanted> wanted, LineFields& out,
                  std::string& key, bool top_level, std::string_view last = {}) {
  if (scanner.take('}')) return true;
  do {
    key.clear();
    if (!scanner.string(&key) || !scanner.take(':')) return false;
    if (!last.empty() && key == last) return true;
    std::string* into = destination(wanted, key, out);
    if (into != nullptr && scanner.at_string()) {
      into->clear();
      if (!scanner.string(into)) return false;
    } else if (top_level && key == "policy" && scanner.take('{')) {
      if (!read_members(scanner, kPolicy, out, key, false)) return false;
    } else if (!scanner.skip_value()) {
      return false;
    }
  } while (scanner.take(','));
  return scanner.take('}');
}

}  // namespace

bool read_line_fields(std::string_view json, LineFields& out, ReadUpTo end) {
  for (const Wanted& wanted : kTopLevel) (out.*wanted.member).clear();
  for (const Wanted& wanted : kPolicy) (out.*wanted.member).clear();
  Scanner scanner(json);
  std::string key;
  const std::string_view last = end == ReadUpTo::kFields ? "fields" : "";
  return scanner.take('{') && read_members(scanner, kTopLevel, out, key, true, last);
}

}  // namespace agentsh::audit
