#include "proxy/llm/dialect.h"

#include "base/domain.h"
#include "base/encoding.h"
#include "base/ip.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace agentsh::llm {
namespace {

struct Url {
  std::string_view path;
  std::string_view query;
};

Url split(std::string_view target) {
  const std::size_t mark = std::min(target.find('?'), target.size());
  return {target.substr(0, mark), target.substr(std::min(mark + 1, target.size()))};
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) {
      return percent_decoded(part.substr(name.size() + 1));
    }
    query.remove_prefix(std::min(part.size() + 1, query.size()));
  }
  return {};
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The segment that `path` begins with, taken off with the slash behind it.
std::string_view take_segment(std::string_view& path) {
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(segment.size() + 1, path.size()));
  return segment;
}

void set_dialect(Target& target, Dialect dialect) {
  target.dialect = dialect;
  target.family = family_of(dialect);
}

// The APIs of OpenAI below their base path.
void read_openai(std::string_view path, const RequestPlace& request, Target& target) {
  struct Row {
    std::string_view path;
    Dialect dialect;
  };
  static constexpr std::array<Row, 6> kRows = {{{"/chat/completions", Dialect::kChat},
                                                {"/completions", Dialect::kCompletions},
                                                {"/responses", Dialect::kResponses},
                                                {"/responses/compact", Dialect::kResponses},
                                                {"/codex/responses", Dialect::kResponses},
                                                {"/embeddings", Dialect::kEmbeddings}}};
  while (path.ends_with('/')) path.remove_suffix(1);
  target.family = Family::kOpenAi;
  if (path == "/realtime" && request.method == "GET") {
    set_dialect(target, Dialect::kRealtime);
    target.model = query_value(split(request.path).query, "model");
    if (target.model.empty()) {
      target.model = query_value(split(request.path).query, "deployment");
    }
    return;
  }
  const auto* row = std::ranges::find(kRows, path, &Row::path);
  if (row != kRows.end() && request.method == "POST") set_dialect(target, row->dialect);
}

// The APIs of Anthropic: "/v1/messages" and below.
bool read_anthropic(std::string_view path, std::string_view method, Target& target) {
  if (!take_prefix(path, "/v1/messages") && !take_prefix(path, "/messages")) return false;
  target.family = Family::kAnthropic;
  if (method != "POST") return true;
  if (path.empty() || path == "/") set_dialect(target, Dialect::kMessages);
  if (path == "/count_tokens") set_dialect(target, Dialect::kCountTokens);
  if (path == "/batches") set_dialect(target, Dialect::kMessageBatches);
  return true;
}

// "models/NAME:generateContent" at the end of a path of Gemini or Vertex.
void read_gemini(std::string_view path, std::string_view method, Target& target) {
  target.family = Family::kGemini;
  const std::size_t colon = path.rfind(':');
  const std::size_t slash = path.rfind('/');
  if (colon == std::string_view::npos || slash == std::string_view::npos || colon < slash) return;
  target.model = percent_decoded(path.substr(slash + 1, colon - slash - 1));
  if (method != "POST") return;
  const std::string_view verb = path.substr(colon + 1);
  if (verb == "generateContent") set_dialect(target, Dialect::kGenerateContent);
  if (verb == "streamGenerateContent") {
    set_dialect(target, Dialect::kStreamGenerateContent);
    target.streams = true;
  }
  // Anthropic's models on Vertex.
  if (verb == "rawPredict" || verb == "streamRawPredict") {
    target.streams = verb == "streamRawPredict";
    if (path.find("/publishers/anthropic/") != std::string_view::npos) {
      set_dialect(target, Dialect::kMessages);
    }
  }
}

void read_bedrock(std::string_view path, std::string_view method, Target& target) {
  target.family = Family::kBedrock;
  if (!take_prefix(path, "/model/")) return;
  target.model = percent_decoded(take_segment(path));
  if (method != "POST") return;
  if (path == "converse") set_dialect(target, Dialect::kConverse);
  if (path == "converse-stream") set_dialect(target, Dialect::kConverseStream);
  if (path == "invoke") set_dialect(target, Dialect::kInvokeModel);
  if (path == "invoke-with-response-stream") set_dialect(target, Dialect::kInvokeModelStream);
  target.streams = path == "converse-stream" || path == "invoke-with-response-stream";
}

