// Keys of what understands LLM APIs. What is looked for in their texts is in dlp.*.
#include "appliance/config/schema.h"
#include "base/domain.h"
#include "base/ip.h"

namespace agentsh::config {
namespace {

using policy::Word;

constexpr Word<LlmMode> kLlmModes[] = {{"embedded", LlmMode::kEmbedded},
                                       {"disabled", LlmMode::kDisabled},
                                       {"mcp-only", LlmMode::kMcpOnly}};

// "https://host[:port][/path]"; what it means is read by proxy/llm.
std::string check_base_url(std::string_view url) {
  constexpr const char* kMust =
      "the base URL of an API such as https://models.example.com/v1, without credentials or query";
  const bool secure = url.starts_with("https://");
  if (!secure && !url.starts_with("http://")) return kMust;
  url.remove_prefix(secure ? 8 : 7);
  std::string_view host = url.substr(0, url.find('/'));
  if (url.find_first_of("@?# ") != std::string_view::npos) return kMust;
  if (!host.starts_with('[')) host = host.substr(0, host.rfind(':'));
  const bool literal = host.starts_with('[') && host.find(']') != std::string_view::npos;
  return literal || canonical_host(host) || IpAddress::parse(host) ? "" : kMust;
}

std::string check_secret(std::string_view text) {
  const bool good = text.empty() || (text.starts_with("env:") && text.size() > 4) ||
                    text.starts_with("file:/") || text.starts_with("exec:/");
  return good ? ""
              : "where the secret is: env:NAME, file:/path or exec:/program; the secret itself "
                "does not belong into this file";
}

void add_bedrock_keys(Schema& schema, AwsKeySection& keys) {
  const std::string key = "proxy.bedrock.";
  const char* const type = "env:NAME, file:/path or exec:/program";
  schema.add(
      key + "access_key_id", text_field(keys.access_key_id, type, check_secret),
      "Keys that requests to Amazon Bedrock are signed with (SigV4) instead of the ones that "
      "the session has, which may then be any. Without them a request that the session "
      "signed cannot be changed: what would be redacted in it is refused.");
  schema.add(key + "secret_access_key", text_field(keys.secret_access_key, type, check_secret),
             "The secret half of the key.");
  schema.add(key + "session_token", text_field(keys.session_token, type, check_secret),
             "The token that goes with temporary keys.");
}

}  // namespace

void add_llm_keys(Schema& schema, ServerConfig& config) {
  LlmSection& llm = config.llm;
  schema
      .add("proxy.mode", word_field(llm.mode, kLlmModes),
           "Whether requests to LLM APIs are understood: their texts looked through (dlp.*), "
           "their tokens and cost counted. mcp-only looks at MCP and at nothing else.")
      .environment("AGENTSH_PROXY_MODE");
  schema.add("proxy.providers",
             text_map_field(llm.providers, "names of providers to base URLs", check_base_url),
             "Servers that speak OpenAI's or Anthropic's API beside the well-known ones. The name "
             "is what records and the price table call the provider.");
  schema.add("proxy.prices_file", path_field(llm.prices_file),
             "A price table (YAML) whose entries go before the shipped ones.");
  schema.add("proxy.max_request_size",
             size_field(llm.max_request_size, 4096, std::uint64_t{4} << 30),
             "The largest request to an LLM API; a larger one is refused unread.");
  add_bedrock_keys(schema, llm.bedrock);
}

}  // namespace agentsh::config
