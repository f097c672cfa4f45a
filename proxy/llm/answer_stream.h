// Streamed answers in their three framings. See answer_body.h.
#pragma once

#include "proxy/llm/answer_body.h"

#include <memory>
#include <string_view>

namespace agentsh::llm {

std::unique_ptr<AnswerBody> make_sse_answer(const AnswerOptions& options);
std::unique_ptr<AnswerBody> make_event_stream_answer(const AnswerOptions& options);
std::unique_ptr<AnswerBody> make_json_array_answer(const AnswerOptions& options);

Refusal blocked_answer(const dlp::Redactor& redactor);
Refusal unreadable_answer(std::string_view what);

}  // namespace agentsh::llm
