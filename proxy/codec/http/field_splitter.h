// Splits a head into its start line and fields with Boost.Beast's parser (the only file that sees
// Beast). Fields come out as offsets into the text.
#pragma once

#include "proxy/codec/http/head.h"
#include "proxy/codec/http/refusal.h"

#include <string_view>
#include <vector>

namespace agentsh::http {

struct StartLine {
  std::string_view method;  // Requests.
  std::string_view target;
  int status = 0;  // Responses.
  std::string_view reason;
  int minor_version = 1;
};

// Precondition: `text` is a head that passed HeadScanner. `fields` is cleared first.
Refusal split_request(std::string_view text, StartLine& start, std::vector<Field>& fields);
Refusal split_response(std::string_view text, StartLine& start, std::vector<Field>& fields);

}  // namespace agentsh::http
