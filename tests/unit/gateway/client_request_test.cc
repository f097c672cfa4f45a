// What a client of the gateway asks for.
#include "proxy/gateway/client_request.h"

#include "proxy/codec/http/message_reader.h"

#include <gtest/gtest.h>

namespace agentsh::gateway {
namespace {

using llm::Dialect;
using llm::Family;

TEST(ClientRequest, PathsSayTheDialect) {
  struct Case {
    const char* path;
    Dialect dialect;
    Family family;
    const char* model = "";
  };
  const Case cases[] = {
      {"/v1/chat/completions", Dialect::kChat, Family::kOpenAi},
      {"/chat/completions", Dialect::kChat, Family::kOpenAi},
      {"/v1/responses", Dialect::kResponses, Family::kOpenAi},
      {"/v1/embeddings", Dialect::kEmbeddings, Family::kOpenAi},
      {"/v1/messages", Dialect::kMessages, Family::kAnthropic},
      {"/v1/messages?beta=true", Dialect::kMessages, Family::kAnthropic},
      {"/v1/messages/count_tokens", Dialect::kCountTokens, Family::kAnthropic},
      {"/v1beta/models/gemini-2.5-flash:generateContent", Dialect::kGenerateContent,
       Family::kGemini, "gemini-2.5-flash"},
      {"/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
       Dialect::kStreamGenerateContent, Family::kGemini, "gemini-2.5-pro"},
      {"/openai/deployments/mine/chat/completions?api-version=2024-10-21", Dialect::kChat,
       Family::kOpenAi, "mine"},
      {"/model/anthropic.claude-sonnet-4-5/converse", Dialect::kConverse, Family::kBedrock,
       "anthropic.claude-sonnet-4-5"},
      {"/v1/images/generations", Dialect::kOther, Family::kOpenAi},
      {"/", Dialect::kOther, Family::kOpenAi},
  };
  for (const Case& item : cases) {
    const llm::Target target = classify("POST", item.path);
    EXPECT_EQ(target.dialect, item.dialect) << item.path;
    EXPECT_EQ(target.family, item.family) << item.path;
    EXPECT_EQ(target.model, item.model) << item.path;
    EXPECT_EQ(target.provider, "") << item.path;
  }
}

std::string key_of(std::string_view fields, std::string_view path = "/v1/chat/completions") {
  const std::string text = "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" +
                           std::string(fields) + "Content-Length: 0\r\n\r\n";
  http::RequestReader reader;
  EXPECT_GT(reader.read_head(as_bytes(text)).size, 0u) << text;
  return presented_key(reader.head());
}

TEST(ClientRequest, TheKeyIsInAnyOfTheProvidersFields) {
  EXPECT_EQ(key_of("Authorization: Bearer k1\r\n"), "k1");
  EXPECT_EQ(key_of("authorization: bearer k1\r\n"), "k1");
  EXPECT_EQ(key_of("X-Api-Key: k2\r\n"), "k2");
  EXPECT_EQ(key_of("x-goog-api-key: k3\r\n"), "k3");
  EXPECT_EQ(key_of("api-key: k4\r\n"), "k4");
  EXPECT_EQ(key_of("", "/v1beta/models/m:generateContent?alt=sse&key=k5"), "k5");
  EXPECT_EQ(key_of("Authorization: Basic abc\r\n"), "");
  EXPECT_EQ(key_of(""), "");
}

TEST(ClientRequest, TheKeyLeavesTheQuery) {
  EXPECT_EQ(without_key("/p?key=k"), "/p");
  EXPECT_EQ(without_key("/p?a=1&key=k&b=2"), "/p?a=1&b=2");
  EXPECT_EQ(without_key("/p?monkey=1"), "/p?monkey=1");
  EXPECT_EQ(without_key("/p"), "/p");
}

TEST(ClientRequest, TheBodyNamesTheModel) {
  EXPECT_EQ(model_of(Dialect::kChat, R"({"messages":[{"model":"no"}],"model":"gpt-4o"})"),
            "gpt-4o");
  EXPECT_EQ(model_of(Dialect::kMessages, R"({"model":"claude\u002dx"})"), "claude-x");
  for (const char* body : {"", "no json", "{}", R"({"model":7})", R"({"model":)", "[1]"}) {
    EXPECT_EQ(model_of(Dialect::kChat, body), "") << body;
  }
}

TEST(ClientRequest, WhatIsCounted) {
  EXPECT_TRUE(is_counted(Dialect::kChat, "POST"));
  EXPECT_TRUE(is_counted(Dialect::kOther, "GET"));
  EXPECT_FALSE(is_counted(Dialect::kOther, "POST"));
  EXPECT_FALSE(is_counted(Dialect::kMessageBatches, "POST"));
  EXPECT_FALSE(is_counted(Dialect::kRealtime, "GET"));
}

}  // namespace
}  // namespace agentsh::gateway
