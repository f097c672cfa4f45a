// The tables of each dialect: where its documents hold the model's name, texts, counts of tokens.
#pragma once

#include "proxy/llm/dialect.h"
#include "proxy/llm/field_map.h"

namespace agentsh::llm {

struct DialectFields {
  const FieldMap& request;
  const FieldMap& response;
  const FieldMap& event;  // Of a stream.
};

// `model` matters to Bedrock's InvokeModel only, whose bodies are those of the model's maker.
const DialectFields& fields_of(Dialect dialect, std::string_view model = {});

// Is it one of Anthropic's models on Bedrock ("anthropic.claude-...", "us.anthropic.…", an ARN)?
bool is_anthropic_on_bedrock(std::string_view model);

// One for each family; dialect_fields.cc chooses.
const DialectFields& chat_fields();
const DialectFields& responses_fields();
const DialectFields& realtime_fields();
const DialectFields& messages_fields();
const DialectFields& gemini_fields();
const DialectFields& converse_fields();

}  // namespace agentsh::llm
