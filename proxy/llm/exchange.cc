#include "proxy/llm/exchange.h"

#include "base/encoding.h"
#include "base/random.h"

#include <fmt/format.h>

#include <array>

namespace agentsh::llm {
namespace {

// Of an answer, decoded; it streams, so this bounds no memory.
constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{4} << 30;

std::string new_id() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  return "req_" + to_hex(bytes);
}

bool looks(const std::shared_ptr<const dlp::Profile>& profile) {
  return profile != nullptr && profile->looks_for_anything();
}

}  // namespace

Exchange::Exchange(Target target, std::shared_ptr<const LlmServices> services,
                   const RequestHeadInfo& request)
    : target_(std::move(target)),
      services_(std::move(services)),
      started_(std::chrono::steady_clock::now()),
      content_type_(request.content_type),
      content_encoding_(request.content_encoding),
      has_content_(request.has_content),
      upgrade_(request.upgrade) {
  target_text_ = request.path;
  fields_.assign(request.fields.begin(), request.fields.end());
  const bool signed_head = request.authorization.starts_with("AWS4-");
  resigns_ = signed_head && target_.family == Family::kBedrock && services_->aws != nullptr;
  signed_body_ =
      (signed_head && !resigns_) || request.path.find("X-Amz-Signature=") != std::string_view::npos;
  record_.id = new_id();
  record_.session_id = services_->session_id;
  record_.key_id = services_->key_id;
  record_.command_id = request.command_id;
  record_.started = std::chrono::system_clock::now();
  record_.dialect = target_.dialect;
  record_.provider = target_.provider;
  record_.host = request.host;
  record_.method = request.method;
  record_.path = request.path.substr(0, request.path.find('?'));
  record_.model_asked = target_.model;
}

Exchange::~Exchange() {
  finish();
}

std::optional<Refusal> Exchange::refuse(Refusal refusal) {
  record_.refusal = refusal.code;
  record_.ending = Ending::kRefused;
  if (record_.status == 0) record_.status = refusal.status;
  return refusal;
}

Plan Exchange::begin() {
  Plan plan;
  if (upgrade_ && target_.dialect != Dialect::kRealtime && must_see_switch()) {
    plan.refusal =
        refuse({.status = 403,
                .code = "upgrade_not_inspected",
                .message = "What is said over a WebSocket to this API cannot be looked at or "
                           "counted, so it is refused while dlp looks for something or a budget "
                           "holds. Use its HTTP API."});
    return plan;
  }
  plan.refusal = edit_head(plan);
  if (plan.refusal) return plan;
  // Answers are read, so they must come as they are.
  plan.set_fields.emplace_back("Accept-Encoding", "identity");
  if (!has_content_) return plan;
  const bool dlp = looks(services_->request_profile);
  request_decoder_ = ContentDecoder::make(content_encoding_, services_->max_request_bytes, 400);
  if (!request_decoder_) {
    if (!services_->must_see_requests()) return plan;
    plan.refusal = refuse({.status = 415,
                           .code = "encoded_request",
                           .message = fmt::format("Requests with Content-Encoding {} cannot be "
                                                  "looked at; send them without.",
                                                  content_encoding_)});
    return plan;
  }
  request_.emplace(target_, *services_, content_type_, !signed_body_);
  if (services_->hash_bodies) request_hash_.emplace();
  const bool rewrites = !signed_body_ && (dlp || request_->may_ask_for_usage());
  plan.body = rewrites ? Plan::Body::kRewrite : Plan::Body::kObserve;
  if (rewrites && !request_decoder_->identity())
    plan.remove_fields.emplace_back("Content-Encoding");
  return plan;
}

std::optional<Refusal> Exchange::edit_head(Plan& plan) {
  if (!looks(services_->request_profile)) return {};
  head_editor_.emplace(services_->request_profile, services_->vault);
  auto refusal = head_editor_->edit(target_text_, fields_, plan.head);
  fields_.clear();
  const bool changes = !plan.head.target.empty() || !plan.head.values.empty();
  if (!refusal && changes && signed_body_) refusal = signed_request();
  if (!refusal) return {};
  return refuse(std::move(*refusal));
}

