// Which API a request is for, by host, path and method.
#include "proxy/llm/dialect.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

struct Case {
  const char* host;
  const char* method;
  const char* path;
  const char* provider;  // Null: not an LLM API.
  Dialect dialect = Dialect::kOther;
  const char* model = "";
  bool streams = false;
};

constexpr Case kCases[] = {
    {"api.openai.com", "POST", "/v1/chat/completions", "openai", Dialect::kChat},
    {"api.openai.com", "POST", "/v1/chat/completions?x=1", "openai", Dialect::kChat},
    {"api.openai.com", "GET", "/v1/chat/completions", "openai"},
    // What servers take for the same.
    {"api.openai.com", "POST", "/v1//chat/./completions/", "openai", Dialect::kChat},
    {"api.openai.com", "POST", "/v1/chat%2Fcompletion%73", "openai", Dialect::kChat},
    {"api.anthropic.com", "POST", "//v1/messages", "anthropic", Dialect::kMessages},
    {"api.openai.com", "POST", "/v1/responses", "openai", Dialect::kResponses},
    {"api.openai.com", "GET", "/v1/responses/resp_1", "openai"},
    {"api.openai.com", "POST", "/v1/embeddings", "openai", Dialect::kEmbeddings},
    {"api.openai.com", "POST", "/v1/completions", "openai", Dialect::kCompletions},
    {"api.openai.com", "GET", "/v1/realtime?model=gpt-realtime", "openai", Dialect::kRealtime,
     "gpt-realtime"},
    {"api.openai.com", "POST", "/v1/files", "openai"},
    {"chatgpt.com", "POST", "/backend-api/codex/responses", "openai.chatgpt", Dialect::kResponses},
    {"chatgpt.com", "GET", "/", nullptr},
    {"api.anthropic.com", "POST", "/v1/messages", "anthropic", Dialect::kMessages},
    {"api.anthropic.com", "POST", "/v1/messages?beta=true", "anthropic", Dialect::kMessages},
    {"api.anthropic.com", "POST", "/v1/messages/count_tokens", "anthropic", Dialect::kCountTokens},
    {"api.anthropic.com", "POST", "/v1/messages/batches", "anthropic", Dialect::kMessageBatches},
    {"api.anthropic.com", "GET", "/v1/messages/batches/x", "anthropic"},
    {"api.anthropic.com", "GET", "/v1/models", "anthropic"},
    {"generativelanguage.googleapis.com", "POST", "/v1beta/models/gemini-2.5-pro:generateContent",
     "gcp.gemini", Dialect::kGenerateContent, "gemini-2.5-pro"},
    {"generativelanguage.googleapis.com", "POST",
     "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gcp.gemini",
     Dialect::kStreamGenerateContent, "gemini-2.5-flash", true},
    {"generativelanguage.googleapis.com", "POST", "/v1beta/openai/chat/completions", "gcp.gemini",
     Dialect::kChat},
    {"europe-west4-aiplatform.googleapis.com", "POST",
     "/v1/projects/p/locations/europe-west4/publishers/google/models/"
     "gemini-2.5-pro:streamGenerateContent",
     "gcp.vertex_ai", Dialect::kStreamGenerateContent, "gemini-2.5-pro", true},
    {"aiplatform.googleapis.com", "POST",
     "/v1/projects/p/locations/global/publishers/anthropic/models/"
     "claude-sonnet-4-5@20250929:streamRawPredict",
     "gcp.vertex_ai", Dialect::kMessages, "claude-sonnet-4-5@20250929", true},
    {"aiplatform.googleapis.com", "POST",
     "/v1/projects/p/locations/global/endpoints/openapi/chat/completions", "gcp.vertex_ai",
     Dialect::kChat},
    {"me.openai.azure.com", "POST",
     "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21", "azure.ai.openai",
     Dialect::kChat, "my gpt"},
    {"me.openai.azure.com", "POST", "/openai/v1/responses", "azure.ai.openai", Dialect::kResponses},
    {"me.openai.azure.com", "GET", "/openai/realtime?api-version=x&deployment=rt",
     "azure.ai.openai", Dialect::kRealtime, "rt"},
    {"me.services.ai.azure.com", "POST", "/anthropic/v1/messages", "azure.ai.inference",
     Dialect::kMessages},
    {"bedrock-runtime.eu-west-1.amazonaws.com", "POST",
     "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse", "aws.bedrock",
     Dialect::kConverse, "anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"bedrock-runtime-fips.us-east-1.amazonaws.com", "POST",
     "/model/amazon.nova-pro-v1:0/converse-stream", "aws.bedrock", Dialect::kConverseStream,
     "amazon.nova-pro-v1:0", true},
    {"bedrock-runtime.us-east-1.amazonaws.com", "POST",
     "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/invoke", "aws.bedrock",
     Dialect::kInvokeModel, "arn:aws:bedrock:us-east-1:1:inference-profile/us.x"},
    {"bedrock-runtime.us-east-1.amazonaws.com", "POST", "/model/m/invoke-with-response-stream",
     "aws.bedrock", Dialect::kInvokeModelStream, "m", true},
    {"openrouter.ai", "POST", "/api/v1/chat/completions", "openrouter", Dialect::kChat},
    {"api.groq.com", "POST", "/openai/v1/chat/completions", "groq", Dialect::kChat},
    {"api.deepseek.com", "POST", "/chat/completions", "deepseek", Dialect::kChat},
    {"api.deepseek.com", "POST", "/v1/chat/completions", "deepseek", Dialect::kChat},
    {"api.deepseek.com", "POST", "/anthropic/v1/messages", "deepseek"},
    {"llm.internal", "POST", "/gw/v1/chat/completions", "house", Dialect::kChat},
    {"llm.internal", "POST", "/gw/v1/messages", "house", Dialect::kMessages},
    {"llm.internal", "POST", "/gw/v1beta/models/g:generateContent", "house",
     Dialect::kGenerateContent, "g"},
    {"llm.internal", "POST", "/gwx/v1/chat/completions", nullptr},
    {"example.com", "POST", "/v1/chat/completions", nullptr},
    {"api.openai.com.evil.example", "POST", "/v1/chat/completions", nullptr},
    {"notbedrock-runtime.eu-west-1.amazonaws.com", "POST", "/model/m/converse", nullptr},
    {"bedrock-runtime.evil.example", "POST", "/model/m/converse", nullptr},
};

