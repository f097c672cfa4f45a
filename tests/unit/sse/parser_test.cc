// Events of streams as the WHATWG's text and its examples have them, at every chunk border.
#include "proxy/codec/sse/parser.h"

#include "tests/unit/sse/pieces.h"

#include <gtest/gtest.h>

namespace agentsh::sse {
namespace {

// The stream whole; checks that every division into two pieces, and single bytes, give the same.
Parsed parse_all_ways(std::string_view text, std::size_t limit = 1 << 20) {
  const Parsed whole = parse({text}, limit);
  EXPECT_EQ(parse(bytes_of(text), limit), whole);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_EQ(parse({text.substr(0, cut), text.substr(cut)}, limit), whole) << "cut at " << cut;
  }
  std::string raw;
  for (const Seen& event : whole.events) raw += event.raw;
  if (!whole.too_large) {
    EXPECT_EQ(raw, text);
  }
  return whole;
}

TEST(SseParser, GivesDataOfEachBlock) {
  const Parsed parsed = parse_all_ways("data: YHOO\ndata: +2\ndata: 10\n\ndata: next\n\n");
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.events[0].data, "YHOO\n+2\n10");
  EXPECT_EQ(parsed.events[0].data_lines, 3U);
  EXPECT_EQ(parsed.events[1].data, "next");
}

TEST(SseParser, KeepsTypeIdAndComments) {
  const Parsed parsed = parse_all_ways(
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\nevent: add\ndata:  "
      "third\n\n");
  ASSERT_EQ(parsed.events.size(), 4U);
  EXPECT_EQ(parsed.events[0].data_lines, 0U);
  EXPECT_EQ(parsed.events[1].id, "1");
  EXPECT_TRUE(parsed.events[2].has_id);
  EXPECT_EQ(parsed.events[2].id, "");
  EXPECT_EQ(parsed.events[2].data, "second event");
  EXPECT_EQ(parsed.events[3].type, "add");
  EXPECT_EQ(parsed.events[3].data, " third");
}

TEST(SseParser, LinesWithoutColonAreFieldsWithoutValue) {
  const Parsed parsed = parse_all_ways("data\n\ndata\ndata\n\ndata:\n\n");
  ASSERT_EQ(parsed.events.size(), 3U);
  EXPECT_EQ(parsed.events[0].data, "");
  EXPECT_EQ(parsed.events[0].data_lines, 1U);
  EXPECT_EQ(parsed.events[1].data, "\n");
  EXPECT_EQ(parsed.events[2].data, "");
}

TEST(SseParser, TakesEveryLineEnd) {
  for (std::string_view end : {"\n", "\r", "\r\n"}) {
    std::string text;
    for (std::string_view line : {"event: a", "data: 1", "data: 2", "", "data: 3", "", ""}) {
      text.append(line).append(end);
    }
    const Parsed parsed = parse_all_ways(text);
    ASSERT_GE(parsed.events.size(), 2U);
    EXPECT_EQ(parsed.events[0].data, "1\n2");
    EXPECT_EQ(parsed.events[1].data, "3");
  }
}

TEST(SseParser, MixedLineEndsGiveTheSameAtEveryBorder) {
  for (std::string_view text :
       {"data: 1\r\rdata: 2\r\n\r\ndata: 3\n\r\n\rdata: 4\r\r\n\n", "\r\ndata: x\r\r\n\r\n",
        "data: x\r", "data: x\r\n\r", "data: x\n\r", "\r", "\n", "\xEF\xBB\xBF\r\n"}) {
    parse_all_ways(text);
  }
}

TEST(SseParser, GivesAnEventWithItsLastByte) {
  for (std::string_view text : {"data: x\n\n", "data: x\r\r", "data: x\r\n\r\n"}) {
    Parser parser;
    Event event;
    parser.feed(text.substr(0, text.size() - 1));
    EXPECT_EQ(parser.next(event), Step::kNeedMore);
    parser.feed(text.substr(text.size() - 1));
    EXPECT_EQ(parser.next(event), Step::kEvent);
    EXPECT_EQ(event.data, "x");
  }
}

TEST(SseParser, SkipsOneByteOrderMark) {
  const Parsed parsed = parse_all_ways(
      "\xEF\xBB\xBF"
      "data: a\n\n\xEF\xBB\xBF"
      "data: b\n\n");
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.events[0].data, "a");
  EXPECT_EQ(parsed.events[1].data_lines, 0U);  // A field of another name.
}

TEST(SseParser, IgnoresIdsWithNul) {
  const Parsed parsed = parse_all_ways(std::string_view("id: a\0b\ndata: x\n\n", 17));
  ASSERT_EQ(parsed.events.size(), 1U);
  EXPECT_FALSE(parsed.events[0].has_id);
}

TEST(SseParser, GivesWhatTheStreamBrokeOffIn) {
  const Parsed parsed = parse_all_ways("data: whole\n\ndata: ha");
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_FALSE(parsed.events[1].terminated);
  EXPECT_EQ(parsed.events[1].data, "ha");
}

TEST(SseParser, RefusesEventsOverTheLimitHoweverTheyArrive) {
  EXPECT_FALSE(parse_all_ways("data: 12\n\ndata: 34\n\n", 10).too_large);
  const Parsed parsed = parse_all_ways("data: 12\n\ndata: 345\n\ndata: 6\n\n", 10);
  EXPECT_TRUE(parsed.too_large);
  EXPECT_EQ(parsed.events.size(), 1U);
  EXPECT_TRUE(parse_all_ways("data: 0123456789", 10).too_large);
}

}  // namespace
}  // namespace agentsh::sse
