// Which API of which provider a request is for, told from where it goes: host, path and method,
// never from its credentials. A client cannot make us read a request in a dialect in which the
// server does not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

enum class Dialect : std::uint8_t {
  kOther,  // An API of a provider whose bodies we only know to be JSON, if they are.
  kChat,   // OpenAI Chat Completions, and those who copy it.
  kCompletions,
  kResponses,
  kEmbeddings,
  kRealtime,  // WebSocket.
  kMessages,  // Anthropic.
  kCountTokens,
  kMessageBatches,
  kGenerateContent,        // Gemini, one JSON document.
  kStreamGenerateContent,  // Gemini, SSE or a JSON array.
  kConverse,               // Bedrock.
  kConverseStream,         // Bedrock, AWS event stream.
  kInvokeModel,            // Bedrock, the body of the model's own provider.
  kInvokeModelStream,
};
// "chat", "responses", "messages", ...: the name in records.
std::string_view to_string(Dialect dialect);

// Whose error shape and conventions apply.
enum class Family : std::uint8_t { kOpenAi, kAnthropic, kGemini, kBedrock };
Family family_of(Dialect dialect);
// Of a whole exchange: kOther speaks as its provider does.
struct Target {
  Dialect dialect = Dialect::kOther;
  Family family = Family::kOpenAi;
  std::string provider;  // GenAI's gen_ai.provider.name: "openai", "aws.bedrock", ...
  std::string model;     // From the path or query; empty when the body names it.
  std::string region;    // Of AWS.
  bool streams = false;  // The path says that the answer is streamed.
};

// An OpenAI-compatible (or Anthropic-compatible) server by its base URL.
struct Server {
  std::string provider;    // A name for records and prices.
  std::string host;        // Canonical (base/domain.h), or an address.
  std::uint16_t port = 0;  // 0: any.
  std::string path;        // Of the base URL, without a trailing slash: "/api/v1".
};
// "https://host[:port]/path" -> Server without provider; nothing when it is malformed.
std::optional<Server> parse_base_url(std::string_view url);

struct RequestPlace {
  std::string_view host;  // Canonical.
  std::uint16_t port = 443;
  std::string_view method;
  std::string_view path;  // As on the wire, with query.
};

// Nothing when the request is not for an LLM API. `servers` are asked first.
std::optional<Target> recognise(const RequestPlace& request, std::span<const Server> servers);

// Whether any request to this host, canonical, may be for an LLM API.
bool is_api_host(std::string_view host, std::span<const Server> servers);

}  // namespace agentsh::llm