TEST(Dialect, RecognisesByHostPathAndMethod) {
  const std::vector<Server> servers = {
      {.provider = "house", .host = "llm.internal", .port = 8080, .path = "/gw"}};
  for (const Case& c : kCases) {
    const std::uint16_t port = std::string_view(c.host) == "llm.internal" ? 8080 : 443;
    const auto target =
        recognise({.host = c.host, .port = port, .method = c.method, .path = c.path}, servers);
    ASSERT_EQ(target.has_value(), c.provider != nullptr) << c.host << c.path;
    if (!target) continue;
    EXPECT_EQ(target->provider, c.provider) << c.path;
    EXPECT_EQ(to_string(target->dialect), to_string(c.dialect)) << c.host << c.path;
    EXPECT_EQ(target->model, c.model) << c.path;
    EXPECT_EQ(target->streams, c.streams) << c.path;
  }
}

TEST(Dialect, KnowsTheRegionOfBedrock) {
  const auto target = recognise({.host = "vpce-1.bedrock-runtime.eu-west-1.amazonaws.com",
                                 .method = "POST",
                                 .path = "/model/m/converse"},
                                {});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->region, "eu-west-1");
  EXPECT_EQ(target->family, Family::kBedrock);
}

TEST(Dialect, ReadsBaseUrls) {
  const auto server = parse_base_url("https://LLM.Example:8443/api/v1/");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->host, "llm.example");
  EXPECT_EQ(server->port, 8443);
  EXPECT_EQ(server->path, "/api/v1");
  EXPECT_EQ(parse_base_url("http://127.0.0.1/")->port, 80);
  for (std::string_view url :
       {"", "llm.example", "ftp://x/", "https://", "https://a b/", "https://x/?q"}) {
    EXPECT_FALSE(parse_base_url(url)) << url;
  }
}

TEST(Dialect, HostsOfApis) {
  const Server servers[] = {{.provider = "own", .host = "models.example.com", .path = "/v1"}};
  for (const char* host :
       {"api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com",
        "aiplatform.googleapis.com", "me.openai.azure.com", "models.example.com",
        "bedrock-runtime.us-east-1.amazonaws.com"}) {
    EXPECT_TRUE(is_api_host(host, servers)) << host;
  }
  EXPECT_FALSE(is_api_host("example.com", servers));
  EXPECT_FALSE(is_api_host("", servers));
}

}  // namespace
}  // namespace agentsh::llm
