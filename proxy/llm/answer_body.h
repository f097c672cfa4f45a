// The body of a provider's answer on its way to the client, whatever its form: a JSON document,
// SSE, an AWS event stream, Gemini's JSON array. Placeholders are turned back, secrets looked for,
// usage and the rest learned.
//
// Threads: one owner.
#pragma once

#include "proxy/llm/facts.h"
#include "proxy/llm/services.h"
#include "proxy/llm/text_filter.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

enum class AnswerForm : std::uint8_t { kJson, kSse, kEventStream, kJsonArray, kOther };
// By the response's Content-Type and what the request asked for. kOther: nothing of it is read.
AnswerForm form_of(std::string_view content_type, const Target& target, bool streams);

struct AnswerOptions {
  const Target& target;  // Outlives the body.
  AnswerPolicy policy;
  std::string model;              // That was asked for.
  bool drop_usage_event = false;  // See RequestBody::asked_for_usage().
};

class AnswerBody {
 public:
  static std::unique_ptr<AnswerBody> make(AnswerForm form, const AnswerOptions& options);
  virtual ~AnswerBody() = default;

  // Appends what may be sent to `out`. A refusal breaks the answer off.
  virtual std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out) = 0;
  virtual std::vector<const dlp::Redactor*> redactors() const = 0;

  const AnswerFacts& facts() const { return facts_; }

 protected:
  explicit AnswerBody(bool keep_largest_counts) : facts_(keep_largest_counts) {}
  AnswerFacts facts_;
};

}  // namespace agentsh::llm
