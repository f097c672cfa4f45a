#include "proxy/services/service_inspector.h"

#include "base/encoding.h"
#include "base/log.h"
#include "proxy/codec/http/text.h"
#include "proxy/services/request_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace agentsh::services {
namespace {

using flows::BodyUse;
using flows::HeadAction;
using flows::InspectorQuestion;
using flows::InspectorRefusal;

// Without what follows '?', which often holds secrets.
std::string path_of(std::string_view target) {
  return std::string(target.substr(0, target.find('?')));
}

class ServiceInspector final : public flows::HttpInspector {
 public:
  ServiceInspector(std::shared_ptr<SessionServices> session,
                   std::shared_ptr<const SessionServices::State> state,
                   std::shared_ptr<const Service> service, const policy::Actor& actor,
                   const policy::HttpFacts& facts);

  std::optional<InspectorQuestion> question() override;
  InspectorRefusal refusal_for(const policy::Verdict& verdict) override;
  bool must_prepare() const override { return substitutes_; }
  boost::asio::awaitable<std::optional<InspectorRefusal>> prepare(
      boost::asio::any_io_executor executor) override;
  HeadAction on_request_head(const http::RequestHead& head) override;
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override;
  bool on_interim_head(const http::ResponseHead& head) override;
  HeadAction on_response_head(const http::ResponseHead& head) override;
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override;

 private:
  const Placeholder* leaked_in(const http::RequestHead& head) const;
  InspectorRefusal refuse_leak(const Placeholder& leaked);
  void put_in(const http::RequestHead& head, http::HeadEdits& edits) const;
  void scrub_head(const http::ResponseHead& head, http::HeadEdits& edits);
  void point_to_service(const http::ResponseHead& head, http::HeadEdits& edits);
  audit::Event event(std::string type) const;
  void report_scrubbed();

