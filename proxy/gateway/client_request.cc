#include "proxy/gateway/client_request.h"

#include "proxy/codec/http/text.h"
#include "proxy/llm/dialect_fields.h"

#include <array>

namespace agentsh::gateway {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kKeyParameter = "key=";

// Hosts by whose rules a path is read. The gateway itself has a name that no provider can have.
std::string_view read_as(std::string_view path) {
  if (path.starts_with("/openai/")) return "gateway.openai.azure.com";
  if (path.starts_with("/model/")) return "bedrock-runtime.gateway.amazonaws.com";
  return "gateway.invalid";
}

// Calls use(parameter) for each "name=value" of the query.
template <class Use>
void each_parameter(std::string_view path, Use use) {
  const std::size_t mark = path.find('?');
  if (mark == std::string_view::npos) return;
  std::string_view query = path.substr(mark + 1);
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    use(parameter);
  }
}

}  // namespace

llm::Target classify(std::string_view method, std::string_view path) {
  const std::array<llm::Server, 1> own = {{{.host = "gateway.invalid"}}};
  auto target = llm::recognise({.host = read_as(path), .method = method, .path = path}, own);
  if (!target) return {};
  target->provider.clear();
  return std::move(*target);
}

const std::vector<std::string>& key_fields() {
  static const std::vector<std::string> kFields = {"authorization", "x-api-key", "x-goog-api-key",
                                                   "api-key", "proxy-authorization"};
  return kFields;
}

std::string presented_key(const http::RequestHead& head) {
  const std::string_view authorization = head.value_of("authorization");
  if (http::starts_ignoring_case(authorization, "bearer ")) {
    return std::string(authorization.substr(kBearer.size()));
  }
  for (const char* name : {"x-api-key", "x-goog-api-key", "api-key"}) {
    if (const std::string_view value = head.value_of(name); !value.empty()) {
      return std::string(value);
    }
  }
  std::string key;
  each_parameter(head.path(), [&key](std::string_view parameter) {
    if (key.empty() && parameter.starts_with(kKeyParameter)) {
      key = parameter.substr(kKeyParameter.size());
    }
  });
  return key;
}

std::string without_key(std::string_view path) {
  std::string out(path.substr(0, path.find('?')));
  char separator = '?';
  each_parameter(path, [&](std::string_view parameter) {
    if (parameter.starts_with(kKeyParameter)) return;
    out += separator;
    out += parameter;
    separator = '&';
  });
  return out;
}

std::string model_of(llm::Dialect dialect, std::string_view body) {
  llm::FieldReader reader(llm::fields_of(dialect).request);
  llm::FieldReader::Token token;
  std::string model;
  reader.feed(body);
  while (reader.next(token) == llm::JsonStep::kToken) {
    if (token.place.field != llm::Field::kModel || token.kind != llm::JsonKind::kString) continue;
    if (!llm::json_unescape(token.text, model)) model.clear();
    break;
  }
  return model;
}

bool is_counted(llm::Dialect dialect, std::string_view method) {
  if (method == "GET" || method == "HEAD") return dialect != llm::Dialect::kRealtime;
  return dialect != llm::Dialect::kOther && dialect != llm::Dialect::kRealtime &&
         dialect != llm::Dialect::kMessageBatches;
}

}  // namespace agentsh::gateway
