#include "sqlguard/results/copy_rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

using Outcome = ValueEditor::Outcome;

constexpr std::string_view kSignature("PGCOPY\n\xff\r\n\0", 11);
constexpr std::size_t kBinaryHeader = kSignature.size() + 8;
constexpr std::string_view kEscaped = "\b\f\n\r\t\v";
constexpr std::string_view kLetters = "bfnrtv";

std::uint32_t u32_at(std::string_view text, std::size_t at) {
  ByteReader reader(as_bytes(text.substr(at, 4)));
  return reader.u32();
}

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::unexpected<Error> not_of_format() {
  return fail("rows of COPY are not of the format that the statement asks for",
              std::errc::bad_message);
}

// One field of the text format, without its escapes.
void unescape(std::string_view field, std::string& value) {
  value.clear();
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\' || i + 1 == field.size()) {
      value += field[i];
      continue;
    }
    const std::size_t letter = kLetters.find(field[++i]);
    value += letter == std::string_view::npos ? field[i] : kEscaped[letter];
  }
}

void escape(std::string_view value, char delimiter, std::string& out) {
  for (char c : value) {
    const std::size_t letter = kEscaped.find(c);
    if (letter != std::string_view::npos) {
      out += '\\';
      out += kLetters[letter];
    } else {
      if (c == '\\' || c == delimiter) out += '\\';
      out += c;
    }
  }
}

}  // namespace

CopyRows::CopyRows(CopyFormat format, std::size_t columns, Edit edit)
    : format_(std::move(format)), columns_(columns), edit_(std::move(edit)) {}

Result<> CopyRows::push(Bytes piece, std::string& out) {
  rest_ += as_text(piece);
  std::size_t at = 0;
  while (at < rest_.size()) {
    const std::string_view rest = std::string_view(rest_).substr(at);
    const auto taken = format_.kind == CopyFormat::Kind::kText  ? text_row(rest, out)
                       : format_.kind == CopyFormat::Kind::kCsv ? csv_row(rest, out)
                                                                : binary_row(rest, out);
    if (!taken) return std::unexpected(taken.error());
    if (*taken == 0) break;
    at += *taken;
  }
  rest_.erase(0, at);
  return {};
}

Result<> CopyRows::finish() const {
  if (rest_.empty()) return {};
  return not_of_format();
}

Result<> CopyRows::check_columns(std::size_t columns) const {
  if (columns_ == 0 || columns == columns_) return {};
  return fail(
      fmt::format("COPY writes rows of {} columns, and {} were expected", columns, columns_),
      std::errc::bad_message);
}

Result<std::size_t> CopyRows::text_row(std::string_view rest, std::string& out) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::size_t{0};
  if (format_.header && !header_passed_) {
    header_passed_ = true;
    out += rest.substr(0, end + 1);
    return end + 1;
  }
  const std::string_view row = rest.substr(0, end);
  std::size_t column = 0;
  for (std::size_t at = 0;; ++column) {
    std::size_t stop = at;
    while (stop < row.size() && row[stop] != format_.delimiter) stop += row[stop] == '\\' ? 2 : 1;
    stop = std::min(stop, row.size());
    const std::string_view field = row.substr(at, stop - at);
    if (field == format_.null) {
      out += field;
    } else {
      unescape(field, value_);
      edited_.clear();
      const Outcome outcome = edit_(column, as_bytes(value_), edited_);
      if (outcome == Outcome::kSame) out += field;
      if (outcome == Outcome::kNull) out += format_.null;
      if (outcome == Outcome::kReplaced) escape(edited_, format_.delimiter, out);
    }
    if (stop == row.size()) break;
    out += format_.delimiter;
    at = stop + 1;
  }
  // A row of a table without columns is an empty line.
  if (auto checked = check_columns(column + 1); !checked) return std::unexpected(checked.error());
  out += '\n';
  return end + 1;
}

