#include "sqlguard/results/result_filter.h"

#include "sqlguard/results/copy_rows.h"
#include "sqlguard/results/value_editor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace agentsh::sql {
namespace {

using Outcome = ValueEditor::Outcome;

constexpr std::string_view kLimitState = "53400";    // configuration_limit_exceeded
constexpr std::string_view kRefusedState = "0A000";  // feature_not_supported
// Fields of errors and notices that show values of rows: detail, context, an inner query.
constexpr std::string_view kTelling = "DWq";

// A relation that the snapshot does not know yet.
const ColumnMask kUnknownRelation = {.name = "unknown relation", .with = policy::DbMaskWith::kNull};

void append(std::vector<std::uint8_t>& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_u32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_frame(std::vector<std::uint8_t>& out, char type, Bytes body) {
  out.push_back(static_cast<std::uint8_t>(type));
  append_u32(out, static_cast<std::uint32_t>(body.size() + 4));
  append(out, body);
}

void patch_u32(std::vector<std::uint8_t>& out, std::size_t at, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out[at++] = static_cast<std::uint8_t>(value >> shift);
}

}  // namespace

class ResultFilter::State {
 public:
  explicit State(ResultSettings settings)
      : settings_(std::move(settings)), editor_(settings_.detectors, settings_.vault) {
    const bool masks =
        settings_.masks && settings_.masks->masked && settings_.masks->masked->has_masks();
    edits_ = masks || editor_.detects();
    limited_ = settings_.limits.max_rows || settings_.limits.max_bytes;
  }

  bool passes_rows() const { return !edits_ && !limited_ && !draining_; }

  void describe(const RowDescription& description) {
    columns_.clear();
    rows_edited_ = editor_.detects();
    for (const Column& column : description.columns) {
      columns_.push_back(
          {.mask = mask_of(column), .type = column.type, .binary = column.format == 1});
      rows_edited_ = rows_edited_ || columns_.back().mask != nullptr;
    }
    if (settings_.formats) apply(*settings_.formats);
    described_ = true;
  }

  Look look(const FrameHeader& header) {
    if (draining_) return look_while_draining(header);
    switch (header.type) {
      case 'T':
      case 'H':
      case 'c':
      case 'E':
      case 'N':
        return edits_ ? Look::kWhole : Look::kForward;
      case 'D':
        return look_at_row(header, true);
      case 'd': {
        const bool trailer = format().kind == CopyFormat::Kind::kBinary && header.body == 2;
        const bool names = format().header && !header_counted_;
        header_counted_ = true;
        return look_at_row(header, !trailer && !names);
      }
      case 'V':
        return edits_ ? stop(kRefusedState, "results of function calls cannot be masked")
                      : Look::kForward;
      case 'Z':
        described_ = false;
        return Look::kForward;
      default:
        return Look::kForward;
    }
  }

  Result<> take(const Frame& frame, std::vector<std::uint8_t>& out) {
    auto taken = take_frame(frame, out);
    if (!taken) stop(kRefusedState, taken.error().what);
    return taken;
  }

  std::vector<std::uint8_t> exceeded() const {
    const std::string_view hint = state_ == kLimitState
                                      ? "Ask for less: a WHERE clause, LIMIT, an aggregate."
                                      : "Name the columns that you need, without the masked ones.";
    ByteWriter out;
    write(BackendMessage(Report{
              .is_error = true,
              .fields =
                  {{'S', "ERROR"}, {'V', "ERROR"}, {'C', state_}, {'M', reason_}, {'H', hint}}}),
          out);
    return out.take();
  }

  std::uint64_t rows_ = 0, bytes_ = 0, masked_ = 0;

 private:
  struct Planned {
    const ColumnMask* mask = nullptr;
    std::uint32_t type = 0;
    bool binary = false;
  };

  const CopyFormat& format() const {
    static const CopyFormat kDefault;
    return settings_.masks ? settings_.masks->copy : kDefault;
  }

  const ColumnMask* mask_of(const Column& column) const {
    if (!settings_.masks || !settings_.masks->masked) return nullptr;
    const MaskPlan& plan = *settings_.masks;
    if (column.table != 0) {
      if (!plan.masked->has_masks()) return nullptr;
      if (!plan.masked->knows(column.table)) return &kUnknownRelation;
      return plan.masked->of(column.table, column.attribute);
    }
    if (plan.expressions != nullptr) return plan.expressions;
    const auto named = plan.names.find(column.name);
    return named == plan.names.end() ? nullptr : named->second;
  }

