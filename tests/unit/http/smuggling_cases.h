// Requests that proxies and servers have read differently: each is refused for the stated reason,
// or forwarded so that every server reads it as we did (differential_test.cc).
#pragma once

#include "proxy/codec/http/refusal.h"

#include <string>
#include <vector>

namespace agentsh::http {

struct SmugglingCase {
  std::string name;
  std::string payload;
  Refusal refusal = Refusal::kNone;
  std::size_t requests = 0;  // Complete ones, those before a refused one included.
};

// By what they attack.
std::vector<SmugglingCase> encoding_cases();
std::vector<SmugglingCase> length_cases();
std::vector<SmugglingCase> host_cases();
std::vector<SmugglingCase> request_line_cases();
std::vector<SmugglingCase> field_cases();
std::vector<SmugglingCase> connection_cases();
std::vector<SmugglingCase> chunk_cases();
std::vector<SmugglingCase> trailer_cases();
std::vector<SmugglingCase> pipeline_cases();

std::vector<SmugglingCase> all_smuggling_cases();

}  // namespace agentsh::http