  const std::shared_ptr<SessionServices> session_;
  const std::shared_ptr<const SessionServices::State> state_;
  const std::shared_ptr<const Service> service_;
  const policy::Actor actor_;
  const std::string method_;
  const std::string host_;
  const std::string target_;
  const bool direct_;
  bool asked_ = false;
  bool substitutes_ = false;  // The request goes to where the service's secret belongs.
  std::string own_;           // The service's placeholder.
  std::vector<Placeholder> forbidden_;
  ReadySecret secret_;
  std::optional<PlaceholderStream> request_body_;
  std::optional<Scrubber> scrubber_;
};

ServiceInspector::ServiceInspector(std::shared_ptr<SessionServices> session,
                                   std::shared_ptr<const SessionServices::State> state,
                                   std::shared_ptr<const Service> service,
                                   const policy::Actor& actor, const policy::HttpFacts& facts)
    : session_(std::move(session)),
      state_(std::move(state)),
      service_(std::move(service)),
      actor_(actor),
      method_(facts.method),
      host_(facts.host),
      target_(facts.path),
      direct_(facts.via_service.empty()),
      forbidden_(state_->placeholders) {
  const bool own_upstream =
      service_ != nullptr && facts.scheme == "https" && facts.port == service_->port();
  if (!own_upstream) return;
  if (const Placeholder* placeholder = state_->placeholder_of(*service_)) {
    substitutes_ = true;
    own_ = placeholder->text;
    std::erase_if(forbidden_, [this](const Placeholder& one) { return one.text == own_; });
  }
}

audit::Event ServiceInspector::event(std::string type) const {
  audit::Event event(std::move(type));
  event.source = "proxy";
  event.command_id = actor_.command_id;
  event.pid = actor_.pid;
  event.program = actor_.program;
  event.domain = host_;
  event.operation = method_;
  if (service_ != nullptr) event.field("service", service_->name());
  event.field("method", method_).field("path", path_of(target_));
  return event;
}

std::optional<InspectorQuestion> ServiceInspector::question() {
  if (service_ == nullptr || asked_) return {};
  asked_ = true;
  InspectorQuestion question{service_->decide(method_, target_), {}, event("http_service_request")};
  question.event.field("via", std::string(direct_ ? "direct" : "svc"));
  if (question.verdict.needs_approval()) {
    question.request.kind = "http_service";
    question.request.target = fmt::format("{} https://{}{}", method_, host_, path_of(target_));
    question.request.rule = question.verdict.rule();
    question.request.message = question.verdict.message();
    question.request.fields = {{"service", service_->name()},
                               {"method", method_},
                               {"path", path_of(target_)},
                               {"program", actor_.program}};
  }
  return question;
}

InspectorRefusal ServiceInspector::refusal_for(const policy::Verdict& verdict) {
  InspectorRefusal refusal;
  const bool asked = verdict.decision() == policy::Decision::kApprove;
  refusal.code = asked ? "approval_denied" : "http_service_denied";
  refusal.rule = verdict.rule();
  refusal.message = fmt::format("{} {} is denied by rule {} of service {}", method_,
                                path_of(target_), verdict.rule(), service_->name());
  refusal.message += verdict.message().empty() ? "." : ": " + verdict.message();
  refusal.advice =
      asked ? "Ask the person in charge to approve it (agentsh approve list), then try again."
            : "The service's rules go by method and path; if this request is needed, have one of "
              "them allow it.";
  return refusal;
}

boost::asio::awaitable<std::optional<InspectorRefusal>> ServiceInspector::prepare(
    boost::asio::any_io_executor executor) {
  auto ready = co_await session_->secret_of(state_, service_, executor);
  if (ready) {
    secret_ = std::move(*ready);
    co_return std::nullopt;
  }
  log_error("secrets", "service {}: {}", service_->name(), ready.error().what);
  audit::Event failed = event("secret_access");
  failed.operation = "read";
  failed.field("error", ready.error().what);
  session_->gate().record(std::move(failed));
  InspectorRefusal refusal;
  refusal.status = 503;
  refusal.code = "http_service_secret_unavailable";
  refusal.message = fmt::format(
      "The credentials of service {} cannot be had now, so nothing was sent.", service_->name());
  refusal.advice = "Whoever runs the appliance finds the reason in its log and its audit trail.";
  co_return refusal;
}

const Placeholder* ServiceInspector::leaked_in(const http::RequestHead& head) const {
  if (forbidden_.empty()) return nullptr;
  if (const Placeholder* leaked = find_placeholder(forbidden_, head.text())) return leaked;
  if (head.target().find('%') != std::string_view::npos) {
    const std::string decoded = percent_decoded(head.target());
    if (const Placeholder* leaked = find_placeholder(forbidden_, decoded)) return leaked;
  }
  for (const http::Field& field : head.fields()) {
    if (const auto credentials = basic_credentials(head.value(field))) {
      if (const Placeholder* leaked = find_placeholder(forbidden_, *credentials)) return leaked;
    }
  }
  return nullptr;
}

InspectorRefusal ServiceInspector::refuse_leak(const Placeholder& leaked) {
  audit::Event blocked = event("http_service_leak_blocked");
  blocked.field("placeholder_of", leaked.service);
  const std::string message = fmt::format(
      "The request carries the credentials of service {}, which go to that service's "
      "own host only.",
      leaked.service);
  session_->gate().record(std::move(blocked),
                          policy::Verdict::deny("http-service-leak-guard", message));
  InspectorRefusal refusal;
  refusal.code = "http_service_leak_blocked";
  refusal.rule = "http-service-leak-guard";
  refusal.message = message;
  refusal.advice = "Leave the credentials out of requests to other hosts.";
  return refusal;
}

// The secret instead of its placeholder, wherever in the head it is.
void ServiceInspector::put_in(const http::RequestHead& head, http::HeadEdits& edits) const {
  const std::string_view real = secret_.value->view();
  if (target_.find(own_) != std::string::npos) {
    edits.target = replaced(target_, own_, percent_encoded(real));
  }
  const policy::HttpService& declared = service_->declared();
  if (!declared.inject_header.empty()) {
    edits.set.emplace_back(declared.inject_header,
                           replaced(declared.inject_template, "{{secret}}", real));
  }
  for (std::size_t i = 0; i < head.fields().size(); ++i) {
    const std::string_view value = head.value(head.fields()[i]);
    if (value.find(own_) != std::string_view::npos) {
      edits.values.emplace_back(i, replaced(value, own_, real));
    } else if (const auto credentials = basic_credentials(value);
               credentials && credentials->find(own_) != std::string::npos) {
      edits.values.emplace_back(i, "Basic " + to_base64(replaced(*credentials, own_, real)));
    }
  }
}

HeadAction ServiceInspector::on_request_head(const http::RequestHead& head) {
  HeadAction action;
  if (const Placeholder* leaked = leaked_in(head)) {
    action.refusal = refuse_leak(*leaked);
    return action;
  }
  if (substitutes_) {
    put_in(head, action.edits);
    if (secret_.scrub != nullptr) {
      scrubber_.emplace(secret_.scrub);
      if (head.asks_for_websocket()) {
        action.refusal = InspectorRefusal{
            .code = "http_service_upgrade",
            .message = fmt::format("Service {} takes secrets out of responses, which cannot be "
                                   "done in a WebSocket.",
                                   service_->name()),
            .advice = "Use plain requests, or have the policy set scrub_response: false."};
        return action;
      }
      // A part of a response could show a part of the secret, a compressed one hide it.
      action.edits.remove = {"Range", "If-Range"};
      action.edits.set.emplace_back("Accept-Encoding", "identity");
    }
  }
  if (own_.empty() && forbidden_.empty()) return action;
  request_body_.emplace(own_, substitutes_ ? secret_.value->view() : std::string_view(),
                        forbidden_);
  action.body = own_.empty() ? BodyUse::kObserve : BodyUse::kSubstitute;
  return action;
}

std::optional<InspectorRefusal> ServiceInspector::on_request_body(Bytes content, bool last,
                                                                  std::string& out) {
  const Placeholder* leaked = request_body_->push(as_text(content), last, out);
  if (leaked == nullptr) return {};
  return refuse_leak(*leaked);
}

bool ServiceInspector::on_interim_head(const http::ResponseHead& head) {
  return !scrubber_ || scrubber_->scrub(head.text()) == head.text();
}

void ServiceInspector::scrub_head(const http::ResponseHead& head, http::HeadEdits& edits) {
  for (std::size_t i = 0; i < head.fields().size(); ++i) {
    const std::string_view value = head.value(head.fields()[i]);
    std::string clean = scrubber_->scrub(value);
    if (clean != value) edits.values.emplace_back(i, std::move(clean));
  }
}

// Absolute redirects within the service stay within it.
void ServiceInspector::point_to_service(const http::ResponseHead& head, http::HeadEdits& edits) {
  const std::string_view location = head.value_of("location");
  if (direct_ || location.empty()) return;
  std::string upstream = service_->declared().upstream;
  while (upstream.ends_with('/')) upstream.pop_back();
  const auto starts_with_upstream = [&](std::string_view text) {
    return http::starts_ignoring_case(text, upstream) &&
           (text.size() == upstream.size() || text[upstream.size()] == '/' ||
            text[upstream.size()] == '?');
  };
  const std::string prefix = "/svc/" + service_->name();
  const std::string& base = service_->base_path();
  std::string moved;
  if (starts_with_upstream(location)) {
    moved = prefix + std::string(location.substr(upstream.size()));
  } else if (location.starts_with(base + "/") && !location.starts_with("//")) {
    moved = prefix + std::string(location.substr(base.size()));
  } else {
    return;
  }
  if (scrubber_ && scrubber_->scrub(moved) != moved) return;
  edits.set.emplace_back("Location", std::move(moved));
}

HeadAction ServiceInspector::on_response_head(const http::ResponseHead& head) {
  HeadAction action;
  if (service_ == nullptr) return action;
  point_to_service(head, action.edits);
  if (!scrubber_) return action;
  const std::string_view coding = head.value_of("content-encoding");
  const bool coded = !coding.empty() && !http::equal_ignoring_case(coding, "identity");
  if ((coded && head.framing().kind != http::BodyKind::kNone) || head.switches_protocols()) {
    action.refusal = InspectorRefusal{
        .status = 502,
        .code = "http_service_response_unreadable",
        .rule = {},
        .message = fmt::format("Service {} answered in a form that cannot be looked through for "
                               "its credentials.",
                               service_->name()),
        .advice = "The server was asked for plain content (Accept-Encoding: identity)."};
    return action;
  }
  if (scrubber_->scrub(head.start_line()) != head.start_line()) {
    action.refusal = InspectorRefusal{.status = 502,
                                      .code = "http_service_response_unreadable",
                                      .rule = {},
                                      .message = "The response's status line holds credentials.",
                                      .advice = "The server has to be mended."};
    return action;
  }
  scrub_head(head, action.edits);
  report_scrubbed();
  action.body = BodyUse::kSubstitute;
  return action;
}

void ServiceInspector::report_scrubbed() {
  if (scrubber_->found() == 0) return;
  audit::Event scrubbed = event("http_service_secret_scrubbed");
  scrubbed.field("count", static_cast<std::int64_t>(scrubber_->found()));
  session_->gate().record(std::move(scrubbed));
}

std::optional<InspectorRefusal> ServiceInspector::on_response_body(Bytes content, bool last,
                                                                   std::string& out) {
  const std::size_t before = scrubber_->found();
  scrubber_->push(as_text(content), last, out);
  if (before == 0) report_scrubbed();
  return {};
}

}  // namespace

std::unique_ptr<flows::HttpInspector> make_service_inspector(
    std::shared_ptr<SessionServices> session, std::shared_ptr<const SessionServices::State> state,
    std::shared_ptr<const Service> service, const policy::Actor& actor,
    const policy::HttpFacts& facts) {
  return std::make_unique<ServiceInspector>(std::move(session), std::move(state),
                                            std::move(service), actor, facts);
}

}  // namespace agentsh::services
