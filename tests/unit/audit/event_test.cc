#include "audit/event.h"

#include "audit/text_buffer.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/time_format.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace agentsh::audit {
namespace {

Event full_event() {
  Event event("net_connect");
  event.id = "evt-1";
  event.timestamp = parse_rfc3339("2026-11-24T06:02:25.123456789Z").value();
  event.session_id = "session-1";
  event.command_id = "cmd-1";
  event.source = "proxy";
  event.pid = 42;
  event.program = "curl";
  event.policy = PolicyInfo{.decision = "approve",
                            .effective_decision = "allow",
                            .rule = "ask",
                            .message = "Ask first",
                            .approval_id = "approval-1",
                            .redirect_target = "proxy:80"};
  event.path = "/p";
  event.domain = "example.com";
  event.remote = "192.0.2.1:443";
  event.operation = "connect";
  event.field("bytes", std::int64_t{7})
      .field("ratio", 0.5)
      .field("tls", true)
      .field("ips", std::vector<std::string>{"192.0.2.1", "192.0.2.2"})
      .field("note", std::string("x"));
  return event;
}

TEST(EventJson, HasItsMembersInTheFixedOrder) {
  EXPECT_EQ(to_json(full_event()),
            R"({"id":"evt-1","timestamp":"2026-11-24T06:02:25.123456789Z","type":"net_connect",)"
            R"("session_id":"session-1","command_id":"cmd-1","source":"proxy","pid":42,)"
            R"("program":"curl","policy":{"decision":"approve","effective_decision":"allow",)"
            R"("rule":"ask","message":"Ask first",)"
            R"("approval":{"required":true,"mode":"enforced","id":"approval-1"},)"
            R"("redirect":{"target":"proxy:80"}},"path":"/p","domain":"example.com",)"
            R"("remote":"192.0.2.1:443","operation":"connect","fields":{"bytes":7,"ratio":0.5,)"
            R"("tls":true,"ips":["192.0.2.1","192.0.2.2"],"note":"x"}})");
}

TEST(EventJson, LeavesEmptyMembersOut) {
  Event event("session_created");
  event.timestamp = parse_rfc3339("2026-11-24T06:02:25Z").value();
  EXPECT_EQ(to_json(event),
            R"({"timestamp":"2026-11-24T06:02:25.000000000Z","type":"session_created",)"
            R"("session_id":"","fields":{}})");
}

TEST(EventJson, NamesTheCommandWhenACommandIsRedirected) {
  Event event("command_redirected");
  event.policy = PolicyInfo{.decision = "redirect", .redirect_target = "/usr/bin/true"};
  EXPECT_NE(to_json(event).find(R"("redirect":{"command":"/usr/bin/true"})"), std::string::npos);
}

TEST(EventJson, WritesTheFirstOfTwoFieldsWithOneName) {
  Event event("x");
  event.field("a", std::int64_t{1}).field("a", std::int64_t{2}).field("b", std::int64_t{3});
  EXPECT_NE(to_json(event).find(R"("fields":{"a":1,"b":3}})"), std::string::npos);
}

TEST(EventJson, IsValidForAnyBytes) {
  for (int byte = 0; byte < 256; ++byte) {
    for (const std::size_t padding : {0u, 1u, 7u, 8u, 9u}) {
      Event event("x");
      event.path = std::string(padding, 'a') + static_cast<char>(byte) + "tail";
      const std::string json = to_json(event);
      const auto document = JsonDocument::parse(json);
      ASSERT_TRUE(document) << byte << ": " << json;
      EXPECT_EQ(json.find('\n'), std::string::npos);
      if (byte < 0x80) {
        EXPECT_EQ(document->root().text("path"), event.path);
      } else {
        EXPECT_EQ(document->root().text("path"),
                  std::string(padding, 'a') + "\xef\xbf\xbd" + "tail");
      }
    }
  }
}

struct Utf8Case {
  const char* name;
  std::string_view in;
  std::string_view out;
};

TEST(EventJson, ReplacesWhatIsNotUtf8ByteByByte) {
  const Utf8Case cases[] = {
      {"two bytes", "\xc3\xa9", "\xc3\xa9"},
      {"three bytes", "\xe2\x82\xac", "\xe2\x82\xac"},
      {"four bytes", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
      {"overlong slash", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"overlong three", "\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"too large", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"cut off", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
      {"then text", "\xe2\x82z", "\xef\xbf\xbd\xef\xbf\xbdz"},
  };
  for (const Utf8Case& test : cases) {
    TextBuffer out;
    out.quoted(test.in);
    EXPECT_EQ(out.view(), "\"" + std::string(test.out) + "\"") << test.name;
    // The general writer agrees.
    EXPECT_EQ(out.view(), json_quoted(test.in)) << test.name;
  }
}

TEST(EventJson, CutsAtCharacterBoundaries) {
  TextBuffer out;
  out.quoted("ab\xe2\x82\xac", 4);
  EXPECT_EQ(out.view(), "\"ab\"");
  out.clear();
  out.quoted("ab\xe2\x82\xac", 5);
  EXPECT_EQ(out.view(), "\"ab\xe2\x82\xac\"");
}

TEST(EventJson, WritesNumbersThatReadBack) {
  for (const double value : {0.0, -1.5, 0.1, 1e300, 5e-324, 123456789.123}) {
    TextBuffer out;
    out.number(value);
    EXPECT_EQ(std::strtod(std::string(out.view()).c_str(), nullptr), value);
  }
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    TextBuffer out;
    out.number(value);
    EXPECT_EQ(out.view(), "null");
  }
  TextBuffer out;
  out.number(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(out.view(), "-9223372036854775808");
}

TEST(EventJson, WritesTimesAsTheGeneralFormatterDoes) {
  using std::chrono::nanoseconds;
  for (const std::int64_t time :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{951'782'399'999'999'999},
        std::int64_t{951'782'400'000'000'000}, std::int64_t{1'709'164'800'123'456'789},
        std::int64_t{4'102'444'799'000'000'001}, std::int64_t{9'223'372'036'854'775'807}}) {
    TextBuffer out;
    out.timestamp(time);
    EXPECT_EQ(out.view(), format_rfc3339(WallTime(nanoseconds(time)))) << time;
  }
  TextBuffer before;
  before.timestamp(-1);
  EXPECT_EQ(before.view(), "1969-12-31T23:59:59.999999999Z");
  for (std::int64_t day = 0; day < std::int64_t{200} * 366; ++day) {
    TextBuffer out;
    const std::int64_t time = day * 86'400'000'000'000;
    out.timestamp(time);
    ASSERT_EQ(out.view(), format_rfc3339(WallTime(nanoseconds(time))));
  }
}

TEST(EventJson, SaysWhenItWasCut) {
  Event event("x");
  event.path = std::string(100, 'p');
  event.field("a", std::int64_t{1}).field("b", std::int64_t{2});
  TextBuffer out;
  append_json(out, event, "id", 0, {.string_bytes = 10, .fields = 1});
  EXPECT_EQ(out.view(),
            R"({"id":"id","timestamp":"1970-01-01T00:00:00.000000000Z","type":"x",)"
            R"("session_id":"","truncated":true,"path":"pppppppppp","fields":{"a":1}})");
}

}  // namespace
}  // namespace agentsh::audit
