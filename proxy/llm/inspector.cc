#include "proxy/llm/inspector.h"

#include "proxy/llm/exchange.h"

#include <string>
#include <utility>

namespace agentsh::llm {
namespace {

using flows::BodyUse;
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
        host_(facts.host) {}

  HeadAction on_request_head(const http::RequestHead& head) override {
    exchange_.emplace(std::move(target_), services_,
                      RequestHeadInfo{.host = host_,
                                      .method = head.method(),
                                      .path = head.path(),
                                      .content_type = head.value_of("content-type"),
                                      .content_encoding = head.value_of("content-encoding"),
                                      .authorization = head.value_of("authorization"),
                                      .command_id = command_id_,
                                      .upgrade = !head.value_of("upgrade").empty(),
                                      .has_content = has_content(head.framing())});
    return act(exchange_->begin());
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
  std::optional<Exchange> exchange_;
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
