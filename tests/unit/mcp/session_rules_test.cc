#include "proxy/mcp/session_rules.h"

#include "proxy/mcp/message.h"

#include <gtest/gtest.h>

namespace agentsh::mcp {
namespace {

using namespace std::chrono_literals;
using policy::McpListPolicy;
using policy::McpRules;

class Session {
 public:
  explicit Session(McpRules rules) : rules_(std::move(rules)) { rules_.enforce_policy = true; }

  // The rule that denies, or "".
  std::string call(std::string_view server, std::string_view tool,
                   std::string_view arguments = "{}") {
    const auto document = JsonDocument::parse(arguments);
    const auto denial = session_.judge_call(rules_, server, tool, document->root(), now);
    return denial ? denial->rule : "";
  }
  ListedTool list(std::string_view server, std::string_view definition) {
    const auto document = JsonDocument::parse(definition);
    return session_.judge_listed(rules_, server, document->node());
  }
  std::string listed(std::string_view server, std::string_view definition) {
    const ListedTool tool = list(server, definition);
    return tool.denial ? tool.denial->rule : tool.changed ? "changed" : "";
  }
  void gives(std::string_view server, std::string_view result) {
    const auto document = JsonDocument::parse(result);
    session_.remember_result(rules_, server, document->root(), now);
  }
  Clock::time_point now = Clock::now();