std::optional<Refusal> Exchange::read_request(std::string_view chunk, bool last, std::string& out) {
  if (auto refusal = request_decoder_->decode(chunk, last)) return refusal;
  return request_->push(chunk, last, out);
}

std::optional<Refusal> Exchange::push_request(std::string_view chunk, bool last, std::string& out) {
  if (!request_) {
    out += chunk;
    return {};
  }
  const std::size_t start = out.size();
  if (auto refusal = read_request(chunk, last, out)) return refuse(std::move(*refusal));
  if (request_hash_) request_hash_->add(std::string_view(out).substr(start));
  if (!last) return {};
  record_.model_asked = request_->facts().model;
  record_.streamed = request_->facts().streams;
  if (services_->budget == nullptr) return {};
  if (auto refusal = services_->budget->reserve(record_.id, target_, request_->facts())) {
    return refuse(std::move(*refusal));
  }
  reserved_ = true;
  return {};
}

bool Exchange::must_see_switch() const {
  return services_->must_see_requests() || services_->must_see_answers();
}

// What follows is no HTTP any more.
Plan Exchange::begin_switch(const AnswerHeadInfo& answer) {
  Plan plan;
  answer_ended_ = true;
  if (target_.dialect == Dialect::kRealtime && upgrade_) {
    realtime_ = RealtimeSession::make(target_, services_, answer.websocket_extensions, record_);
  }
  if (realtime_ == nullptr && must_see_switch()) {
    plan.refusal = refuse({.status = 502,
                           .code = "upgrade_not_inspected",
                           .message = "The server speaks a WebSocket with extensions that cannot "
                                      "be read, so nothing is said over it."});
  }
  return plan;
}

std::unique_ptr<RealtimeSession> Exchange::take_realtime() {
  if (realtime_ != nullptr) finished_ = true;  // Each answer has a record of its own.
  return std::move(realtime_);
}

Plan Exchange::begin_answer(const AnswerHeadInfo& answer) {
  Plan plan;
  record_.status = answer.status;
  if (answer.status == 101) return begin_switch(answer);
  // Without content.
  if (answer.status == 204 || answer.status == 304) {
    answer_ended_ = true;
    return plan;
  }
  const AnswerPolicy policy{.vault = services_->vault, .profile = services_->answer_profile};
  answer_decoder_ = ContentDecoder::make(answer.content_encoding, kMaxAnswerBytes, 502);
  if (!answer_decoder_) {
    plan.body = Plan::Body::kObserve;  // Its size is known, and whether it ended.
    if (!looks(policy.profile)) return plan;
    plan.refusal = refuse({.status = 502,
                           .code = "encoded_answer",
                           .message = fmt::format(
                               "The provider's answer has Content-Encoding {}, which was not asked "
                               "for and cannot be looked at.",
                               answer.content_encoding)});
    return plan;
  }
  AnswerForm form = form_of(answer.content_type, target_, record_.streamed);
  if (form == AnswerForm::kJsonArray && answer.status >= 400) form = AnswerForm::kJson;
  record_.streamed = form != AnswerForm::kJson && form != AnswerForm::kOther;
  const bool drop_usage = request_ && request_->asked_for_usage();
  answer_ = AnswerBody::make(form, {.target = target_,
                                    .policy = policy,
                                    .model = record_.model_asked,
                                    .drop_usage_event = drop_usage});
  if (services_->hash_bodies) answer_hash_.emplace();
  const bool rewrites = form != AnswerForm::kOther && (policy.active() || drop_usage);
  rewrites_answer_ = rewrites;
  if (rewrites && !answer_decoder_->identity()) plan.remove_fields.emplace_back("Content-Encoding");
  plan.body = rewrites ? Plan::Body::kRewrite : Plan::Body::kObserve;
  return plan;
}

// An answer that is only looked at: what cannot be read passes too, uncounted from there on.
void Exchange::observe(std::string_view chunk, bool last) {
  if (!answer_ || unreadable_) return;
  observed_.clear();
  unreadable_ = answer_decoder_->decode(chunk, last).has_value() ||
                answer_->push(chunk, last, observed_).has_value();
}

