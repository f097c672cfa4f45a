// Results on their way to the client: masks, detectors, limits, in every format and chunking.
#include "sqlguard/results/copy_rows.h"
#include "tests/unit/sqlguard/result_stream.h"
#include "tests/unit/sqlguard/sample_catalog.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>

namespace agentsh::sql {
namespace {

using namespace std::string_literals;

constexpr std::uint32_t kText = 25, kInt4 = 23, kInt8 = 20, kJson = 114, kJsonb = 3802, kBytea = 17,
                        kTextArray = 1009, kInt8Array = 1016, kNumeric = 1700, kFloat8 = 701;

std::shared_ptr<const dlp::Profile> detectors(dlp::Mode mode = dlp::Mode::kRedact) {
  static const auto scanner = [] {
    dlp::Detector email{
        .id = "email", .title = "e-mail", .patterns = {R"([a-z]+@[a-z]+\.[a-z]{2,4})"}};
    dlp::Detector card{.id = "card", .title = "card", .patterns = {R"(\b4[0-9]{15}\b)"}};
    return *dlp::Scanner::build({email, card});
  }();
  return *dlp::Profile::make(scanner, {.mode = mode});
}

std::shared_ptr<const MaskPlan> plan_of(const policy::DatabaseMask& mask) {
  return std::make_shared<const MaskPlan>(MaskPlan{.masked = masked_columns(mask)});
}

Column column(std::string_view name, std::uint32_t table, std::uint16_t number, std::uint32_t type,
              std::uint16_t format = 0) {
  return {.name = name,
          .table = table,
          .attribute = number,
          .type = type,
          .type_size = 0,
          .type_modifier = 0,
          .format = format};
}

std::string u32(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

WireValue wire(const std::string& text) {
  return as_bytes(text);
}

// The rows of a stream as text: fields by "|", rows by newline, NULL as "~".
std::string rows_of(Bytes stream) {
  std::string text;
  for (std::size_t at = 0; at < stream.size();) {
    const auto frame = read_frame(stream.subspan(at), Direction::kBackend);
    if (!frame || !*frame) return "malformed";
    at += (*frame)->size;
    if ((*frame)->type == 'd') text += as_text((*frame)->body);
    if ((*frame)->type != 'D') continue;
    const auto message = parse_backend(**frame);
    if (!message) return "malformed";
    for (const WireValue& value : std::get<DataRow>(*message).columns)
      text += (value ? std::string(as_text(*value)) : "~") + "|";
    text += '\n';
  }
  return text;
}

std::string types_of(Bytes stream) {
  std::string types;
  for (std::size_t at = 0; at < stream.size();) {
    const auto frame = read_frame(stream.subspan(at), Direction::kBackend);
    if (!frame || !*frame) return types + "?";
    types += (*frame)->type;
    at += (*frame)->size;
  }
  return types;
}

class Results : public testing::Test {
 protected:
  // Every chunking gives the same; returned is what came out.
  std::vector<std::uint8_t> through(const ResultSettings& settings) {
    std::vector<std::uint8_t> first;
    for (std::size_t piece = 1; piece <= std::min<std::size_t>(stream_.size(), 300); ++piece) {
      ResultFilter filter;
      filter.begin(settings);
      const ResultRun run = run_results(filter, stream_, piece);
      if (piece == 1) first = run.out;
      EXPECT_EQ(run.out, first) << "pieces of " << piece;
      masked_ = filter.masked();
      exceeded_ = run.exceeded;
    }
    return first;
  }

  void row(const std::vector<WireValue>& values) { add(stream_, DataRow{values}); }
  void end() {
    add(stream_, CommandComplete{"SELECT 1"});
    add(stream_, ReadyForQuery{ReadyForQuery::State::kIdle});
  }
  // One column of one row, by detectors alone.
  std::string detected(std::uint32_t type, bool binary, const std::string& value) {
    stream_.clear();
    add(stream_, RowDescription{{column("x", 0, 0, type, binary ? 1 : 0)}});
    row({wire(value)});
    end();
    return rows_of(through({.detectors = detectors()}));
  }

  std::vector<std::uint8_t> stream_;
  std::uint64_t masked_ = 0;
  bool exceeded_ = false;
};

TEST_F(Results, PassByteForByteWithoutMasks) {
  add(stream_, RowDescription{{column("id", kUsers, 1, kInt4), column("ssn", kUsers, 3, kText)}});
  row({wire("1"), wire("123-45-6789")});
  row({std::nullopt, wire("")});
  add(stream_, Report{.is_error = false, .fields = {{'S', "NOTICE"}, {'D', "detail"}}});
  end();
  EXPECT_EQ(through({}), stream_);
  EXPECT_EQ(through({.limits = {.max_rows = 2}}), stream_);
  EXPECT_FALSE(exceeded_);
  EXPECT_TRUE(ResultFilter().passes_rows());
}

TEST_F(Results, ColumnsThatAreNotMaskedPassByteForByte) {
  add(stream_, RowDescription{{column("id", kUsers, 1, kInt4), column("note", kOrders, 3, kText)}});
  row({wire("1"), wire("me@example.org")});
  row({wire("4111111111111111"), std::nullopt});
  end();
  EXPECT_EQ(through({.masks = plan_of(mask_of({"users.ssn"}))}), stream_);
  EXPECT_EQ(masked_, 0u);
}

TEST_F(Results, MasksByOriginWhateverTheAlias) {
  add(stream_,
      RowDescription{{column("id", kUsers, 1, kInt4), column("harmless", kUsers, 3, kText)}});
  row({wire("1"), wire("123-45-6789")});
  row({wire("2"), std::nullopt});
  end();
  EXPECT_EQ(rows_of(through({.masks = plan_of(mask_of({"users.ssn"}))})),
            "1|[REDACTED:pii]|\n2|~|\n");
  EXPECT_EQ(masked_, 1u);
  EXPECT_EQ(rows_of(through({.masks = plan_of(mask_of({"ssn"}, policy::DbMaskWith::kNull))})),
            "1|~|\n2|~|\n");
}

TEST_F(Results, OtherTypesBecomeNull) {
  add(stream_,
      RowDescription{{column("id", kUsers, 1, kInt4, 1), column("profile", kUsers, 4, kJsonb, 1),
                      column("name", kUsers, 2, kText, 1)}});
  row({wire("\0\0\0\7"s), wire("\1{\"a\": 1}"), wire("Ann")});
  end();
  EXPECT_EQ(rows_of(through({.masks = plan_of(mask_of({"users.*"}))})),
            "~|\1\"[REDACTED:pii]\"|[REDACTED:pii]|\n");
}

TEST_F(Results, TokensAreStable) {
  add(stream_, RowDescription{{column("ssn", kUsers, 3, kText)}});
  row({wire("1")});
  row({wire("2")});
  row({wire("1")});
  end();
  auto vault = std::make_shared<dlp::Vault>();
  const std::string text = rows_of(
      through({.masks = plan_of(mask_of({"ssn"}, policy::DbMaskWith::kTokenize)), .vault = vault}));
  EXPECT_EQ(text.substr(0, 10), "TOK_MASK_" + text.substr(9, 1));
  const std::size_t length = text.find('\n') + 1;
  EXPECT_EQ(text.substr(0, length), text.substr(2 * length));
  EXPECT_NE(text.substr(0, length), text.substr(length, length));
}

TEST_F(Results, NamesAndExpressionsWithoutAnOrigin) {
  MaskPlan plan{.masked = masked_columns(mask_of({"users.ssn"}))};
  const ColumnMask* mask = plan.masked->of(kUsers, 3);
  plan.names.emplace("x", mask);
  add(stream_, RowDescription{{column("x", 0, 0, kText), column("y", 0, 0, kText),
                               column("x", kOrders, 3, kText)}});
  row({wire("a"), wire("b"), wire("c")});
  end();
  EXPECT_EQ(rows_of(through({.masks = std::make_shared<MaskPlan>(plan)})), "[REDACTED:pii]|b|c|\n");
  plan.expressions = mask;
  EXPECT_EQ(rows_of(through({.masks = std::make_shared<MaskPlan>(plan)})),
            "[REDACTED:pii]|[REDACTED:pii]|c|\n");
}

TEST_F(Results, RelationsThatTheSnapshotDoesNotKnowAreNull) {
  add(stream_, RowDescription{{column("a", 99'999, 1, kText)}});
  row({wire("secret")});
  end();
  EXPECT_EQ(rows_of(through({.masks = plan_of(mask_of({"users.ssn"}))})), "~|\n");
}

TEST_F(Results, RowsWithoutADescriptionAreNotShown) {
  row({wire("secret")});
  end();
  const auto out = through({.masks = plan_of(mask_of({"users.ssn"}))});
  EXPECT_EQ(types_of(out), "EZ");
  EXPECT_TRUE(exceeded_);
  ResultFilter filter;
  filter.begin({.masks = plan_of(mask_of({"users.ssn"})), .formats = {{1}}});
  filter.describe({{column("ssn", kUsers, 3, kText)}});
  EXPECT_EQ(rows_of(run_results(filter, stream_, 7).out), "[REDACTED:pii]|\n");
}

TEST_F(Results, FormatsOfBindCount) {
  std::string eight;
  for (int shift = 56; shift >= 0; shift -= 8)
    eight += static_cast<char>(4111111111111111ull >> shift);
  add(stream_, RowDescription{{column("n", kOrders, 2, kInt8)}});
  row({wire(eight)});
  end();
  EXPECT_EQ(rows_of(through({.detectors = detectors(), .formats = {{1}}})), "~|\n");
}

TEST_F(Results, DetectorsByType) {
  EXPECT_EQ(detected(kText, false, "to me@example.org now"), "to [REDACTED:email] now|\n");
  EXPECT_EQ(detected(kText, true, "me@example.org"), "[REDACTED:email]|\n");
  EXPECT_EQ(detected(kText, false, "nothing"), "nothing|\n");
  EXPECT_EQ(detected(kInt8, false, "4111111111111111"), "~|\n");
  EXPECT_EQ(detected(kInt8, false, "12"), "12|\n");
  EXPECT_EQ(detected(kNumeric, false, "4111111111111111"), "~|\n");
  EXPECT_EQ(detected(kJson, false, R"({"a": "me@example.org", "n": 4111111111111111, "k": 1})"),
            R"({"a": "[REDACTED:email]", "n": "[REDACTED:card]", "k": 1})"
            "|\n");
  EXPECT_EQ(detected(kJson, false, R"({"a": "me\u0040example.org"})"),
            R"({"a": "[REDACTED:email]"})"
            "|\n");
  EXPECT_EQ(detected(kJson, false, R"({"me@example.org": 1})"), "~|\n")
      << "a key cannot be replaced";
  EXPECT_EQ(detected(kJsonb, true, "\1{\"a\": \"me@example.org\"}"),
            "\1{\"a\": \"[REDACTED:email]\"}|\n");
  EXPECT_EQ(detected(kBytea, false, "\\x6d65406578616d706c652e6f7267"), "~|\n");
  EXPECT_EQ(detected(kBytea, false, "\\x00ff"), "\\x00ff|\n");
  EXPECT_EQ(detected(kBytea, true, "\0me@example.org"s), "~|\n");
  EXPECT_EQ(detected(99'999, false, "(1,me@example.org)"), "(1,[REDACTED:email])|\n");
  EXPECT_EQ(detected(99'999, true, "me@example.org"), "~|\n");
}

TEST_F(Results, BinaryNumbers) {
  std::string eight;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(4111111111111111.0);
  for (int shift = 56; shift >= 0; shift -= 8) eight += static_cast<char>(bits >> shift);
  EXPECT_EQ(detected(kFloat8, true, eight), "~|\n");
  // 4111 1111 1111 1111 in base 10000, weight 3, positive, scale 0.
  std::string digits = "\0\4\0\3\0\0\0\0"s;
  for (const unsigned digit : {4111u, 1111u, 1111u, 1111u}) {
    digits += static_cast<char>(digit >> 8);
    digits += static_cast<char>(digit);
  }
  EXPECT_EQ(detected(kNumeric, true, digits), "~|\n");
  EXPECT_EQ(detected(kNumeric, true, "\0\1\0\0\0\0\0\0\0\7"s), "\0\1\0\0\0\0\0\0\0\7|\n"s);
  EXPECT_EQ(detected(kInt4, true, "\0\0\0\1"s), "\0\0\0\1|\n"s);
}

TEST_F(Results, Arrays) {
  EXPECT_EQ(detected(kTextArray, false, R"({a,"me@example.org",NULL,"b \"c\""})"),
            R"({a,"[REDACTED:email]",NULL,"b \"c\""})"
            "|\n");
  EXPECT_EQ(detected(kTextArray, false, "[0:1]={{me@example.org},{x}}"),
            "[0:1]={{\"[REDACTED:email]\"},{x}}|\n");
  EXPECT_EQ(detected(kTextArray, false, "{a,b}"), "{a,b}|\n");
  EXPECT_EQ(detected(kInt8Array, false, "{1,4111111111111111}"), "{1,NULL}|\n");
  const std::string head = u32(1) + u32(0) + u32(kText) + u32(2) + u32(1);
  EXPECT_EQ(detected(kTextArray, true, head + u32(1) + "a" + u32(14) + "me@example.org"),
            u32(1) + u32(1) + u32(kText) + u32(2) + u32(1) + u32(1) + "a" + u32(16) +
                "[REDACTED:email]|\n");
  EXPECT_EQ(detected(kTextArray, true, head + u32(1) + "a" + u32(1) + "b"),
            head + u32(1) + "a" + u32(1) + "b|\n");
}

TEST_F(Results, DetailsOfErrorsAreLeftOut) {
  add(stream_, Report{.is_error = true,
                      .fields = {{'S', "ERROR"},
                                 {'C', "23505"},
                                 {'M', "duplicate key for me@example.org"},
                                 {'D', "Key (ssn)=(123-45-6789) already exists."},
                                 {'W', "SQL statement"}}});
  add(stream_, ReadyForQuery{ReadyForQuery::State::kIdle});
  const auto out = through({.masks = plan_of(mask_of({"users.ssn"})), .detectors = detectors()});
  const std::string text(as_text(out));
  EXPECT_EQ(text.find("123-45"), std::string::npos);
  EXPECT_EQ(text.find("me@"), std::string::npos);
  EXPECT_NE(text.find("[REDACTED:email]"), std::string::npos);
  EXPECT_EQ(types_of(out), "EZ");
}

TEST_F(Results, LimitsOnRowsAndBytes) {
  add(stream_, RowDescription{{column("id", kUsers, 1, kInt4)}});
  for (int i = 0; i < 5; ++i) row({wire("1")});
  add(stream_, ParameterStatus{"TimeZone", "UTC"});
  add(stream_,
      Report{.is_error = true, .fields = {{'S', "ERROR"}, {'C', "57014"}, {'M', "canceled"}}});
  add(stream_, ReadyForQuery{ReadyForQuery::State::kFailed});
  add(stream_, RowDescription{{column("id", kUsers, 1, kInt4)}});
  auto out = through({.limits = {.max_rows = 3}, .limited_by = "rule few"});
  EXPECT_EQ(types_of(out), "TDDDESZT");
  EXPECT_NE(as_text(out).find("C53400"), std::string_view::npos);
  EXPECT_NE(as_text(out).find("more than the 3 rows that rule few permits"),
            std::string_view::npos);
  EXPECT_TRUE(exceeded_);
  out = through({.limits = {.max_bytes = 14}, .limited_by = "service app"});
  EXPECT_EQ(types_of(out), "TDDESZT");
  out = through({.limits = {.max_rows = 5, .max_bytes = 35}});
  EXPECT_EQ(out, stream_);
}

TEST_F(Results, FunctionCallsAreNotMasked) {
  add(stream_, FunctionCallResponse{wire("x")});
  add(stream_, ReadyForQuery{ReadyForQuery::State::kIdle});
  EXPECT_EQ(types_of(through({.detectors = detectors()})), "EZ");
  EXPECT_EQ(types_of(through({})), "VZ");
}

TEST_F(Results, MalformedRowsEndTheResult) {
  const std::string bodies[] = {
      "", "\0"s, "\0\1"s, "\0\1\0\0\0\5ab"s, "\0\2\0\0\0\1a"s, "\0\1\0\0\0\1ab"s};
  for (const std::string& body : bodies) {
    stream_.clear();
    add(stream_, RowDescription{{column("ssn", kUsers, 3, kText)}});
    stream_.push_back('D');
    for (char c : u32(static_cast<std::uint32_t>(body.size() + 4)))
      stream_.push_back(static_cast<std::uint8_t>(c));
    stream_.insert(stream_.end(), body.begin(), body.end());
    end();
    EXPECT_EQ(types_of(through({.masks = plan_of(mask_of({"users.ssn"}))})), "TEZ");
  }
}

// --- COPY ----------------------------------------------------------------------------------------

class CopyResults : public Results {
 protected:
  // The data in messages cut every `cut` bytes.
  std::string copied(CopyFormat format, std::vector<PlannedColumn> columns, const std::string& data,
                     std::size_t width, std::shared_ptr<const dlp::Profile> profile = nullptr) {
    std::string result;
    for (std::size_t cut = 1; cut <= data.size(); ++cut) {
      stream_.clear();
      const bool binary = format.kind == CopyFormat::Kind::kBinary;
      add(stream_, CopyResponse{.way = CopyResponse::Way::kOut,
                                .format = binary,
                                .column_formats = std::vector<std::uint16_t>(width, binary)});
      for (std::size_t at = 0; at < data.size(); at += cut)
        add(stream_, CopyData{as_bytes(std::string_view(data).substr(at, cut))});
      add(stream_, Signal{'c'});
      end();
      MaskPlan plan{.masked = masked_, .copy = format, .copy_columns = columns};
      ResultFilter filter;
      filter.begin({.masks = std::make_shared<MaskPlan>(plan), .detectors = profile});
      const ResultRun run = run_results(filter, stream_, 4096);
      const std::string text = run.exceeded ? "refused" : rows_of(run.out);
      if (cut > 1) EXPECT_EQ(text, result) << "messages of " << cut;
      result = text;
    }
    return result;
  }
  PlannedColumn masked_text() const { return {masked_->of(kUsers, 3), kText}; }
  PlannedColumn masked_number() const { return {masked_->of(kUsers, 3), kInt4}; }

  std::shared_ptr<const MaskedColumns> masked_ = masked_columns(mask_of({"users.ssn"}));
};

TEST_F(CopyResults, Text) {
  EXPECT_EQ(copied({}, {{}, masked_text()}, "1\t123\n2\t\\N\n\\N\ta\\tb\n", 2),
            "1\t[REDACTED:pii]\n2\t\\N\n\\N\t[REDACTED:pii]\n");
  EXPECT_EQ(copied({}, {masked_number(), {}}, "1\ta\\\\b\n", 2), "\\N\ta\\\\b\n");
  EXPECT_EQ(copied({}, {}, "1\tme@\\\\me@example.org\n", 2, detectors()),
            "1\tme@\\\\[REDACTED:email]\n");
  EXPECT_EQ(copied({}, {{}, masked_text()}, "1\t2\t3\n", 2), "refused");
  EXPECT_EQ(copied({}, {{}, masked_text()}, "1\t2", 2), "refused") << "a row without an end";
}

TEST_F(CopyResults, Csv) {
  const CopyFormat csv{
      .kind = CopyFormat::Kind::kCsv, .delimiter = ',', .null = "", .header = true};
  EXPECT_EQ(copied(csv, {{}, masked_text(), {}}, "id,ssn,x\n1,\"a\"\"b,\nc\",y\n2,,\"\"\n", 3),
            "id,ssn,x\n1,\"[REDACTED:pii]\",y\n2,,\"\"\n");
  EXPECT_EQ(copied(csv, {}, "a,b\n\"me@\nme@example.org\",2\n", 2, detectors()),
            "a,b\n\"me@\n[REDACTED:email]\",2\n");
  CopyFormat own = csv;
  own.escape = '\\';
  own.header = false;
  EXPECT_EQ(copied(own, {{}, masked_text()}, "\"a\\\"\n,\",b\n", 2),
            "\"a\\\"\n,\",\"[REDACTED:pii]\"\n");
}

TEST_F(CopyResults, Binary) {
  const CopyFormat binary{.kind = CopyFormat::Kind::kBinary};
  const std::string head = "PGCOPY\n\xff\r\n\0"s + u32(0) + u32(0);
  const std::string row = "\0\2"s + u32(4) + "\0\0\0\1"s + u32(3) + "123";
  EXPECT_EQ(copied(binary, {{}, masked_text()}, head + row + "\xff\xff", 2),
            head + "\0\2"s + u32(4) + "\0\0\0\1"s + u32(14) + "[REDACTED:pii]\xff\xff");
  EXPECT_EQ(copied(binary, {{}, masked_number()}, head + row + "\xff\xff", 2),
            head + "\0\2"s + u32(4) + "\0\0\0\1"s + u32(UINT32_MAX) + "\xff\xff");
  EXPECT_EQ(copied(binary, {{}, masked_text()}, "NOTCOPY....................", 2), "refused");
}

TEST_F(CopyResults, RowsAreCounted) {
  add(stream_, CopyResponse{.way = CopyResponse::Way::kOut, .format = 0, .column_formats = {0}});
  for (int i = 0; i < 4; ++i) add(stream_, CopyData{as_bytes("1\n")});
  add(stream_, Signal{'c'});
  end();
  EXPECT_EQ(types_of(through({.limits = {.max_rows = 2}})), "HddEZ");
  EXPECT_EQ(through({.limits = {.max_rows = 4}}), stream_);
}

}  // namespace
}  // namespace agentsh::sql