 private:
  McpRules rules_;
  SessionRules session_;
};

TEST(McpRules, Lists) {
  McpRules rules;
  rules.server_policy = McpListPolicy::kAllowlist;
  rules.allowed_servers = {"a", "b"};
  rules.tool_policy = McpListPolicy::kAllowlist;
  rules.allowed_tools = {{"a", "read", ""}, {"b", "*", ""}};
  rules.denied_tools = {{"*", "delete_all", ""}};
  Session session(rules);
  EXPECT_EQ(session.call("a", "read"), "");
  EXPECT_EQ(session.call("a", "write"), "mcp-tool-policy");
  EXPECT_EQ(session.call("b", "anything"), "");
  EXPECT_EQ(session.call("b", "delete_all"), "mcp-tool-policy");
  EXPECT_EQ(session.call("c", "read"), "mcp-server-policy");
  EXPECT_EQ(session.listed("a", R"({"name":"write"})"), "mcp-tool-policy");
  EXPECT_EQ(session.listed("a", R"({"name":"read"})"), "");
}

TEST(McpRules, PinnedAtFirstSight) {
  McpRules rules;
  rules.version_pinning = true;
  rules.auto_trust_first = true;
  Session session(rules);
  EXPECT_EQ(session.call("a", "t"), "mcp-version-pinning");  // Nobody has seen what it is.
  EXPECT_EQ(session.listed("a", R"({"name":"t","description":"one"})"), "");
  EXPECT_EQ(session.call("a", "t"), "");
  EXPECT_EQ(session.listed("a", R"({"name":"t","description":"two"})"), "mcp-version-pinning");
  EXPECT_EQ(session.call("a", "t"), "mcp-version-pinning");
  EXPECT_EQ(session.listed("a", R"({"name":"t","description":"one"})"), "");
  EXPECT_EQ(session.call("a", "t"), "");
}

TEST(McpRules, PinnedByThePolicy) {
  McpRules rules;
  rules.version_pinning = true;
  const auto definition = JsonDocument::parse(R"({"name":"t"})");
  rules.allowed_tools = {{"a", "t", definition_hash(definition->node())}};
  Session session(rules);
  EXPECT_EQ(session.listed("a", R"({"name":"t"})"), "");
  EXPECT_EQ(session.listed("a", R"({"name":"t","title":"x"})"), "mcp-version-pinning");
  EXPECT_EQ(session.listed("a", R"({"name":"unknown"})"), "mcp-version-pinning");
}

TEST(McpRules, ChangesMayBeToldOrTaken) {
  for (const char* action : {"alert", "allow"}) {
    McpRules rules;
    rules.version_pinning = true;
    rules.auto_trust_first = true;
    rules.on_change = action;
    Session session(rules);
    session.listed("a", R"({"name":"t","description":"one"})");
    EXPECT_EQ(session.listed("a", R"({"name":"t","description":"two"})"), "changed");
    EXPECT_EQ(session.call("a", "t"), "");
    EXPECT_EQ(session.list("a", R"({"name":"t","description":"two"})").changed,
              std::string_view(action) == "alert");
  }
}

McpRules cross_server(const char* name) {
  McpRules rules;
  rules.cross_server = true;
  rules.cross_server_rules = {{name, true}};
  return rules;
}

TEST(McpRules, ReadThenSend) {
  Session session(cross_server("read_then_send"));
  EXPECT_EQ(session.call("files", "readFile"), "");
  EXPECT_EQ(session.call("files", "write_file"), "");
  EXPECT_EQ(session.call("mail", "send_mail"), "mcp-read-then-send");
  EXPECT_EQ(session.call("mail", "sender_info"), "");
  session.now += 31s;
  EXPECT_EQ(session.call("mail", "send_mail"), "");
}

TEST(McpRules, WhatOneServerGaveIsNotGivenToAnother) {
  Session session(cross_server("cross_server_flow"));
  session.gives("files", R"({"content":[{"type":"text","text":"key: AbcdefGhijkl123 end"}]})");
  EXPECT_EQ(session.call("mail", "t", R"({"body":{"deep":["x AbcdefGhijkl123"]}})"),
            "mcp-cross-server-flow");
  EXPECT_EQ(session.call("files", "t", R"({"x":"AbcdefGhijkl123"})"), "");
  EXPECT_EQ(session.call("mail", "t", R"({"body":"key: end"})"), "");
  // What the client knew before is its own.
  EXPECT_EQ(session.call("files", "t", R"({"q":"my-own-long-question"})"), "");
  session.gives("files", R"({"content":[{"text":"you asked my-own-long-question"}]})");
  EXPECT_EQ(session.call("mail", "t", R"({"q":"my-own-long-question"})"), "");
  session.now += 6min;
  EXPECT_EQ(session.call("mail", "t", R"({"body":"AbcdefGhijkl123"})"), "");
}

TEST(McpRules, ShadowTools) {
  Session session(cross_server("shadow_tool"));
  EXPECT_EQ(session.listed("files", R"({"name":"read_file"})"), "");
  EXPECT_EQ(session.listed("evil", R"({"name":"read_fi1e"})"), "mcp-shadow-tool");
  EXPECT_EQ(session.call("evil", "read_file"), "mcp-shadow-tool");
  EXPECT_EQ(session.listed("evil", R"({"name":"weather"})"), "");
  EXPECT_EQ(session.listed("files", R"({"name":"read_file"})"), "");
}

TEST(McpRules, Bursts) {
  Session session(cross_server("burst"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(session.call("a", "t"), "");
  EXPECT_EQ(session.call("a", "t"), "mcp-burst");
  EXPECT_EQ(session.call("b", "t"), "");
  session.now += 6s;
  EXPECT_EQ(session.call("a", "t"), "");
}

TEST(McpRules, RateLimits) {
  McpRules rules;
  rules.rate_limits.emplace();
  rules.rate_limits->others = {"", 60, 2};
  rules.rate_limits->servers = {{"slow", 1, 1}};
  Session session(rules);
  EXPECT_EQ(session.call("a", "t"), "");
  EXPECT_EQ(session.call("a", "t"), "");
  EXPECT_EQ(session.call("a", "t"), "mcp-rate-limit");
  session.now += 1s;
  EXPECT_EQ(session.call("a", "t"), "");
  EXPECT_EQ(session.call("slow", "t"), "");
  session.now += 30s;
  EXPECT_EQ(session.call("slow", "t"), "mcp-rate-limit");
}

}  // namespace
}  // namespace agentsh::mcp
