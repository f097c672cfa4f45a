#include "proxy/llm/realtime.h"

#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/random.h"
#include "dlp/json_editor.h"
#include "proxy/llm/answer_stream.h"
#include "proxy/llm/field_editor.h"

#include <fmt/format.h>

#include <array>

namespace agentsh::llm {
namespace {

using websocket::Message;
using websocket::MessageReader;
using websocket::MessageWriter;
using websocket::Opcode;
using websocket::Sender;
using websocket::Step;

// Close codes: RFC 6455 §7.4.1, and 1014 of IANA's registry.
constexpr std::uint16_t kGoingAway = 1001;
constexpr std::uint16_t kPolicyViolation = 1008;
constexpr std::uint16_t kBadGateway = 1014;

// Tokens that a realtime model has in mind at most, as OpenAI documents it.
constexpr std::uint64_t kContextTokens = 32'000;

Refusal broken(std::string_view side) {
  return {.status = 502,
          .code = "websocket_malformed",
          .message = fmt::format("A message of the {} breaks the WebSocket protocol.", side)};
}

// `redactor` blocked, or found something where nothing can be replaced.
Refusal blocked_message(const dlp::Redactor& redactor) {
  const std::string by =
      redactor.blocked() ? fmt::format(" ({})", redactor.blocked_by().id) : std::string();
  return {
      .status = 403,
      .code = "dlp_blocked",
      .message = fmt::format("A message was not sent: it holds data that must not leave{}.", by)};
}

Refusal not_text(std::string_view whose) {
  return {.status = 403,
          .code = "message_not_inspected",
          .message = fmt::format("{} message is binary, and cannot be looked at.", whose)};
}

// As the API tells its own errors.
std::string error_event(const Refusal& refusal) {
  JsonWriter json;
  json.begin_object().field("type", "error").field("event_id", "event_" + refusal.code);
  json.key("error").begin_object().field("type", "invalid_request_error");
  json.field("code", refusal.code).field("message", refusal.message);
  json.key("param").null().key("event_id").null().end_object().end_object();
  return json.take();
}

std::string new_id() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  return "req_" + to_hex(bytes);
}

}  // namespace

std::unique_ptr<RealtimeSession> RealtimeSession::make(const Target& target,
                                                       std::shared_ptr<const LlmServices> services,
                                                       std::string_view extensions, Record base) {
  websocket::DeflateParameters parameters;
  std::optional<websocket::DeflateParameters> deflate;
  switch (websocket::read_negotiated(extensions, parameters)) {
    case websocket::Negotiation::kUnknown:
      return nullptr;
    case websocket::Negotiation::kDeflate:
      deflate = parameters;
      break;
    case websocket::Negotiation::kNone:
      break;
  }
  return std::unique_ptr<RealtimeSession>(
      new RealtimeSession(target, std::move(services), deflate, std::move(base)));
}

RealtimeSession::RealtimeSession(const Target& target, std::shared_ptr<const LlmServices> services,
                                 std::optional<websocket::DeflateParameters> deflate, Record base)
    : target_(target),
      services_(std::move(services)),
      base_(std::move(base)),
      client_reader_(Sender::kClient, deflate),
      server_reader_(Sender::kServer, deflate),
      to_client_(Sender::kServer, deflate),
      to_server_(Sender::kClient, deflate),
      model_(target.model) {
  const auto& profile = services_->request_profile;
  if (profile != nullptr && profile->looks_for_anything()) {
    redactor_.emplace(profile, services_->vault, dlp::Placeholders::kTokenize);
  }
  begin_answer();
}

RealtimeSession::~RealtimeSession() {
  finish();
}

void RealtimeSession::begin_answer() {
  facts_ = std::make_unique<AnswerFacts>();
  editor_ = std::make_unique<StreamEditor>(
      StreamEditor::Options{.dialect = Dialect::kRealtime,
                            .policy = {.vault = services_->vault,
                                       .profile = services_->answer_profile,
                                       .vault_fills = true}},
      *facts_);
  id_ = new_id();
  answering_ = false;
}

void RealtimeSession::write(MessageWriter& writer, const Message& message, std::string& out) {
  websocket::MaskKey mask{};
  fill_random(mask);
  writer.write(message, mask, out);
}

// What the answer may use is not known before it is there: all that the model can hold is held.
std::optional<Refusal> RealtimeSession::reserve() {
  if (reserved_ || services_->budget == nullptr) return {};
  RequestFacts facts;
  facts.model = model_;
  facts.bytes = kContextTokens;
  if (auto refusal = services_->budget->reserve(id_, target_, facts)) return refusal;
  reserved_ = true;
  return {};
}

std::optional<Refusal> RealtimeSession::refuse(Refusal refusal, std::uint16_t to_client,
                                               std::uint16_t to_server, std::string& client_out,
                                               std::string& server_out) {
  refusal_ = refusal.code;
  write(to_client_, {.opcode = Opcode::kText, .payload = error_event(refusal)}, client_out);
  // A reason has 123 bytes (RFC 6455 §5.5); a code is ASCII.
  const std::string_view reason = std::string_view(refusal.code).substr(0, 123);
  write(to_client_, {.opcode = Opcode::kClose, .payload = reason, .code = to_client}, client_out);
  write(to_server_, {.opcode = Opcode::kClose, .code = to_server}, server_out);
  return refusal;
}