std::optional<Refusal> Exchange::push_answer(std::string_view chunk, bool last, std::string& out) {
  if (!chunk.empty() && !record_.first_byte) {
    record_.first_byte = std::chrono::steady_clock::now() - started_;
  }
  record_.answer_bytes += chunk.size();
  answer_ended_ = answer_ended_ || last;
  if (answer_hash_) answer_hash_->add(chunk);
  if (answer_ && rewrites_answer_) {
    if (auto refusal = answer_decoder_->decode(chunk, last)) return refuse(std::move(*refusal));
    if (auto refusal = answer_->push(chunk, last, out)) return refuse(std::move(*refusal));
  } else {
    out += chunk;
    observe(chunk, last);
  }
  // Before the client has the end: its next request finds this one counted.
  if (last) finish();
  return {};
}

void Exchange::settle_facts() {
  if (head_editor_) {
    record_.add_findings(head_editor_->redactor(), *services_->request_profile, false);
  }
  if (request_) {
    record_.request_bytes = request_->facts().bytes;
    if (record_.model_asked.empty()) record_.model_asked = request_->facts().model;
    if (request_->redactor() != nullptr) {
      record_.add_findings(*request_->redactor(), *services_->request_profile, false);
    }
  }
  if (request_hash_) record_.request_sha256 = request_hash_->finish();
  if (answer_hash_) record_.answer_sha256 = answer_hash_->finish();
  bool complete = answer_ended_;
  if (answer_) {
    const AnswerFacts& facts = answer_->facts();
    record_.model_answered = facts.model;
    record_.response_id = facts.response_id;
    record_.service_tier = facts.speed == "fast" ? facts.speed : facts.service_tier;
    record_.finish_reason = facts.finish_reason;
    record_.error_type = facts.error_type;
    record_.tools = facts.tools;
    record_.usage = facts.usage.total();
    // A stream that the provider ends with an error has ended.
    complete = complete && (facts.complete || !facts.error_type.empty() || record_.status >= 400 ||
                            unreadable_);
    for (const dlp::Redactor* redactor : answer_->redactors()) {
      record_.add_findings(*redactor, *services_->answer_profile, true);
    }
  }
  if (record_.ending == Ending::kComplete && !complete) record_.ending = Ending::kInterrupted;
}

void Exchange::price() {
  // Nothing was asked of a model, or nothing came of it.
  const bool asks = target_.dialect != Dialect::kOther &&
                    target_.dialect != Dialect::kCountTokens &&
                    target_.dialect != Dialect::kMessageBatches;
  if (!asks || (!record_.usage.known && (record_.status >= 400 || record_.status == 0))) return;
  const PriceTable& prices = services_->prices ? *services_->prices : PriceTable::shipped();
  const auto day = std::chrono::floor<std::chrono::days>(record_.started);
  const auto cost = [&](const std::string& model) {
    return prices.cost(record_.provider, model, record_.service_tier, record_.usage, day);
  };
  record_.cost =
      cost(record_.model_answered.empty() ? record_.model_asked : record_.model_answered);
  // A deployment's name says nothing about its price, and a snapshot's may not be listed.
  if (!record_.cost.nano_dollars && record_.usage.known && !record_.model_asked.empty() &&
      record_.model_asked != record_.model_answered) {
    Cost other = cost(record_.model_asked);
    if (other.nano_dollars) record_.cost = std::move(other);
  }
  if (record_.cost.nano_dollars && record_.ending == Ending::kInterrupted) {
    record_.cost.note +=
        record_.cost.note.empty() ? "at least: interrupted" : "; at least: interrupted";
  }
}

void Exchange::finish() {
  if (finished_) return;
  finished_ = true;
  record_.duration = std::chrono::steady_clock::now() - started_;
  settle_facts();
  price();
  if (reserved_) services_->budget->settle(record_);
  if (services_->sink != nullptr) services_->sink->take(record_);
}

}  // namespace agentsh::llm
