#include "proxy/llm/inspector.h"

#include "base/log.h"
#include "proxy/llm/exchange.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::llm {
namespace {

namespace asio = boost::asio;
using flows::BodyUse;
using flows::CollectedEnd;
using flows::HeadAction;
using flows::InspectorRefusal;

BodyUse use_of(Plan::Body body) {
  switch (body) {
    case Plan::Body::kPass:
      return BodyUse::kPass;
    case Plan::Body::kObserve:
      return BodyUse::kObserve;
    case Plan::Body::kRewrite:
      break;
  }
  return BodyUse::kRewrite;
}

bool has_content(const http::Framing& framing) {
  return framing.kind != http::BodyKind::kNone &&
         !(framing.kind == http::BodyKind::kLength && framing.length == 0);
}

const Refusal kUnknownSignature{
    .status = 400,
    .code = "unknown_signature",
    .message =
        "The request is signed in a way that is not known here, so it cannot be signed "
        "anew. Sign it by AWS4-HMAC-SHA256."};
const Refusal kNoKeys{.status = 503,
                      .code = "aws_keys_unavailable",
                      .message =
                          "The keys that requests to Bedrock are signed with cannot be had "
                          "now, so nothing was sent."};

// Resumed on the connection's thread, whichever the answer came on.
asio::awaitable<Result<AwsCredentials>> fetch(AwsKeys& source, asio::any_io_executor executor) {
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable),
                                          void(Result<AwsCredentials>)>(
      [&source, executor](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        source.get([shared, executor](Result<AwsCredentials> keys) {
          asio::post(executor, [shared, keys = std::move(keys)]() mutable {
            std::move (*shared)(std::move(keys));
          });
        });
      },
      asio::use_awaitable);
}

InspectorRefusal refusal_for_client(const Refusal& refusal, Family family) {
  RefusalBody body = render(refusal, family);
  InspectorRefusal out;
  out.status = refusal.status;
  out.code = refusal.code;
  out.message = refusal.message;
  out.content_type = std::move(body.content_type);
  out.body = std::move(body.body);
  if (!body.error_type.empty()) out.fields.emplace_back("x-amzn-ErrorType", body.error_type);
  if (refusal.retry_after) {
    out.fields.emplace_back("Retry-After", std::to_string(refusal.retry_after->count()));
  }
  return out;
}

class RealtimeInspector final : public flows::SwitchedInspector {
 public:
  RealtimeInspector(std::unique_ptr<RealtimeSession> session, Family family)
      : session_(std::move(session)), family_(family) {}

  std::optional<InspectorRefusal> on_bytes(Side from, Bytes bytes, std::string& onward,
                                           std::string& back) override {
    const auto refusal = from == Side::kClient
                             ? session_->from_client(as_text(bytes), onward, back)
                             : session_->from_server(as_text(bytes), onward, back);
    if (!refusal) return {};
    return refusal_for_client(*refusal, family_);
  }

 private:
  std::unique_ptr<RealtimeSession> session_;
  Family family_;
};

class LlmInspector final : public flows::HttpInspector {
 public:
  LlmInspector(Target target, std::shared_ptr<const LlmServices> services,
               const policy::Actor& actor, const policy::HttpFacts& facts)
      : target_(std::move(target)),
        services_(std::move(services)),
        command_id_(actor.command_id),
        host_(facts.host),
        path_(facts.path) {}

  HeadAction on_request_head(const http::RequestHead& head) override {
    std::vector<HeadField> fields;
    for (const http::Field& field : head.fields()) {
      fields.push_back({head.name(field), head.value(field)});
    }
    exchange_.emplace(std::move(target_), services_,
                      RequestHeadInfo{.host = host_,
                                      .method = head.method(),
                                      .path = path_,
                                      .content_type = head.value_of("content-type"),
                                      .content_encoding = head.value_of("content-encoding"),
                                      .authorization = head.value_of("authorization"),
                                      .command_id = command_id_,
                                      .upgrade = !head.value_of("upgrade").empty(),
                                      .has_content = has_content(head.framing()),
                                      .fields = fields});
    HeadAction action = act(exchange_->begin());
    if (!exchange_->resigns() || action.refusal) return action;
    action.collect_at_most = services_->max_request_bytes;
    // As they go on.
    Resigner::Fields sent;
    for (const HeadField& field : fields) sent.emplace_back(field.name, field.value);
    for (const auto& [index, value] : action.edits.values) sent[index].second = value;
    const std::string& target = action.edits.target;
    resigner_ = Resigner::of(head.method(), target.empty() ? path_ : target, sent);
    if (!resigner_) action.refusal = translate(kUnknownSignature);
    return action;
  }

