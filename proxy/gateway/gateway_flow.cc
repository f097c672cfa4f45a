#include "proxy/gateway/gateway_flow.h"

#include "base/random.h"
#include "proxy/flows/http_exchange.h"
#include "proxy/flows/http_requests.h"
#include "proxy/flows/upstream.h"
#include "proxy/gateway/client_request.h"
#include "proxy/gateway/model_glob.h"
#include "proxy/llm/inspector.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace agentsh::gateway {
namespace asio = boost::asio;

namespace {

using flows::ExchangeResult;
using flows::HeadAction;
using flows::InspectorRefusal;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::string_view kRule = "gateway";
constexpr std::size_t kShownName = 80;

// Has no capacity now, and did not do what it was asked.
bool says_overloaded(int status) {
  return status == 429 || status == 503 || status == 529;
}

std::optional<std::chrono::seconds> retry_after(const http::ResponseHead& head) {
  const std::string_view text = head.value_of("retry-after");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return std::chrono::seconds(seconds);
}

std::string shown(std::string_view name) {
  std::string out(name.substr(0, kShownName));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::uint32_t draw() {
  std::array<std::uint8_t, 4> bytes;
  fill_random(bytes);
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

class GatewayFlow {
 public:
  GatewayFlow(std::shared_ptr<const GatewayContext> context,
              std::unique_ptr<net::ByteStream> client, Endpoint peer)
      : context_(std::move(context)), requests_(prepare(std::move(client), peer)) {}

  asio::awaitable<void> run();

 private:
  // What becomes of one try.
  enum class Try : std::uint8_t { kAnswered, kNext, kFailed };

  flows::Connection& prepare(std::unique_ptr<net::ByteStream> client, Endpoint peer);
  asio::awaitable<bool> serve();
  asio::awaitable<std::optional<llm::Refusal>> take_content();
  std::optional<llm::Refusal> check_key();
  std::optional<llm::Refusal> check_use() const;
  asio::awaitable<bool> forward();
  asio::awaitable<Try> attempt(std::size_t index, bool last);
  std::optional<InspectorRefusal> inspect_request(flows::HttpInspector& inspector);
  asio::awaitable<std::optional<flows::Route>> resolve(const Upstream& upstream);
  HeadAction address(HeadAction action, const Upstream& upstream, const std::string& path,
                     const std::string& key) const;
  void note_health(std::size_t index, const ExchangeResult& result);
  asio::awaitable<bool> refuse(llm::Refusal refusal);
  asio::awaitable<bool> answer(const InspectorRefusal& refusal);
  asio::awaitable<bool> answer_metrics();
  void park(std::unique_ptr<flows::Upstream> upstream) const;

  const http::RequestHead& head() const { return reader_.head(); }
  const flows::FlowOptions& options() const { return c_.options(); }

  const std::shared_ptr<const GatewayContext> context_;
  flows::Connection c_;
  flows::RequestSource requests_;
  http::ResponseReader response_;
  flows::ExchangeScratch scratch_;

  // Of the request being served. The head is a copy: content is read behind it.
  std::string head_text_;
  http::RequestReader reader_;
  flows::RequestFacts facts_;
  llm::Target target_;
  std::shared_ptr<const KeySet> keys_;
  const VirtualKey* key_ = nullptr;
  std::string content_;  // As it came.
  std::string sent_;     // As it is sent on.
  std::string model_;
  bool content_read_ = false;
  ExchangeResult result_;
};

flows::Connection& GatewayFlow::prepare(std::unique_ptr<net::ByteStream> client, Endpoint peer) {
  c_.context = context_->flow;
  c_.client = std::move(client);
  c_.destination = peer;
  return c_;
}

asio::awaitable<void> GatewayFlow::run() {
  for (bool more = true; more;) {
    const flows::RequestSource::Outcome outcome = co_await requests_.next();
    if (outcome == flows::RequestSource::Outcome::kEnded) break;
    ++c_.requests;
    if (outcome == flows::RequestSource::Outcome::kRefused) {
      const flows::Trouble& trouble = requests_.trouble();
      co_await requests_.answer(trouble.page());
      break;
    }
    more = co_await serve();
  }
  co_await requests_.close(!content_read_ && c_.requests > 0);
}

// One request; true: the connection may carry another.
asio::awaitable<bool> GatewayFlow::serve() {
  head_text_ = as_text(c_.start.data().first(requests_.head_size()));
  reader_ = {};
  static_cast<void>(reader_.read_head(as_bytes(head_text_)));
  c_.start.consume(requests_.head_size());
  facts_.assign(head());
  content_.clear();
  content_read_ = requests_.reader().body().done();
  target_ = classify(head().method(), head().path());
  keys_ = context_->keys->current();
  key_ = nullptr;
  model_ = target_.model;
  if (context_->metrics && facts_.method == "GET" && facts_.path == kMetricsPath) {
    co_return co_await answer_metrics();
  }
  if (head().form() != http::TargetForm::kOrigin) {
    co_return co_await refuse({.status = 400,
                               .code = "not_an_api_request",
                               .message = "This is an API gateway and no proxy."});
  }
  if (auto refusal = check_key()) co_return co_await refuse(std::move(*refusal));
  if (auto refusal = co_await take_content()) co_return co_await refuse(std::move(*refusal));
  if (!content_read_) co_return false;  // The client has gone.
  if (model_.empty()) model_ = model_of(target_.dialect, content_);
  if (auto refusal = check_use()) co_return co_await refuse(std::move(*refusal));
  co_return co_await forward();
}

std::optional<llm::Refusal> GatewayFlow::check_key() {
  const std::string presented = presented_key(head());
  const VirtualKey* key = keys_->find(presented);
  const auto refuse_with = [](std::string_view message) {
    return llm::Refusal{.status = 401, .code = "invalid_api_key", .message = std::string(message)};
  };
  if (presented.empty()) {
    return refuse_with(
        "The request has no key of this gateway. Set it where the provider's key would be.");
  }
  if (key == nullptr) return refuse_with("The gateway does not know this key.");
  switch (key->state(std::chrono::system_clock::now())) {
    case KeyState::kActive:
      break;
    case KeyState::kExpired:
      return refuse_with("This key of the gateway has expired.");
    case KeyState::kRevoked:
      return refuse_with("This key of the gateway was revoked.");
  }
  key_ = key;
  return {};
}

// Reads what there is of content. Nothing to refuse and content_read_ false: the client has gone.
asio::awaitable<std::optional<llm::Refusal>> GatewayFlow::take_content() {
  const llm::Refusal too_large{
      .status = 413,
      .code = "request_too_large",
      .message = fmt::format("The request is larger than {} bytes.", context_->max_request_bytes)};
  const http::Framing& framing = head().framing();
  if (framing.kind == http::BodyKind::kLength && framing.length > context_->max_request_bytes) {
    co_return too_large;
  }
  if (!content_read_ && head().expects_continue() && facts_.minor_version == 1) {
    const Result<> told =
        co_await flows::write_all(*c_.client, as_bytes(kContinue), {}, c_.bytes_received);
    if (!told) co_return std::nullopt;
  }
  http::BodyReader& body = requests_.reader().body();
  while (!content_read_) {
    const http::BodyStep step = body.next(c_.start.data());
    if (step.refusal != http::Refusal::kNone) {
      co_return llm::Refusal{.status = 400,
                             .code = std::string(http::describe(step.refusal).code),
                             .message = std::string(http::describe(step.refusal).sentence)};
    }
    content_ += as_text(step.data);
    c_.start.consume(step.consumed);
    content_read_ = body.done();
    if (content_.size() > context_->max_request_bytes) co_return too_large;
    if (content_read_ || !step.stalled()) continue;
    requests_.deadline().expires_after(options().write_stall);
    const net::IoResult got =
        co_await flows::read_more(*c_.client, c_.start, flows::ReadFirst::kTry);
    if (got.status != net::IoStatus::kOk) co_return std::nullopt;
    c_.bytes_sent += got.bytes;
  }
  requests_.deadline().clear();
  co_return std::nullopt;
}

// May the key use this?
std::optional<llm::Refusal> GatewayFlow::check_use() const {
  if (!key_->models.empty() && !(model_.empty() && facts_.method == "GET") &&
      !allows_model(key_->models, model_)) {
    return llm::Refusal{
        .status = 403,
        .code = "model_not_allowed",
        .message = model_.empty()
                       ? "This key may use certain models only, and the request names none."
                       : fmt::format("This key may not use the model \"{}\".", shown(model_))};
  }
  if (!key_->limits.budgets.empty() && !is_counted(target_.dialect, facts_.method)) {
    return llm::Refusal{.status = 403,
                        .code = "not_countable",
                        .message =
                            "This key has a budget, and what this API uses cannot be counted "
                            "against it."};
  }
  return {};
}

asio::awaitable<bool> GatewayFlow::forward() {
  const Route* route = context_->routes->find(head().path(), model_);
  if (route == nullptr) {
    co_return co_await refuse(
        {.status = 404,
         .code = "no_route",
         .message =
             fmt::format("No route of this gateway leads to the model \"{}\" at {}.", shown(model_),
                         shown(facts_.path.substr(0, facts_.path.find('?'))))});
  }
  const std::vector<std::size_t> order =
      order_of(*route, *context_->health, std::chrono::steady_clock::now(),
               route->choices.size() > 1 ? draw() : 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Try outcome = co_await attempt(order[i], i + 1 == order.size());
    if (outcome == Try::kAnswered) co_return result_.keep_client;
    if (outcome == Try::kFailed) break;
  }
  const bool late = result_.failure == "upstream_timeout";
  co_return co_await refuse({.status = late ? 504 : 502,
                             .code = result_.failure.empty() ? "upstream_failed" : result_.failure,
                             .message = result_.detail});
}

// The request as the inspector wants it sent.
std::optional<InspectorRefusal> GatewayFlow::inspect_request(flows::HttpInspector& inspector) {
  sent_.clear();
  if (head().framing().kind == http::BodyKind::kNone) return {};
  return inspector.on_request_body(as_bytes(content_), true, sent_);
}

HeadAction GatewayFlow::address(HeadAction action, const Upstream& upstream,
                                const std::string& path, const std::string& key) const {
  if (action.edits.target.empty()) action.edits.target = path;
  for (const std::string& name : key_fields()) {
    if (name != upstream.key_field) action.edits.remove.push_back(name);
  }
  action.edits.remove.emplace_back("expect");
  action.edits.set.emplace_back("Host", upstream.authority());
  if (!upstream.key_field.empty()) {
    action.edits.set.emplace_back(upstream.key_field, upstream.key_prefix + key);
  }
  for (const auto& field : upstream.fields) action.edits.set.push_back(field);
  return action;
}

asio::awaitable<std::optional<flows::Route>> GatewayFlow::resolve(const Upstream& upstream) {
  std::vector<IpAddress> addresses;
  if (const auto literal = IpAddress::parse(upstream.host)) {
    addresses.push_back(*literal);
  } else if (auto found = co_await context_->flow->resolver->look_up(upstream.host)) {
    addresses = std::move(*found);
  }
  if (addresses.empty()) {
    result_.failure = "upstream_unresolved";
    result_.detail = fmt::format("{} has no address that could be found.", upstream.host);
    co_return std::nullopt;
  }
  flows::Route route(policy::Verdict::allow(std::string(kRule)));
  route.name = upstream.host;
  for (const IpAddress& address : addresses) {
    route.targets.push_back(
        {.endpoint = {address, upstream.port}, .unix_path = {}, .name = upstream.host});
  }
  co_return route;
}

void GatewayFlow::park(std::unique_ptr<flows::Upstream> upstream) const {
  if (upstream == nullptr || upstream->is_private()) return;
  flows::UpstreamPool::of(c_.client->executor())
      .give(std::move(upstream), {.per_key = options().pool_per_target,
                                  .total = options().pool_total,
                                  .idle = options().upstream_idle});
}

void GatewayFlow::note_health(std::size_t index, const ExchangeResult& result) {
  const auto now = std::chrono::steady_clock::now();
  if (result.failure == "client_gone") return;
  if (result.unanswered || says_overloaded(result.status)) {
    context_->health->failed(index, now);
  } else {
    context_->health->succeeded(index);
  }
}

asio::awaitable<GatewayFlow::Try> GatewayFlow::attempt(std::size_t index, bool last) {
  const Upstream& upstream = (*context_->upstreams)[index];
  result_ = {};
  auto services = context_->services(*key_, upstream);
  if (services && *services == nullptr) {
    co_await context_->wait_for_services(c_.client->executor());
    services = context_->services(*key_, upstream);
  }
  auto provider_key = context_->provider_key(index);
  if (!services || *services == nullptr || !provider_key) {
    const bool looks = services && *services != nullptr;
    result_.failure = looks ? "provider_key_unavailable" : "dlp_unavailable";
    result_.detail =
        looks ? fmt::format(
                    "The key for the upstream {} is not available; the gateway's log "
                    "says why.",
                    upstream.name)
              : "The gateway cannot look for what must not leave, so it lets nothing through.";
    co_return looks ? Try::kNext : Try::kFailed;
  }
  const std::string path = join_path(upstream.path, without_key(head().path()));
  const auto inspector = llm::make_inspector_factory(std::move(*services))
                             ->inspect(c_.actor, {.method = facts_.method,
                                                  .scheme = upstream.tls ? "https" : "http",
                                                  .host = upstream.host,
                                                  .port = upstream.port,
                                                  .path = path});
  HeadAction action;
  if (inspector != nullptr) action = inspector->on_request_head(head());
  std::optional<InspectorRefusal> refusal = std::move(action.refusal);
  if (!refusal && action.body != flows::BodyUse::kPass) {
    refusal = inspect_request(*inspector);
  }
  if (refusal) {
    result_.keep_client = co_await answer(*refusal);
    co_return Try::kAnswered;
  }
  // One that only looks on changes nothing.
  if (action.body != flows::BodyUse::kRewrite) sent_ = content_;
  std::optional<flows::Route> route = co_await resolve(upstream);
  if (!route) {
    context_->health->failed(index, std::chrono::steady_clock::now());
    co_return Try::kNext;
  }
  action = address(std::move(action), upstream, path, *provider_key);
  facts_.host = upstream.host;
  facts_.authority = upstream.authority();
  c_.destination = route->targets.front().endpoint;
  const std::function<bool(const http::ResponseHead&)> declines =
      [this, index, last](const http::ResponseHead& response) {
        if (last || !says_overloaded(response.status())) return false;
        if (const auto rest = retry_after(response)) {
          context_->health->resting(index, *rest, std::chrono::steady_clock::now());
        }
        return true;
      };
  std::unique_ptr<flows::Upstream> attached;
  flows::HttpExchange exchange({.connection = c_,
                                .reader = reader_,
                                .response = response_,
                                .client_deadline = requests_.deadline(),
                                .facts = facts_,
                                .scratch = scratch_,
                                .attached = attached,
                                .inspector = inspector.get(),
                                .request_action = action,
                                .collected = &sent_,
                                .declines = &declines,
                                .answers_failures = false},
                               0);
  const flows::UpstreamRequest wanted{.tls_name = upstream.tls ? upstream.host : std::string()};
  result_ = co_await exchange.run(*route, wanted);
  note_health(index, result_);
  park(std::move(attached));
  if (result_.declined) co_return Try::kNext;
  if (!result_.unanswered) co_return Try::kAnswered;
  co_return result_.sent ? Try::kFailed : Try::kNext;
}

asio::awaitable<bool> GatewayFlow::refuse(llm::Refusal refusal) {
  audit::Event event("gateway_refused");
  event.source = "gateway";
  event.operation = facts_.method;
  event.path = facts_.path.substr(0, facts_.path.find('?'));
  event.field("status", std::int64_t{refusal.status}).field("code", refusal.code);
  if (key_ != nullptr) event.field("llm.key_id", key_->id);
  if (!model_.empty()) event.field("gen_ai.request.model", shown(model_));
  context_->record(std::move(event));
  llm::RefusalBody body = llm::render(refusal, target_.family);
  InspectorRefusal out{.status = refusal.status,
                       .code = refusal.code,
                       .rule = {},
                       .message = refusal.message,
                       .advice = {},
                       .body = std::move(body.body),
                       .content_type = std::move(body.content_type)};
  if (!body.error_type.empty()) out.fields.emplace_back("x-amzn-ErrorType", body.error_type);
  co_return co_await answer(out);
}

// Answers whether the connection may carry another request.
asio::awaitable<bool> GatewayFlow::answer(const InspectorRefusal& refusal) {
  const flows::Trouble trouble = flows::describe_inspector_refusal(refusal);
  http::ErrorPage page = trouble.page();
  page.head_request = facts_.head;
  page.close = !content_read_ || !facts_.keep_alive;
  co_await requests_.answer(page);
  co_return !page.close;
}

asio::awaitable<bool> GatewayFlow::answer_metrics() {
  const std::string text = context_->metrics();
  const http::ErrorPage page{.status = 200,
                             .body = text,
                             .content_type = "text/plain; version=0.0.4; charset=utf-8",
                             .close = !content_read_ || !facts_.keep_alive};
  co_await requests_.answer(page);
  co_return !page.close;
}

}  // namespace

std::string Upstream::authority() const {
  const std::string shown_host = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? 443 : 80) ? shown_host : fmt::format("{}:{}", shown_host, port);
}

asio::awaitable<void> run_gateway(std::shared_ptr<const GatewayContext> context,
                                  std::unique_ptr<net::ByteStream> client, Endpoint peer) {
  GatewayFlow flow(std::move(context), std::move(client), peer);
  co_await flow.run();
}

}  // namespace agentsh::gateway
