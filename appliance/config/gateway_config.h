// The standing gateway's part of the configuration, and the limits on LLM use. Plain values; what
// they mean is proxy/gateway's business.
#pragma once

#include "base/ip.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace agentsh::config {

struct GatewayListener {
  Endpoint address;
  std::string cert_file;  // Empty: plain HTTP.
  std::string key_file;
  bool metrics = false;  // GET /metrics is answered here too, without a key.
};

enum class KeyField { kAutomatic, kBearer, kXApiKey, kXGoogApiKey, kApiKey, kNone };

struct GatewayUpstream {
  std::string name;
  std::string provider;  // Empty: told from the host.
  std::string base_url;
  std::string api_key;  // "env:NAME", "file:/path", "exec:/program"; empty: none.
  KeyField key_field = KeyField::kAutomatic;
  std::map<std::string, std::string> headers;
};

struct GatewayChoice {
  std::string upstream;
  int weight = 0;
};

struct GatewayRoute {
  std::vector<std::string> models;
  std::string path;
  std::vector<GatewayChoice> upstreams;
};

struct GatewaySection {
  std::vector<GatewayListener> listeners;  // Empty: there is no gateway.
  std::vector<GatewayUpstream> upstreams;
  std::vector<GatewayRoute> routes;
  int threads = 0;  // 0: one per processor.
  std::uint64_t max_request_size = 64u << 20;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds response_timeout = std::chrono::minutes(15);
};

enum class LimitScope { kAll, kSession, kModel };

struct LlmLimit {
  LimitScope scope = LimitScope::kAll;
  std::string models;                // With kModel: a glob.
  std::vector<std::string> budgets;  // "10/day": proxy/gateway/limits.h.
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t concurrent = 0;
};

struct LlmRateLimits {  // Of each session; the reference's.
  bool enabled = false;
  int requests_per_minute = 0;
  int tokens_per_minute = 0;
};

enum class LlmLogEviction { kOldestFirst, kLargestFirst };

struct LlmStorageSection {
  int max_age_days = 30;
  int max_size_mb = 500;
  LlmLogEviction eviction = LlmLogEviction::kOldestFirst;
};

}  // namespace agentsh::config
