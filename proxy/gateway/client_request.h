// What a client of the gateway asks for: the dialect, told from its path as the providers' own
// servers would read it; the key that it presents; the model. No I/O.
#pragma once

#include "proxy/codec/http/head.h"
#include "proxy/llm/dialect.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

// Without provider. kOther where the path is no API that is known.
llm::Target classify(std::string_view method, std::string_view path);

// The key, in any of the fields that providers' clients use for it: Authorization: Bearer,
// x-api-key, x-goog-api-key, api-key; or the parameter "key" of the query. Empty: none.
std::string presented_key(const http::RequestHead& head);

// Names of the fields that may hold a key: none of them is sent on.
const std::vector<std::string>& key_fields();
// The path without the query's parameter "key".
std::string without_key(std::string_view path);

// The model that a request's body names; empty when it names none or is no JSON.
std::string model_of(llm::Dialect dialect, std::string_view body);

// Whether what a request uses is told by its answer, so that it can be kept within a budget.
bool is_counted(llm::Dialect dialect, std::string_view method);

}  // namespace agentsh::gateway