// "/openai/deployments/NAME/chat/completions", "/openai/v1/...", "/openai/responses".
void read_azure(std::string_view path, const RequestPlace& request, Target& target) {
  target.provider = "azure.ai.openai";
  if (take_prefix(path, "/anthropic")) {
    target.provider = "azure.ai.inference";
    read_anthropic(path, request.method, target);
    return;
  }
  if (!take_prefix(path, "/openai")) return;
  std::string deployment;
  if (take_prefix(path, "/deployments/")) {
    const std::size_t end = std::min(path.find('/'), path.size());
    deployment = percent_decoded(path.substr(0, end));
    path.remove_prefix(end);
  } else if (!take_prefix(path, "/v1")) {
    static_cast<void>(take_prefix(path, "/preview"));
  }
  read_openai(path, request, target);
  if (!deployment.empty()) target.model = deployment;
}

// "bedrock-runtime[-fips].REGION.amazonaws.com[.cn]", also behind a VPC endpoint.
bool is_bedrock(std::string_view host, std::string& region) {
  const std::size_t at = host.find("bedrock-runtime");
  if (at == std::string_view::npos || (at > 0 && host[at - 1] != '.')) return false;
  if (!host.ends_with(".amazonaws.com") && !host.ends_with(".amazonaws.com.cn") &&
      !host.ends_with(".api.aws")) {
    return false;
  }
  std::string_view rest = host.substr(at + std::string_view("bedrock-runtime").size());
  static_cast<void>(take_prefix(rest, "-fips"));
  if (!take_prefix(rest, ".")) return false;
  region = rest.substr(0, rest.find('.'));
  return true;
}

bool is_azure(std::string_view host) {
  return host.ends_with(".openai.azure.com") || host.ends_with(".services.ai.azure.com") ||
         host.ends_with(".cognitiveservices.azure.com") || host.ends_with(".openai.azure.us");
}

bool is_vertex(std::string_view host) {
  return host == "aiplatform.googleapis.com" || host.ends_with("-aiplatform.googleapis.com") ||
         (host.starts_with("aiplatform.") && host.ends_with(".rep.googleapis.com"));
}

constexpr std::string_view kGemini = "generativelanguage.googleapis.com";

// Public servers that speak OpenAI's dialect, and the path before it.
struct Known {
  std::string_view host;
  std::string_view provider;
  std::string_view path;
};
constexpr std::array<Known, 16> kKnown = {{
    {"api.openai.com", "openai", "/v1"},
    {"eu.api.openai.com", "openai", "/v1"},
    {"us.api.openai.com", "openai", "/v1"},
    {"chatgpt.com", "openai.chatgpt", "/backend-api"},
    {"api.anthropic.com", "anthropic", ""},
    {"openrouter.ai", "openrouter", "/api/v1"},
    {"api.mistral.ai", "mistral_ai", "/v1"},
    {"api.groq.com", "groq", "/openai/v1"},
    {"api.deepseek.com", "deepseek", ""},
    {"api.x.ai", "x_ai", "/v1"},
    {"api.together.xyz", "together_ai", "/v1"},
    {"api.fireworks.ai", "fireworks_ai", "/inference/v1"},
    {"api.perplexity.ai", "perplexity", ""},
    {"api.cerebras.ai", "cerebras", "/v1"},
    {"api.moonshot.ai", "moonshot_ai", "/v1"},
    {"router.huggingface.co", "hugging_face", "/v1"},
}};

// Servers take "//", "/./" and needless escapes for what they stand for, so we do too.
std::string normalised(std::string_view path) {
  std::string out;
  for (const char c : percent_decoded(path)) {
    if (c == '/' && out.ends_with("/.")) out.pop_back();
    if (c != '/' || !out.ends_with('/')) out += c;
  }
  return out;
}

