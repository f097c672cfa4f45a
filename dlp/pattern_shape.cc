#include "dlp/pattern_shape.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kMaxPositions = 20'000;
constexpr unsigned kMaxNesting = 60;
// Up to this many repetitions of a single class are counted; more are any number.
constexpr std::size_t kMaxCounted = 64;
// The same for small groups: how often, and how many bytes one may take.
constexpr std::size_t kMaxCopies = 24;
constexpr std::size_t kMaxCopied = 8;

using Positions = std::vector<std::uint32_t>;

// A part of the pattern: where it can begin and end.
struct Part {
  Positions first;
  Positions last;
  bool nullable = true;
  bool at_boundary = false;  // Begins with \b whichever way it is taken.
  std::size_t min_width = 0;
  std::size_t max_width = 0;
  std::vector<Positions> gates;  // Every way through it goes through one position of each.
};

std::size_t add_width(std::size_t a, std::size_t b) {
  return a == kUnboundedWidth || b == kUnboundedWidth ? kUnboundedWidth : a + b;
}

std::size_t times_width(std::size_t width, std::size_t times) {
  if (width == 0 || times == 0) return 0;
  if (width == kUnboundedWidth || times == kUnboundedWidth) return kUnboundedWidth;
  return width > (std::size_t{1} << 30) / times ? kUnboundedWidth : width * times;
}

void append(Positions& to, const Positions& from) {
  to.insert(to.end(), from.begin(), from.end());
}

ByteSet range(unsigned from, unsigned to) {
  ByteSet set;
  for (unsigned byte = from; byte <= to; ++byte) set.set(byte);
  return set;
}

ByteSet digits() {
  return range('0', '9');
}
ByteSet word_bytes() {
  ByteSet set = digits() | range('a', 'z') | range('A', 'Z');
  return set.set('_');
}
ByteSet spaces() {
  ByteSet set = range(9, 13);
  return set.set(' ');
}

struct NamedClass {
  std::string_view name;
  ByteSet (*bytes)();
};
const NamedClass kNamedClasses[] = {
    {"alnum", [] { return digits() | range('a', 'z') | range('A', 'Z'); }},
    {"alpha", [] { return range('a', 'z') | range('A', 'Z'); }},
    {"digit", [] { return digits(); }},
    {"lower", [] { return range('a', 'z'); }},
    {"upper", [] { return range('A', 'Z'); }},
    {"space", [] { return spaces(); }},
    {"word", [] { return word_bytes(); }},
    {"xdigit", [] { return digits() | range('a', 'f') | range('A', 'F'); }},
    {"punct", [] { return range('!', '/') | range(':', '@') | range('[', '`') | range('{', '~'); }},
};