  asio::awaitable<CollectedEnd> on_request_collected(std::string_view content,
                                                     asio::any_io_executor executor) override {
    CollectedEnd end;
    const Result<AwsCredentials> keys = co_await fetch(*services_->aws, executor);
    if (!keys) {
      log_error("llm", "keys for AWS: {}", keys.error().what);
      end.refusal = translate(exchange_->refuse(kNoKeys));
      co_return end;
    }
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    end.edits.set = resigner_->sign(content, *keys, now);
    end.edits.remove = {"Expect"};
    if (keys->session_token.empty()) end.edits.remove.emplace_back("X-Amz-Security-Token");
    co_return end;
  }

  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override {
    return translate(exchange_->push_request(as_text(content), last, out));
  }

  HeadAction on_response_head(const http::ResponseHead& head) override {
    return act(exchange_->begin_answer(
        {.status = head.status(),
         .content_type = head.value_of("content-type"),
         .content_encoding = head.value_of("content-encoding"),
         .websocket_extensions = head.value_of("sec-websocket-extensions")}));
  }

  std::unique_ptr<flows::SwitchedInspector> on_switch() override {
    auto session = exchange_->take_realtime();
    if (session == nullptr) return nullptr;
    return std::make_unique<RealtimeInspector>(std::move(session), exchange_->target().family);
  }

  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override {
    return translate(exchange_->push_answer(as_text(content), last, out));
  }

 private:
  HeadAction act(Plan plan) const {
    HeadAction action;
    action.body = use_of(plan.body);
    action.edits.target = std::move(plan.head.target);
    action.edits.values = std::move(plan.head.values);
    action.edits.set = std::move(plan.set_fields);
    action.edits.remove = std::move(plan.remove_fields);
    action.refusal = translate(plan.refusal);
    return action;
  }

  std::optional<InspectorRefusal> translate(const std::optional<Refusal>& refusal) const {
    if (!refusal) return {};
    return refusal_for_client(*refusal, exchange_->target().family);
  }

  Target target_;
  std::shared_ptr<const LlmServices> services_;
  std::string command_id_;
  std::string host_;
  std::string path_;  // With query, as it goes on.
  std::optional<Exchange> exchange_;
  std::optional<Resigner> resigner_;
};

class LlmInspectorFactory final : public flows::HttpInspectorFactory {
 public:
  explicit LlmInspectorFactory(std::shared_ptr<const LlmServices> services)
      : services_(std::move(services)) {}

  std::unique_ptr<flows::HttpInspector> inspect(const policy::Actor& actor,
                                                const policy::HttpFacts& facts) override {
    auto target = recognise(
        {.host = facts.host, .port = facts.port, .method = facts.method, .path = facts.path},
        services_->servers);
    if (!target) return nullptr;
    return std::make_unique<LlmInspector>(std::move(*target), services_, actor, facts);
  }

  bool http_only(std::string_view host) const override {
    return (services_->must_see_requests() || services_->must_see_answers()) &&
           is_api_host(host, services_->servers);
  }
  // Who says `tls: passthrough` of a host wants it unopened, with all that follows from it.
  bool opens_tls(std::string_view) const override { return false; }

 private:
  std::shared_ptr<const LlmServices> services_;
};

}  // namespace

std::shared_ptr<flows::HttpInspectorFactory> make_inspector_factory(
    std::shared_ptr<const LlmServices> services) {
  return std::make_shared<LlmInspectorFactory>(std::move(services));
}

}  // namespace agentsh::llm
