#include "audit/line_fields.h"

#include "audit/event.h"
#include "audit/log_recovery.h"

#include <gtest/gtest.h>

namespace agentsh::audit {
namespace {

TEST(LineFields, ReadsWhatQueriesNeed) {
  Event event("net_connect");
  event.id = "evt-1";
  event.session_id = "s";
  event.command_id = "c";
  event.program = "curl";
  event.policy = PolicyInfo{.decision = "approve", .effective_decision = "deny", .rule = "r"};
  event.path = "/a \"b\"\\\n\x01\xc3\xa9";
  event.domain = "example.com";
  event.remote = "192.0.2.1:80";
  event.operation = "connect";
  event.field("decision", std::string("not this one"))
      .field("list", std::vector<std::string>{"]", "}"})
      .field("path", std::string("nor this"));
  LineFields fields;
  ASSERT_TRUE(read_line_fields(to_json(event), fields));
  EXPECT_EQ(fields.id, "evt-1");
  EXPECT_EQ(fields.type, "net_connect");
  EXPECT_EQ(fields.session_id, "s");
  EXPECT_EQ(fields.command_id, "c");
  EXPECT_EQ(fields.program, "curl");
  EXPECT_EQ(fields.decision, "approve");
  EXPECT_EQ(fields.effective_decision, "deny");
  EXPECT_EQ(fields.rule, "r");
  EXPECT_EQ(fields.path, event.path);
  EXPECT_EQ(fields.domain, "example.com");
  EXPECT_EQ(fields.remote, "192.0.2.1:80");
  EXPECT_EQ(fields.operation, "connect");
}

TEST(LineFields, ClearsWhatIsAbsent) {
  LineFields fields;
  ASSERT_TRUE(read_line_fields(R"({"type":"a","path":"/x","policy":{"decision":"deny"}})", fields));
  ASSERT_TRUE(read_line_fields(R"({"type":"b"})", fields));
  EXPECT_EQ(fields.type, "b");
  EXPECT_EQ(fields.path, "");
  EXPECT_EQ(fields.decision, "");
}

TEST(LineFields, UnderstandsEveryEscape) {
  LineFields fields;
  ASSERT_TRUE(read_line_fields(
      R"({"path":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\ud83d!\udc00"})", fields));
  EXPECT_EQ(fields.path,
            "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd!\xef\xbf\xbd");
}

TEST(LineFields, WalksOverForeignValues) {
  LineFields fields;
  ASSERT_TRUE(read_line_fields(
      R"( {"a": [1, {"b": [true, null]}, -1.5e3], "path" : "/p", "id": 7, "policy": "none"})",
      fields));
  EXPECT_EQ(fields.path, "/p");
  EXPECT_EQ(fields.id, "");
}

TEST(LineFields, RefusesWhatIsNoObject) {
  LineFields fields;
  for (const char* text : {"", "{", "[]", "1", "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\":1",
                           "{\"a\":1,}", "{\"path\":\"x", "{\"path\":\"\\", "{\"path\":\"\\u12\"}",
                           "{\"path\":\"\\q\"}", "{\"a\":[1}", "{\"policy\":{\"rule\":\"x\""}) {
    EXPECT_FALSE(read_line_fields(text, fields)) << text;
  }
}

TEST(LineStart, TellsIdAndTime) {
  Event event("x");
  event.id = "a\"b";
  event.timestamp = parse_rfc3339("2026-11-24T06:02:25.5Z").value();
  const std::string json = to_json(event);
  EXPECT_EQ(line_id(json), "a\\\"b");
  EXPECT_EQ(line_time(json), 1795500145500000000);
  event.id.clear();
  EXPECT_EQ(line_id(to_json(event)), "");
  EXPECT_EQ(line_time(to_json(event)), 1795500145500000000);
  for (const char* text : {"", "{", "{\"id\":\"", "{\"id\":\"x", "{\"id\":\"x\\", "{\"id\":\"x\"}",
                           "{\"id\":\"x\",\"timestamp\":\"", "{\"timestamp\":\"yesterday\"}"}) {
    EXPECT_EQ(line_time(text), INT64_MIN) << text;
  }
}

}  // namespace
}  // namespace agentsh::audit
