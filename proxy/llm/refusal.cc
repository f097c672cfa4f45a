#include "proxy/llm/refusal.h"

#include "base/json_writer.h"

namespace agentsh::llm {
namespace {

std::string_view openai_type(int status) {
  if (status == 429) return "rate_limit_error";
  if (status == 401 || status == 403) return "permission_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string_view anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string_view gemini_status(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    default:
      return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

std::string_view bedrock_type(int status) {
  if (status == 401 || status == 403) return "AccessDeniedException";
  if (status == 429) return "ThrottlingException";
  if (status == 503) return "ServiceUnavailableException";
  return status >= 500 ? "InternalServerException" : "ValidationException";
}

std::string body_of(const Refusal& refusal, Family family) {
  JsonWriter json;
  json.begin_object();
  switch (family) {
    case Family::kOpenAi:
      json.key("error").begin_object().field("message", refusal.message);
      json.field("type", openai_type(refusal.status)).key("param").null();
      json.field("code", refusal.code).end_object();
      break;
    case Family::kAnthropic:
      json.field("type", "error").key("error").begin_object();
      json.field("type", anthropic_type(refusal.status)).field("message", refusal.message);
      json.end_object();
      break;
    case Family::kGemini:
      json.key("error").begin_object().field("code", refusal.status);
      json.field("message", refusal.message).field("status", gemini_status(refusal.status));
      json.end_object();
      break;
    case Family::kBedrock:
      json.field("message", refusal.message);
  }
  json.end_object();
  return json.take();
}

}  // namespace

RefusalBody render(const Refusal& refusal, Family family) {
  RefusalBody out{.content_type = "application/json", .body = body_of(refusal, family)};
  if (family == Family::kBedrock) out.error_type = bedrock_type(refusal.status);
  return out;
}

}  // namespace agentsh::llm