// A server of either dialect: Anthropic's paths are told from OpenAI's by their name.
void read_compatible(std::string_view path, std::string_view base, const RequestPlace& request,
                     Target& target) {
  if (take_prefix(path, base) && !base.empty() && !path.empty() && path.front() != '/') return;
  if (read_anthropic(path, request.method, target)) return;
  if (path.find("/models/") != std::string_view::npos && path.find(':') != std::string_view::npos) {
    read_gemini(path, request.method, target);
    return;
  }
  static_cast<void>(take_prefix(path, "/v1"));
  read_openai(path, request, target);
}

bool is_of(const Server& server, const RequestPlace& request, std::string_view path) {
  if (server.host != request.host || (server.port != 0 && server.port != request.port)) {
    return false;
  }
  return path.starts_with(server.path) &&
         (path.size() == server.path.size() || path[server.path.size()] == '/');
}

}  // namespace

std::string_view to_string(Dialect dialect) {
  static constexpr std::array<std::string_view, 15> kNames = {"other",
                                                              "chat",
                                                              "completions",
                                                              "responses",
                                                              "embeddings",
                                                              "realtime",
                                                              "messages",
                                                              "count_tokens",
                                                              "message_batches",
                                                              "generate_content",
                                                              "stream_generate_content",
                                                              "converse",
                                                              "converse_stream",
                                                              "invoke_model",
                                                              "invoke_model_stream"};
  return kNames[static_cast<std::size_t>(dialect)];
}

Family family_of(Dialect dialect) {
  if (dialect >= Dialect::kConverse) return Family::kBedrock;
  if (dialect >= Dialect::kGenerateContent) return Family::kGemini;
  if (dialect >= Dialect::kMessages) return Family::kAnthropic;
  return Family::kOpenAi;
}

std::optional<Server> parse_base_url(std::string_view url) {
  Server server;
  const bool tls = url.starts_with("https://");
  if (!take_prefix(url, "https://") && !take_prefix(url, "http://")) return {};
  const std::string_view authority = url.substr(0, url.find('/'));
  std::string_view path = url.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.find_first_of("?#") != std::string_view::npos) return {};
  const auto host = split_host_port(authority, tls ? 443 : 80);
  if (!host) return {};
  if (IpAddress::parse(host->host)) {
    server.host = host->host;
  } else if (auto name = canonical_host(host->host)) {
    server.host = *name;
  } else {
    return {};
  }
  server.port = host->port;
  server.path = path;
  return server;
}

std::optional<Target> recognise(const RequestPlace& request, std::span<const Server> servers) {
  Target target;
  std::string_view path = split(request.path).path;
  const std::string normal = normalised(path);
  for (const Server& server : servers) {
    if (!is_of(server, request, normal)) continue;
    target.provider = server.provider;
    read_compatible(normal, server.path, request, target);
    return target;
  }
  if (is_bedrock(request.host, target.region)) {
    target.provider = "aws.bedrock";
    if (take_prefix(path, "/openai/v1")) {
      read_openai(path, request, target);
    } else {
      read_bedrock(path, request.method, target);
    }
    return target;
  }
  if (is_azure(request.host)) {
    read_azure(normal, request, target);
    return target;
  }
  const bool gemini = request.host == kGemini;
  if (gemini || is_vertex(request.host)) {
    target.provider = gemini ? "gcp.gemini" : "gcp.vertex_ai";
    const std::string_view base = gemini ? "/openai" : "/endpoints/openapi";
    const std::size_t compatible = path.find(std::string(base) + "/");
    if (compatible != std::string_view::npos) {
      read_openai(path.substr(compatible + base.size()), request, target);
    } else {
      read_gemini(path, request.method, target);
    }
    return target;
  }
  const auto* known = std::ranges::find(kKnown, request.host, &Known::host);
  if (known == kKnown.end()) return {};
  target.provider = known->provider;
  if (known->provider == "anthropic") target.family = Family::kAnthropic;
  if (known->provider == "openai.chatgpt" && !normal.starts_with(known->path)) return {};
  read_compatible(normal, known->path, request, target);
  return target;
}

bool is_api_host(std::string_view host, std::span<const Server> servers) {
  std::string region;
  return std::ranges::find(servers, host, &Server::host) != servers.end() ||
         std::ranges::find(kKnown, host, &Known::host) != kKnown.end() ||
         is_bedrock(host, region) || is_azure(host) || is_vertex(host) || host == kGemini;
}

}  // namespace agentsh::llm
