// Keys of the standing LLM gateway, and of limits and storage that sessions have too.
#include "appliance/config/gateway_fields.h"
#include "appliance/config/schema.h"

namespace agentsh::config {
namespace {

using policy::Word;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr Word<LlmLogEviction> kEvictions[] = {{"oldest_first", LlmLogEviction::kOldestFirst},
                                               {"largest_first", LlmLogEviction::kLargestFirst}};

void add_limit_keys(Schema& schema, ServerConfig& config) {
  LlmRateLimits& rates = config.llm_rates;
  schema.add("proxy.rate_limits.enabled", flag_field(rates.enabled),
             "Whether each session's requests to LLM APIs are limited by the two keys below.");
  schema.add("proxy.rate_limits.requests_per_minute",
             integer_field(rates.requests_per_minute, 0, 1'000'000'000),
             "Requests to LLM APIs that a session may make per minute; 0: no limit.");
  schema.add("proxy.rate_limits.tokens_per_minute",
             integer_field(rates.tokens_per_minute, 0, 1'000'000'000),
             "Tokens that a session may use per minute, as providers count them; 0: no limit.");
  schema.add("proxy.limits", llm_limits_field(config.llm_limits),
             "Budgets and rates: `per` session, for all requests together, or for the models that "
             "a glob names. A budget is money or tokens in a period: 10/day, 0.50/hour, "
             "2000000 tokens/month, 100/total.");
  LlmStorageSection& storage = config.llm_storage;
  schema.add("llm_storage.retention.max_age_days", integer_field(storage.max_age_days, 0, 36'500),
             "Records of LLM requests (llm-requests.jsonl) are deleted after so many days; 0: "
             "never.");
  schema.add("llm_storage.retention.max_size_mb",
             integer_field(storage.max_size_mb, 0, 100'000'000),
             "How large all sessions' records of LLM requests may be together; 0: no limit.");
  schema.add("llm_storage.retention.eviction", word_field(storage.eviction, kEvictions),
             "Which records go first when they are larger than that.");
}

}  // namespace

void add_gateway_keys(Schema& schema, ServerConfig& config) {
  add_limit_keys(schema, config);
  GatewaySection& gateway = config.gateway;
  schema.add("gateway.listeners", gateway_listeners_field(gateway.listeners),
             "Where the LLM gateway listens; without any there is none. Its clients present keys "
             "of `agentsh gateway keys create`.");
  schema.add("gateway.upstreams", gateway_upstreams_field(gateway.upstreams),
             "Providers' servers. `provider` is the name in records and the price table; api_key "
             "says where the provider's key is (env:NAME, file:/path, exec:/program), key_field in "
             "which field of the request it goes.");
  schema.add("gateway.routes", gateway_routes_field(gateway.routes),
             "Which models and paths go to which upstreams; the first route that fits counts. "
             "Upstreams with a weight share the load, the others are tried in their order.");
  schema.add("gateway.threads", integer_field(gateway.threads, 0, 256),
             "Threads that serve the gateway's clients; 0: one per processor.");
  schema.add("gateway.max_request_size",
             size_field(gateway.max_request_size, 4096, std::uint64_t{1} << 30),
             "The largest request of a client.");
  schema.add("gateway.timeouts.connect",
             duration_field(gateway.connect_timeout, milliseconds(100), minutes(10)),
             "Connecting to an upstream.");
  schema.add("gateway.timeouts.response",
             duration_field(gateway.response_timeout, milliseconds(100), hours(24)),
             "From a request to the beginning of its answer.");
}

}  // namespace agentsh::config
