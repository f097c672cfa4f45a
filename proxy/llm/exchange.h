// One HTTP exchange with an LLM API, without I/O: what goes in on one side comes out edited on the
// other, and at the end there is a Record.
//
//   Exchange exchange(target, services, request);
//   Plan plan = exchange.begin();
//   exchange.push_request(chunk, last, out) ...
//   Plan plan = exchange.begin_answer(answer);
//   exchange.push_answer(chunk, last, out) ...
//   exchange.finish();          // or the destructor
//
// Every error is a Refusal: the caller answers it in the dialect's own shape (refusal.h) where the
// answer has not begun, and breaks off where it has. Whoever fails to look fails closed.
//
// Threads: one owner.
#pragma once

#include "proxy/llm/answer_body.h"
#include "proxy/llm/body_hash.h"
#include "proxy/llm/content_decoder.h"
#include "proxy/llm/head_editor.h"
#include "proxy/llm/realtime.h"
#include "proxy/llm/request_body.h"
#include "proxy/llm/services.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::llm {

// Views are copied where they are kept.
struct RequestHeadInfo {
  std::string_view host;
  std::string_view method;
  std::string_view path;
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view authorization;  // Its scheme says whether the body is signed.
  std::string_view command_id;
  bool upgrade = false;                    // It asks for another protocol (WebSocket).
  bool has_content = true;                 // False: there is no body, not even an empty one.
  std::span<const HeadField> fields = {};  // All, for begin().
};

struct AnswerHeadInfo {
  int status = 200;
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view websocket_extensions = {};  // Of a 101.
};

// What is to be done with a message.
struct Plan {
  enum class Body : std::uint8_t {
    kPass,     // Not shown to the exchange.
    kObserve,  // Shown; what goes on is what came.
    kRewrite,  // What the exchange gives out goes on.
  };
  Body body = Body::kPass;
  HeadChanges head;  // Of a request, for what was found in it.
  std::vector<std::pair<std::string, std::string>> set_fields;
  std::vector<std::string> remove_fields;
  std::optional<Refusal> refusal;
};

class Exchange {
 public:
  Exchange(Target target, std::shared_ptr<const LlmServices> services,
           const RequestHeadInfo& request);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The views of the request's head that the constructor got are still valid.
  Plan begin();
  std::optional<Refusal> push_request(std::string_view chunk, bool last, std::string& out);
  Plan begin_answer(const AnswerHeadInfo& answer);
  std::optional<Refusal> push_answer(std::string_view chunk, bool last, std::string& out);
  // After begin_answer() of a 101: what reads both sides' messages from here on, and has records
  // of its own. Null: they are not looked at.
  std::unique_ptr<RealtimeSession> take_realtime();
  // The exchange is over, however it ended. Later calls do nothing.
  void finish();

  const Target& target() const { return target_; }
  // The request is signed anew: all of it has to be there before its head goes on.
  bool resigns() const { return resigns_; }
  // Notes a refusal that is not the exchange's own; gives it back.
  std::optional<Refusal> refuse(Refusal refusal);
  // Complete after finish().
  const Record& record() const { return record_; }

 private:
  std::optional<Refusal> read_request(std::string_view chunk, bool last, std::string& out);
  std::optional<Refusal> edit_head(Plan& plan);
  Plan begin_switch(const AnswerHeadInfo& answer);
  void observe(std::string_view chunk, bool last);
  bool must_see_switch() const;
  void settle_facts();
  void price();

  Target target_;
  std::shared_ptr<const LlmServices> services_;
  Record record_;
  std::chrono::steady_clock::time_point started_;
  std::string content_type_;
  std::string content_encoding_;
  std::optional<ContentDecoder> request_decoder_;
  std::optional<ContentDecoder> answer_decoder_;
  std::string target_text_;  // Path and query, until begin().
  std::vector<HeadField> fields_;
  std::optional<HeadEditor> head_editor_;
  std::optional<RequestBody> request_;
  std::unique_ptr<AnswerBody> answer_;
  std::unique_ptr<RealtimeSession> realtime_;
  std::string observed_;  // Reused; thrown away.
  std::optional<BodyHash> request_hash_;
  std::optional<BodyHash> answer_hash_;
  bool signed_body_ = false;  // And stays as it is.
  bool resigns_ = false;
  bool has_content_ = true;
  bool upgrade_ = false;
  bool reserved_ = false;
  bool answer_ended_ = false;
  bool rewrites_answer_ = false;
  bool unreadable_ = false;  // An answer that is only looked at.
  bool finished_ = false;
};

}  // namespace agentsh::llm