std::optional<Refusal> RealtimeSession::from_client(std::string_view bytes, std::string& out,
                                                    std::string& reply) {
  client_reader_.feed(bytes);
  Message message;
  Step step = client_reader_.next(message);
  for (; step == Step::kMessage; step = client_reader_.next(message)) {
    base_.request_bytes += message.payload.size();
    if (auto refusal = take_client(message, out)) {
      return refuse(std::move(*refusal), kPolicyViolation, kGoingAway, reply, out);
    }
  }
  if (step != Step::kFailed) return {};
  const std::uint16_t code = websocket::close_code(client_reader_.failure());
  return refuse(broken("client"), code, kGoingAway, reply, out);
}

std::optional<Refusal> RealtimeSession::take_client(Message message, std::string& out) {
  if (message.opcode == Opcode::kText) {
    // One that is spelled otherwise is paid for when its answer begins.
    if (message.payload.find("\"response.create\"") != std::string_view::npos) {
      if (auto refusal = reserve()) return refusal;
    }
    if (redactor_) {
      edited_.clear();
      if (auto refusal = edit_client(message.payload, edited_)) return refusal;
      message.payload = edited_;
    }
  } else if (redactor_ && message.opcode == Opcode::kBinary) {
    return not_text("A");
  } else if (redactor_) {
    if (auto refusal = check_control(message.payload)) return refusal;
  }
  write(to_server_, message, out);
  return {};
}

// A ping comes back as it was, so nothing in it is replaced.
std::optional<Refusal> RealtimeSession::check_control(std::string_view payload) {
  if (payload.empty() || dlp::edit_text(*redactor_, payload) == payload) return {};
  return blocked_message(*redactor_);
}

std::optional<Refusal> RealtimeSession::edit_client(std::string_view text, std::string& out) {
  FieldEditor fields(realtime_fields().request, *redactor_);
  dlp::JsonEditor editor(fields, {.filter = &fields});
  Result<void> done = editor.push(text, out);
  if (done) done = editor.finish(out);
  if (redactor_->blocked()) return blocked_message(*redactor_);
  if (!done) {
    return Refusal{.status = 400, .code = "invalid_json", .message = std::move(done.error().what)};
  }
  return {};
}

std::optional<Refusal> RealtimeSession::from_server(std::string_view bytes, std::string& out,
                                                    std::string& reply) {
  server_reader_.feed(bytes);
  Message message;
  Step step = server_reader_.next(message);
  for (; step == Step::kMessage; step = server_reader_.next(message)) {
    base_.answer_bytes += message.payload.size();
    if (auto refusal = take_server(message, out)) {
      return refuse(std::move(*refusal), kPolicyViolation, kGoingAway, out, reply);
    }
  }
  if (step != Step::kFailed) return {};
  const std::uint16_t code = websocket::close_code(server_reader_.failure());
  return refuse(broken("server"), kBadGateway, code, out, reply);
}

std::optional<Refusal> RealtimeSession::take_server(const Message& message, std::string& out) {
  if (message.opcode != Opcode::kText) {
    if (message.opcode == Opcode::kBinary && services_->must_see_answers()) {
      return not_text("An answer's");
    }
    write(to_client_, message, out);
    return {};
  }
  editor_->process(message.payload, {}, outcome_);
  for (const ExtraEvent& extra : outcome_.before) {
    write(to_client_,
          {.opcode = Opcode::kText, .payload = extra.data, .compressed = message.compressed}, out);
  }
  Message sent = message;
  if (outcome_.changed) sent.payload = outcome_.data;
  if (const dlp::Redactor* redactor = editor_->blocked()) return blocked_answer(*redactor);
  if (!facts_->model.empty()) model_ = facts_->model;  // Sessions say it, answers do not.
  answering_ = answering_ || !facts_->response_id.empty();
  if (answering_) {
    if (auto refusal = reserve()) return refusal;
  }
  write(to_client_, sent, out);
  if (facts_->complete) end_answer(Ending::kComplete);
  return {};
}

void RealtimeSession::end_answer(Ending ending) {
  Record record = base_;
  record.id = id_;
  record.dialect = Dialect::kRealtime;
  record.provider = target_.provider;
  record.streamed = true;
  record.ending = ending;
  record.model_asked = target_.model;
  record.model_answered = model_;
  record.response_id = facts_->response_id;
  record.service_tier = facts_->service_tier;
  record.finish_reason = facts_->finish_reason;
  record.error_type = facts_->error_type;
  record.tools = facts_->tools;
  record.usage = facts_->usage.total();
  record.duration = std::chrono::system_clock::now() - base_.started;
  if (redactor_) record.add_findings(*redactor_, *services_->request_profile, false);
  for (const dlp::Redactor* redactor : editor_->redactors()) {
    record.add_findings(*redactor, *services_->answer_profile, true);
  }
  const PriceTable& prices = services_->prices ? *services_->prices : PriceTable::shipped();
  record.cost = prices.cost(record.provider, model_, record.service_tier, record.usage,
                            std::chrono::floor<std::chrono::days>(record.started));
  if (ending == Ending::kRefused) record.refusal = refusal_;
  if (reserved_) services_->budget->settle(record);
  reserved_ = false;
  if (services_->sink != nullptr) services_->sink->take(record);
  // What was found is told once.
  if (redactor_)
    redactor_.emplace(services_->request_profile, services_->vault, dlp::Placeholders::kTokenize);
  base_.started = std::chrono::system_clock::now();
  base_.answer_bytes = base_.request_bytes = 0;
  begin_answer();
}

void RealtimeSession::finish() {
  const bool found = redactor_ && !redactor_->findings().entries().empty();
  if (!refusal_.empty()) {
    end_answer(Ending::kRefused);
  } else if (answering_ || reserved_ || found) {
    end_answer(Ending::kInterrupted);
  }
  refusal_.clear();
}

}  // namespace agentsh::llm
