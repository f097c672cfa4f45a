#include "proxy/mcp/message.h"

#include <gtest/gtest.h>

namespace agentsh::mcp {
namespace {

JsonDocument parse(std::string_view text) {
  auto document = JsonDocument::parse(text);
  if (!document) ADD_FAILURE() << document.error().what;
  return std::move(*document);
}

TEST(Message, CallsListsAndResults) {
  const auto call = parse(
      R"({"jsonrpc":"2.0","id":"a\"1","method":"tools/call","params":{"name":"t","arguments":{"x":1}}})");
  const auto messages = messages_of(call);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].tool(), "t");
  EXPECT_EQ(messages[0].id, R"("a\"1")");
  EXPECT_EQ(messages[0].arguments().integer("x"), 1);
  EXPECT_EQ(messages[0].listed_tools(), nullptr);

  const auto list =
      parse(R"({"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"a"},{"name":"b"}]}})");
  ASSERT_NE(messages_of(list)[0].listed_tools(), nullptr);
  EXPECT_EQ(messages_of(list)[0].listed_tools()->size(), 2u);
}

TEST(Message, OthersAreNone) {
  for (const char* text : {"1", "\"x\"", "{}", "[]", R"({"jsonrpc":"1.0","method":"tools/call"})",
                           R"([1,{"method":"tools/call"}])"}) {
    EXPECT_TRUE(messages_of(parse(text)).empty()) << text;
  }
  EXPECT_FALSE(is_mcp_method("eth_call"));
  EXPECT_FALSE(is_mcp_method(""));
  EXPECT_TRUE(is_mcp_method("notifications/initialized"));
}

TEST(Message, RefusalsAnswerEveryRequestOfABatch) {
  const auto batch = parse(
      R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},)"
      R"({"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"t"}}])");
  const auto answer = parse(refusal(messages_of(batch), true, "r\"", "m\n"));
  ASSERT_EQ(answer.root().elements().size(), 2u);
  const JsonValue second(&answer.root().elements()[1]);
  EXPECT_EQ(second.text("id"), "two");
  EXPECT_EQ(second.member("error").text("message"), "m\n");
  EXPECT_EQ(second.member("error").member("data").text("rule"), "r\"");
}

TEST(Definition, HashGoesByMeaning) {
  const auto hash = [](std::string_view text) { return definition_hash(parse(text).node()); };
  const std::string one = hash(R"({"name":"a","inputSchema":{"x":1,"y":[1,2]}})");
  EXPECT_EQ(one, hash(R"({ "inputSchema": {"y":[1,2],"x":1}, "name": "\u0061" })"));
  EXPECT_NE(one, hash(R"({"name":"a","inputSchema":{"x":1,"y":[2,1]}})"));
  EXPECT_NE(one, hash(R"({"name":"a","inputSchema":{"x":1,"y":[1,2]},"description":""})"));
  EXPECT_EQ(one.size(), 7u + 64);
}

TEST(Message, ToolsAreTakenOutAndTheRestStays) {
  const auto list = parse(
      R"({"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"a"},{"name":"b"},{"name":"c"}],"nextCursor":"n"}})");
  EXPECT_EQ(without_tools(list, {{0, 2}}),
            R"({"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"b"}],"nextCursor":"n"}})");
  const auto batch = parse(
      R"([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"a"}]}}])");
  EXPECT_EQ(
      without_tools(batch, {{}, {0}}),
      R"([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}])");
}

}  // namespace
}  // namespace agentsh::mcp
