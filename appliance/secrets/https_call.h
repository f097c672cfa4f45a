// One HTTP request and its response, for talking with a secret store: blocking, on a thread of its
// own, with one deadline over everything. TLS 1.2 and later, the certificate always checked.
//
// Threads: any.
#pragma once

#include "base/result.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::secrets {

struct HttpsRequest {
  std::string url;      // https://host[:port]/path; http:// only towards loopback.
  std::string ca_file;  // PEM; empty: the system's authorities.
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::chrono::milliseconds timeout{10'000};
};

struct HttpsResponse {
  int status = 0;
  std::string body;
};

// Errors: no address, no connection, a certificate that is not valid, a response that is not HTTP,
// larger than 1 MB or late. None holds what was sent.
Result<HttpsResponse> call(const HttpsRequest& request);

}  // namespace agentsh::secrets