ByteSet with_other_case(const ByteSet& set) {
  ByteSet both = set;
  for (unsigned letter = 'a'; letter <= 'z'; ++letter) {
    if (set[letter]) both.set(letter - 32);
    if (set[letter - 32]) both.set(letter);
  }
  return both;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<PatternShape> parse() {
    Part whole = alternatives(0);
    if (failed_ || at_ != text_.size()) return std::nullopt;
    for (const std::uint32_t first : whole.first) shape_.positions[first].is_first = true;
    for (const std::uint32_t last : whole.last) shape_.positions[last].is_last = true;
    // The last byte of a match may still have to be followed by a boundary or the end.
    if (has_assertion_) {
      for (const std::uint32_t last : whole.last) shape_.positions[last].is_open = true;
    }
    for (PatternShape::Position& position : shape_.positions) {
      auto& previous = position.previous;
      std::ranges::sort(previous);
      previous.erase(std::unique(previous.begin(), previous.end()), previous.end());
      for (const std::uint32_t before : previous) shape_.positions[before].is_open = true;
    }
    shape_.min_width = whole.min_width;
    shape_.max_width = whole.max_width;
    shape_.begins_at_boundary = whole.at_boundary;
    shape_.gates = std::move(whole.gates);
    if (!whole.nullable) shape_.gates.push_back(std::move(whole.first));
    return std::move(shape_);
  }

 private:
  bool more() const { return at_ < text_.size(); }
  char peek() const { return text_[at_]; }
  bool take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  Part fail() {
    failed_ = true;
    at_ = text_.size();
    return {};
  }

  void link(const Positions& from, const Positions& to) {
    for (const std::uint32_t next : to) append(shape_.positions[next].previous, from);
    links_ += from.size() * to.size();
    if (links_ > kMaxPositions * 50) failed_ = true;
  }

  Part one_of(ByteSet bytes) {
    if (caseless_) bytes = with_other_case(bytes);
    if (shape_.positions.size() >= kMaxPositions) return fail();
    const auto index = static_cast<std::uint32_t>(shape_.positions.size());
    shape_.positions.push_back({.bytes = bytes});
    return {.first = {index}, .last = {index}, .nullable = false, .min_width = 1, .max_width = 1};
  }

  Part alternatives(unsigned depth) {
    if (depth > kMaxNesting) return fail();
    const bool caseless_before = caseless_;
    Part all = sequence(depth);
    while (!failed_ && take("|")) {
      Part other = sequence(depth);
      all.gates.clear();
      append(all.first, other.first);
      append(all.last, other.last);
      all.nullable |= other.nullable;
      all.at_boundary &= other.at_boundary;
      all.min_width = std::min(all.min_width, other.min_width);
      all.max_width = std::max(all.max_width, other.max_width);
    }
    caseless_ = caseless_before;
    return all;
  }

  Part sequence(unsigned depth) {
    Part all;
    bool begun = false;
    while (!failed_ && more() && peek() != '|' && peek() != ')') {
      if (flags()) continue;
      if (assertion()) {
        if (!begun && last_assertion_is_boundary_) all.at_boundary = true;
        begun = true;
        continue;
      }
      const std::size_t start = at_;
      Part next = repeated(atom(depth), start, depth);
      if (failed_) return {};
      if (!begun) all.at_boundary = next.at_boundary && !next.nullable;
      begun = true;
      if (!next.nullable) {
        all.gates.push_back(next.first);
        std::ranges::move(next.gates, std::back_inserter(all.gates));
      }
      link(all.last, next.first);
      if (all.nullable) append(all.first, next.first);
      if (next.nullable) {
        append(all.last, next.last);
      } else {
        all.last = std::move(next.last);
      }
      all.nullable &= next.nullable;
      all.min_width = add_width(all.min_width, next.min_width);
      all.max_width = add_width(all.max_width, next.max_width);
    }
    return all;
  }

  // "(?i)" and the like, which hold to the end of the group.
  bool flags() {
    if (!text_.substr(at_).starts_with("(?")) return false;
    std::size_t end = at_ + 2;
    bool on = true;
    bool caseless = caseless_;
    for (; end < text_.size() && text_[end] != ')'; ++end) {
      switch (text_[end]) {
        case 'i':
          caseless = on;
          break;
        case 's':
        case 'm':
          break;
        case '-':
          on = false;
          break;
        default:
          return false;
      }
    }
    if (end >= text_.size() || end == at_ + 2) return false;
    at_ = end + 1;
    caseless_ = caseless;
    return true;
  }

  bool assertion() {
    last_assertion_is_boundary_ = text_.substr(at_).starts_with("\\b");
    if (!take("\\b") && !take("\\B") && !take("\\A") && !take("\\z") && !take("^") && !take("$")) {
      return false;
    }
    // At the very beginning it says nothing about the end.
    if (!shape_.positions.empty()) has_assertion_ = true;
    return true;
  }

  Part atom(unsigned depth) {
    const char byte = text_[at_++];
    switch (byte) {
      case '(':
        return group(depth);
      case '[':
        return byte_class();
      case '.':
        return one_of(ByteSet().set());
      case '\\': {
        const auto set = escape();
        return set ? one_of(*set) : fail();
      }
      case '*':
      case '+':
      case '?':
        return fail();
      default:
        return one_of(ByteSet().set(static_cast<unsigned char>(byte)));
    }
  }

  Part group(unsigned depth) {
    const bool caseless_before = caseless_;
    if (take("?P<")) {
      const std::size_t end = text_.find('>', at_);
      if (end == std::string_view::npos) return fail();
      at_ = end + 1;
    } else if (take("?i:")) {
      caseless_ = true;
    } else if (!take("?:") && more() && peek() == '?') {
      return fail();
    }
    Part inside = alternatives(depth + 1);
    caseless_ = caseless_before;
    return take(")") ? inside : fail();
  }

  // What stands behind a backslash, as a set of bytes.
  std::optional<ByteSet> escape() {
    if (!more()) return std::nullopt;
    const char letter = text_[at_++];
    switch (letter) {
      case 'd':
        return digits();
      case 'D':
        return ~digits();
      case 'w':
        return word_bytes();
      case 'W':
        return ~word_bytes();
      case 's':
        return spaces();
      case 'S':
        return ~spaces();
      case 'n':
        return ByteSet().set('\n');
      case 'r':
        return ByteSet().set('\r');
      case 't':
        return ByteSet().set('\t');
      case 'f':
        return ByteSet().set('\f');
      case 'v':
        return ByteSet().set('\v');
      case 'x':
        return hexadecimal();
      default:
        break;
    }
    const bool is_word = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
                         (letter >= 'A' && letter <= 'Z');
    if (is_word) return std::nullopt;
    return ByteSet().set(static_cast<unsigned char>(letter));
  }

  std::optional<ByteSet> hexadecimal() {
    std::string_view number = text_.substr(at_, 2);
    std::size_t used = number.size();
    if (number.starts_with('{')) {
      const std::size_t end = text_.find('}', at_);
      if (end == std::string_view::npos) return std::nullopt;
      number = text_.substr(at_ + 1, end - at_ - 1);
      used = end + 1 - at_;
    }
    unsigned value = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value, 16);
    if (number.empty() || read.ptr != number.data() + number.size() || value > 255) {
      return std::nullopt;
    }
    at_ += used;
    return ByteSet().set(value);
  }

  // One member of a class: a byte (then `single` is it), or a set.
  std::optional<ByteSet> class_member(std::optional<unsigned>& single) {
    single.reset();
    if (take("[:")) {
      const std::size_t end = text_.find(":]", at_);
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view name = text_.substr(at_, end - at_);
      at_ = end + 2;
      for (const NamedClass& known : kNamedClasses) {
        if (known.name == name) return known.bytes();
      }
      return std::nullopt;
    }
    const char byte = text_[at_++];
    if (byte != '\\') {
      single = static_cast<unsigned char>(byte);
      return ByteSet().set(*single);
    }
    auto set = escape();
    if (set && set->count() == 1) {
      for (unsigned value = 0; value < 256; ++value) {
        if ((*set)[value]) single = value;
      }
    }
    return set;
  }

  Part byte_class() {
    const bool negated = take("^");
    ByteSet set;
    for (bool begun = false; more() && (peek() != ']' || !begun); begun = true) {
      std::optional<unsigned> from;
      std::optional<unsigned> to;
      const auto member = class_member(from);
      if (!member) return fail();
      set |= *member;
      if (!from || text_.size() - at_ < 2 || peek() != '-' || text_[at_ + 1] == ']') continue;
      ++at_;
      if (!class_member(to) || !to || *to < *from) return fail();
      set |= range(*from, *to);
    }
    if (!take("]")) return fail();
    if (caseless_) set = with_other_case(set);
    return one_of(negated ? ~set : set);
  }

  // {n}, {n,} or {n,m}; anything else after a brace is text.
  bool counts(std::size_t& least, std::size_t& most) {
    const std::size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return false;
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    const char* at = inside.data();
    const char* stop = at + inside.size();
    auto read = std::from_chars(at, stop, least);
    if (read.ec != std::errc()) return false;
    most = least;
    if (read.ptr != stop) {
      if (*read.ptr != ',') return false;
      most = kUnboundedWidth;
      if (++read.ptr != stop) {
        read = std::from_chars(read.ptr, stop, most);
        if (read.ec != std::errc() || read.ptr != stop) return false;
      }
    }
    at_ = end + 1;
    return true;
  }

  // `part` is what the atom at `start` was read as.
  Part repeated(Part part, std::size_t start, unsigned depth) {
    while (!failed_ && more()) {
      std::size_t least = 0;
      std::size_t most = kUnboundedWidth;
      if (take("*")) {
      } else if (take("+")) {
        least = 1;
      } else if (take("?")) {
        most = 1;
      } else if (peek() != '{' || !counts(least, most)) {
        return part;
      }
      if (!take("?")) take("+");  // Not greedy, or possessive: the same bytes.
      if (most > 1 && most <= kMaxCounted && is_single(part)) {
        part = counted(part.first.front(), least, most);
        continue;
      }
      if (most > 1 && most <= kMaxCopies && !part.nullable && part.max_width <= kMaxCopied) {
        part = copied(std::move(part), start, depth, least, most);
        continue;
      }
      if (most > 1) link(part.last, part.first);
      part.nullable |= least == 0;
      part.min_width = times_width(part.min_width, least);
      part.max_width = times_width(part.max_width, most);
    }
    return part;
  }

  static bool is_single(const Part& part) {
    return part.first.size() == 1 && part.first == part.last && part.max_width == 1 &&
           !part.nullable;
  }

  // `least` to `most` of one position, each a position of its own.
  Part counted(std::uint32_t first, std::size_t least, std::size_t most) {
    Part all{.first = {first}, .nullable = least == 0, .min_width = least, .max_width = most};
    std::uint32_t before = first;
    for (std::size_t i = 1; i <= most && !failed_; ++i) {
      if (i > 1) {
        const ByteSet bytes = shape_.positions[first].bytes;
        const Part next = one_of(bytes);
        if (failed_) return {};
        link({before}, next.first);
        before = next.first.front();
        if (i <= least) all.gates.push_back(next.first);
      }
      if (i >= least) all.last.push_back(before);
    }
    return all;
  }

  // `least` to `most` of a small group, which is read again for each.
  Part copied(Part part, std::size_t start, unsigned depth, std::size_t least, std::size_t most) {
    const std::size_t behind = at_;
    Part all = part;
    if (least > 1) all.last.clear();
    for (std::size_t i = 2; i <= most && !failed_; ++i) {
      at_ = start;
      Part next = atom(depth);
      at_ = behind;
      link(part.last, next.first);
      if (i <= least) {
        all.gates.push_back(next.first);
        std::ranges::copy(next.gates, std::back_inserter(all.gates));
      }
      if (i >= least) append(all.last, next.last);
      part = std::move(next);
    }
    all.nullable = least == 0;
    all.min_width = times_width(all.min_width, least);
    all.max_width = times_width(all.max_width, most);
    return all;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  PatternShape shape_;
  std::size_t links_ = 0;
  bool caseless_ = false;
  bool has_assertion_ = false;
  bool last_assertion_is_boundary_ = false;
  bool failed_ = false;
};

}  // namespace

void go_on(PatternShape& shape) {
  const auto any = static_cast<std::uint32_t>(shape.positions.size());
  PatternShape::Position position{.bytes = ByteSet().set(), .previous = {any}, .is_open = true};
  for (std::uint32_t i = 0; i < any; ++i) {
    if (!shape.positions[i].is_last) continue;
    shape.positions[i].is_open = true;
    position.previous.push_back(i);
  }
  shape.positions.push_back(std::move(position));
  shape.max_width = kUnboundedWidth;
}

std::optional<PatternShape> shape_of(std::string_view pattern) {
  return Parser(pattern).parse();
}

}  // namespace agentsh::dlp
