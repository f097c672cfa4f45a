// The path that rules of http_services are about: what the server will make of it, and nothing that
// two parties could read in two ways.
//
// Refused: what is not percent-encoded well, encoded slashes and backslashes, backslashes, control
// characters, `//`, segments `.` and `..` (encoded or with path parameters behind them), a percent
// sign that is encoded to hide one of these, text that is not UTF-8, fragments.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::services {

// `target` as on the wire, in origin form. The path decoded, without query and without one slash at
// its end. Errors say what is wrong with it.
Result<std::string> judged_path(std::string_view target);

}  // namespace agentsh::services
