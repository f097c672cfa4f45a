// Events with other data: only the data changes, and a parser reads back what was written.
#include "proxy/codec/sse/writer.h"

#include "tests/unit/sse/pieces.h"

#include <gtest/gtest.h>

namespace agentsh::sse {
namespace {

std::string with_data(std::string_view raw, std::string_view data) {
  Parser parser;
  Event event;
  parser.feed(raw);
  EXPECT_TRUE(parser.next(event) == Step::kEvent || parser.finish(event));
  std::string out;
  write_with_data(event, data, out);
  return out;
}

TEST(SseWriter, ExchangesTheValueAndNothingElse) {
  EXPECT_EQ(with_data("event: a\ndata:  {}\nid: 7\n: c\n\n", "[1]"),
            "event: a\ndata: [1]\nid: 7\n: c\n\n");
  EXPECT_EQ(with_data("data:{}\r\n\r\n", "x"), "data:x\r\n\r\n");
  EXPECT_EQ(with_data("data\n\n", "x"), "data:x\n\n");
  EXPECT_EQ(with_data("\xEF\xBB\xBF"
                      "data: {}\n\n",
                      "x"),
            "\xEF\xBB\xBF"
            "data: x\n\n");
  EXPECT_EQ(with_data("data: {}", "x"), "data: x");
}

TEST(SseWriter, BlanksAtTheBeginningOfAValueStay) {
  EXPECT_EQ(with_data("data:{}\n\n", " x"), "data:  x\n\n");
  EXPECT_EQ(with_data("data: {}\n\n", " x"), "data:  x\n\n");
  EXPECT_EQ(with_data("data:1\ndata:2\n\n", "a\n b"), "data:a\ndata:  b\n\n");
}

TEST(SseWriter, LineBreaksBecomeLines) {
  EXPECT_EQ(with_data("event: a\ndata: 1\ndata: 2\nid: 3\n\n", "x"),
            "event: a\ndata: x\nid: 3\n\n");
  EXPECT_EQ(with_data("data: 1\r\n\r\n", "x\ny\r\nz"), "data: x\r\ndata: y\r\ndata: z\r\n\r\n");
}

TEST(SseWriter, AFieldThatOnlyLooksLikeDataStays) {
  const std::string_view stream =
      "data: 0\n\n\xEF\xBB\xBF"
      "data: 1\ndata: 2\ndata: 3\n\n";
  Parser parser;
  Event event;
  parser.feed(stream);
  ASSERT_EQ(parser.next(event), Step::kEvent);
  ASSERT_EQ(parser.next(event), Step::kEvent);
  std::string out;
  write_with_data(event, "x", out);
  EXPECT_EQ(out,
            "\xEF\xBB\xBF"
            "data: 1\ndata: x\n\n");
}

TEST(SseWriter, NewEventsAreReadBack) {
  std::string out;
  write_event("delta", "a\nb", out);
  write_event("", "", out, "\r\n");
  const Parsed parsed = parse({out});
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.events[0].type, "delta");
  EXPECT_EQ(parsed.events[0].data, "a\nb");
  EXPECT_EQ(parsed.events[1].data_lines, 1U);
}

}  // namespace
}  // namespace agentsh::sse