Result<std::size_t> CopyRows::csv_row(std::string_view rest, std::string& out) {
  bool in_quotes = false;
  std::size_t end = 0;
  for (; end < rest.size() && (in_quotes || rest[end] != '\n'); ++end) {
    if (in_quotes && rest[end] == format_.escape && format_.escape != format_.quote) {
      if (end + 1 < rest.size()) ++end;
    } else if (rest[end] == format_.quote) {
      in_quotes = !in_quotes;
    }
  }
  if (end >= rest.size()) return std::size_t{0};
  if (format_.header && !header_passed_) {
    header_passed_ = true;
    out += rest.substr(0, end + 1);
    return end + 1;
  }
  const std::string_view row = rest.substr(0, end);
  std::size_t column = 0;
  for (std::size_t at = 0;; ++column) {
    value_.clear();
    std::size_t stop = at;
    bool quoted = false;
    for (bool inside = false; stop < row.size() && (inside || row[stop] != format_.delimiter);
         ++stop) {
      const char c = row[stop];
      const bool next_counts = inside && c == format_.escape && stop + 1 < row.size() &&
                               (row[stop + 1] == format_.quote || row[stop + 1] == format_.escape);
      if (next_counts) {
        value_ += row[++stop];
      } else if (c == format_.quote) {
        inside = !inside;
        quoted = true;
      } else {
        value_ += c;
      }
    }
    const std::string_view field = row.substr(at, stop - at);
    if (!quoted && field == format_.null) {
      out += field;
    } else {
      edited_.clear();
      const Outcome outcome = edit_(column, as_bytes(value_), edited_);
      if (outcome == Outcome::kSame) out += field;
      if (outcome == Outcome::kNull) out += format_.null;
      if (outcome == Outcome::kReplaced) {
        out += format_.quote;
        for (char c : edited_) {
          if (c == format_.quote || c == format_.escape) out += format_.escape;
          out += c;
        }
        out += format_.quote;
      }
    }
    if (stop == row.size()) break;
    out += format_.delimiter;
    at = stop + 1;
  }
  if (auto checked = check_columns(column + 1); !checked) return std::unexpected(checked.error());
  out += '\n';
  return end + 1;
}

// A signature, flags and an extension; then rows: the number of fields, each with its length; -1 at
// the end.
Result<std::size_t> CopyRows::binary_row(std::string_view rest, std::string& out) {
  if (at_end_) return not_of_format();
  if (!header_passed_) {
    if (rest.size() < kBinaryHeader) return std::size_t{0};
    if (!rest.starts_with(kSignature)) return not_of_format();
    const std::size_t size = kBinaryHeader + std::size_t{u32_at(rest, kSignature.size() + 4)};
    if (rest.size() < size) return std::size_t{0};
    out += rest.substr(0, size);
    header_passed_ = true;
    return size;
  }
  if (rest.size() < 2) return std::size_t{0};
  const auto count = static_cast<std::uint16_t>(static_cast<std::uint8_t>(rest[0]) << 8 |
                                                static_cast<std::uint8_t>(rest[1]));
  if (count == UINT16_MAX) {
    at_end_ = true;
    out += rest.substr(0, 2);
    return std::size_t{2};
  }
  if (auto checked = check_columns(count); !checked) return std::unexpected(checked.error());
  const std::size_t begin = out.size();
  out += rest.substr(0, 2);
  std::size_t at = 2;
  for (std::size_t column = 0; column < count; ++column) {
    const std::uint32_t length = at + 4 <= rest.size() ? u32_at(rest, at) : 0;
    const bool null = length == UINT32_MAX;
    if (at + 4 > rest.size() || (!null && length > rest.size() - at - 4)) {
      out.resize(begin);
      return std::size_t{0};
    }
    at += 4;
    if (null) {
      append_u32(out, length);
      continue;
    }
    const std::string_view field = rest.substr(at, length);
    at += length;
    edited_.clear();
    const Outcome outcome = edit_(column, as_bytes(field), edited_);
    const std::string_view kept = outcome == Outcome::kSame ? field : std::string_view(edited_);
    append_u32(out,
               outcome == Outcome::kNull ? UINT32_MAX : static_cast<std::uint32_t>(kept.size()));
    if (outcome != Outcome::kNull) out += kept;
  }
  return at;
}

}  // namespace agentsh::sql