  // None: all text; one: for all columns.
  void apply(const std::vector<std::uint16_t>& formats) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::size_t at = formats.size() == 1 ? 0 : i;
      columns_[i].binary = at < formats.size() && formats[at] == 1;
    }
  }

  Look stop(std::string_view state, std::string reason) {
    state_ = state;
    reason_ = std::move(reason);
    draining_ = true;
    return Look::kExceeded;
  }

  Look look_while_draining(const FrameHeader& header) {
    switch (header.type) {
      case 'Z':
        draining_ = false;
        described_ = false;
        return Look::kForward;
      case 'S':
      case 'A':
        return Look::kForward;
      default:
        return Look::kDrop;
    }
  }

  Look look_at_row(const FrameHeader& header, bool is_row) {
    const auto& limits = settings_.limits;
    const std::uint64_t rows = rows_ + (is_row ? 1 : 0);
    const std::uint64_t bytes = bytes_ + header.body;
    if (limits.max_rows && rows > *limits.max_rows)
      return stop(kLimitState, fmt::format("the result has more than the {} rows that {} permits",
                                           *limits.max_rows, settings_.limited_by));
    if (limits.max_bytes && bytes > *limits.max_bytes)
      return stop(kLimitState, fmt::format("the result has more than the {} bytes that {} permits",
                                           *limits.max_bytes, settings_.limited_by));
    rows_ = rows;
    bytes_ = bytes;
    if (!edits_) return Look::kForward;
    if (header.type == 'D' && described_ && !rows_edited_) return Look::kForward;
    if (header.body > kMaximumRow) return stop(kRefusedState, "a row is too large to be masked");
    return Look::kWhole;
  }

  Result<> take_frame(const Frame& frame, std::vector<std::uint8_t>& out) {
    switch (frame.type) {
      case 'T':
        return take_description(frame, out);
      case 'D':
        return take_row(frame, out);
      case 'H':
        return take_copy_start(frame, out);
      case 'd':
        return take_copy_data(frame, out);
      case 'c':
        if (copy_) {
          if (auto done = copy_->finish(); !done) return done;
        }
        copy_.reset();
        append_frame(out, frame.type, frame.body);
        return {};
      case 'E':
      case 'N':
        return take_report(frame, out);
      default:
        append_frame(out, frame.type, frame.body);
        return {};
    }
  }

  Result<> take_description(const Frame& frame, std::vector<std::uint8_t>& out) {
    const auto message = parse_backend(frame);
    if (!message) return std::unexpected(message.error());
    describe(std::get<RowDescription>(*message));
    append_frame(out, frame.type, frame.body);
    return {};
  }

  Outcome edit(const Planned& column, Bytes value, std::string& out) {
    const Outcome outcome = column.mask != nullptr
                                ? editor_.mask(*column.mask, column.type, column.binary, value, out)
                                : editor_.detect(column.type, column.binary, value, out);
    if (outcome != Outcome::kSame) ++masked_;
    return outcome;
  }

  Result<> take_row(const Frame& frame, std::vector<std::uint8_t>& out) {
    ByteReader reader(frame.body);
    const std::uint16_t count = reader.u16();
    if (!described_) return fail("the columns of the result are not known, and some may be masked");
    if (!reader.ok() || count != columns_.size())
      return fail("a row has other columns than its description", std::errc::bad_message);
    const std::size_t begin = out.size();
    append_frame(out, frame.type, frame.body.first(2));
    bool changed = false;
    for (const Planned& column : columns_) {
      const std::uint32_t length = reader.u32();
      if (length == UINT32_MAX) {
        append_u32(out, length);
        continue;
      }
      const Bytes value = reader.bytes(length);
      if (!reader.ok()) break;
      edited_.clear();
      const Outcome outcome = edit(column, value, edited_);
      changed = changed || outcome != Outcome::kSame;
      const Bytes kept = outcome == Outcome::kSame ? value : as_bytes(edited_);
      append_u32(out,
                 outcome == Outcome::kNull ? UINT32_MAX : static_cast<std::uint32_t>(kept.size()));
      if (outcome != Outcome::kNull) append(out, kept);
    }
    if (!reader.ok() || reader.remaining() != 0) {
      out.resize(begin);
      return fail("a row of the server is malformed", std::errc::bad_message);
    }
    if (changed) patch_u32(out, begin + 1, static_cast<std::uint32_t>(out.size() - begin - 1));
    if (!changed) {
      out.resize(begin);
      append_frame(out, frame.type, frame.body);
    }
    return {};
  }

  Result<> take_copy_start(const Frame& frame, std::vector<std::uint8_t>& out) {
    const auto message = parse_backend(frame);
    if (!message) return std::unexpected(message.error());
    const auto& response = std::get<CopyResponse>(*message);
    const bool binary = format().kind == CopyFormat::Kind::kBinary;
    columns_.clear();
    if (settings_.masks) {
      for (const PlannedColumn& column : settings_.masks->copy_columns)
        columns_.push_back({.mask = column.mask, .type = column.type, .binary = binary});
    }
    const bool masks =
        std::ranges::any_of(columns_, [](const Planned& c) { return c.mask != nullptr; });
    if (masks && columns_.size() != response.column_formats.size())
      return fail("COPY writes other columns than were planned");
    if (columns_.size() != response.column_formats.size())
      columns_.assign(response.column_formats.size(), {.binary = binary});
    copy_.reset();
    if ((masks || editor_.detects()) && (response.format == 1) != binary)
      return fail("COPY answers in another format than the statement asks for");
    if (masks || editor_.detects())
      copy_.emplace(format(), columns_.size(),
                    [this](std::size_t column, Bytes value, std::string& edited) {
                      return column < columns_.size() ? edit(columns_[column], value, edited)
                                                      : Outcome::kNull;
                    });
    append_frame(out, frame.type, frame.body);
    return {};
  }

  Result<> take_copy_data(const Frame& frame, std::vector<std::uint8_t>& out) {
    if (!copy_) {
      append_frame(out, frame.type, frame.body);
      return {};
    }
    copied_.clear();
    if (auto pushed = copy_->push(frame.body, copied_); !pushed) return pushed;
    if (copy_->held() > kMaximumRow) return fail("a row is too large to be masked");
    if (!copied_.empty()) append_frame(out, 'd', as_bytes(copied_));
    return {};
  }

  Result<> take_report(const Frame& frame, std::vector<std::uint8_t>& out) {
    const auto message = parse_backend(frame);
    if (!message) return std::unexpected(message.error());
    Report report = std::get<Report>(*message);
    std::erase_if(report.fields, [](const auto& field) { return kTelling.contains(field.first); });
    std::vector<std::string> texts;
    texts.reserve(report.fields.size());
    for (auto& [letter, text] : report.fields) {
      if (letter == 'M' || letter == 'H') text = texts.emplace_back(editor_.text(text));
    }
    ByteWriter writer;
    write(BackendMessage(std::move(report)), writer);
    append(out, writer.view());
    return {};
  }

  ResultSettings settings_;
  ValueEditor editor_;
  bool edits_ = false;
  bool limited_ = false;
  bool draining_ = false;
  bool described_ = false;
  bool rows_edited_ = false;
  bool header_counted_ = false;
  std::string_view state_ = kRefusedState;
  std::string reason_;
  std::vector<Planned> columns_;
  std::optional<CopyRows> copy_;
  std::string edited_, copied_;  // Reused.
};

ResultFilter::ResultFilter() : state_(std::make_unique<State>(ResultSettings{})) {}
ResultFilter::~ResultFilter() = default;
ResultFilter::ResultFilter(ResultFilter&&) noexcept = default;
ResultFilter& ResultFilter::operator=(ResultFilter&&) noexcept = default;

void ResultFilter::begin(ResultSettings settings) {
  state_ = std::make_unique<State>(std::move(settings));
}
void ResultFilter::describe(const RowDescription& columns) {
  state_->describe(columns);
}
bool ResultFilter::passes_rows() const {
  return state_->passes_rows();
}
ResultFilter::Look ResultFilter::look(const FrameHeader& header) {
  return state_->look(header);
}
Result<> ResultFilter::take(const Frame& frame, std::vector<std::uint8_t>& out) {
  return state_->take(frame, out);
}
std::vector<std::uint8_t> ResultFilter::exceeded() const {
  return state_->exceeded();
}
std::uint64_t ResultFilter::rows() const {
  return state_->rows_;
}
std::uint64_t ResultFilter::bytes() const {
  return state_->bytes_;
}
std::uint64_t ResultFilter::masked() const {
  return state_->masked_;
}

}  // namespace agentsh::sql
