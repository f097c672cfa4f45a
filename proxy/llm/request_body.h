// The body of a request to an LLM API on its way to the provider: texts edited by the session's
// profile, OpenAI's chat streams asked for their usage, and what the body says learned.
//
// Everything else stays byte for byte. Errors: the body is not to be sent on (Refusal).
//
// Threads: one owner.
#pragma once

#include "dlp/body_editor.h"
#include "dlp/json_editor.h"
#include "dlp/redactor.h"
#include "proxy/llm/dialect_fields.h"
#include "proxy/llm/field_editor.h"
#include "proxy/llm/services.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::llm {

class RequestBody {
 public:
  // The body of a known dialect is JSON whatever `content_type` says; others are read by it.
  // `changes`: the body may be changed; otherwise (it is signed) what would have to be changed is
  // refused.
  RequestBody(const Target& target, const LlmServices& services, std::string_view content_type,
              bool changes);
  ~RequestBody();

  // Appends what may be sent to `out`.
  std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out);

  const RequestFacts& facts() const { return facts_; }
  const dlp::Redactor* redactor() const { return redactor_ ? &*redactor_ : nullptr; }
  // The body may have to be changed to ask for the usage.
  bool may_ask_for_usage() const { return wants_usage_; }
  // The answer's usage event is there because we asked for it.
  bool asked_for_usage() const { return asked_for_usage_; }

 private:
  std::optional<Refusal> read(std::string_view chunk, std::string_view text, bool last);
  std::size_t hold(std::string_view text, bool last);
  std::optional<Refusal> take(const FieldReader::Token& token, std::string_view text);
  std::optional<Refusal> take_model(const FieldReader::Token& token);
  void take_options(const FieldReader::Token& token, std::string_view text);
  void replace(const FieldReader::Token& token, std::string_view with, std::string_view text);
  void insert(std::uint64_t at, std::string_view added, std::string_view text);
  std::optional<Refusal> send(std::string_view text, bool last, std::string& out);
  std::optional<Refusal> push_other(std::string_view chunk, bool last, std::string& out);
  std::optional<Refusal> release(const Result<void>& done, std::string_view edited,
                                 std::string& out) const;

  const LlmServices& services_;
  const DialectFields& fields_;
  FieldReader reader_;
  RequestFacts facts_;
  std::optional<dlp::Redactor> redactor_;
  std::optional<FieldEditor> field_editor_;
  std::optional<dlp::JsonEditor> editor_;
  // Of a body that is no JSON.
  std::unique_ptr<dlp::BodyEditor> other_editor_;
  std::string other_error_;
  // Asking for usage.
  bool wants_usage_ = false;  // The dialect and the provider know stream_options.
  bool asked_for_usage_ = false;
  bool stream_said_ = false;
  bool options_said_ = false;
  bool options_empty_ = true;
  bool include_said_ = false;
  bool model_said_ = false;
  bool changes_;
  bool is_json_;
  bool empty_ = true;         // No byte of the body has come.
  std::string held_;          // A literal that the last chunk's end cut, and that may be replaced.
  std::string changed_;       // The chunk with our own changes, as far as it was copied.
  std::uint64_t copied_ = 0;  // Offset in the body up to which `changed_` has it.
  std::uint64_t text_begin_ = 0;
  bool chunk_changed_ = false;
};

// What would have to be changed must not be.
Refusal signed_request();

}  // namespace agentsh::llm
