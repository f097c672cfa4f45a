// JSON-RPC 2.0 as the Model Context Protocol uses it over HTTP: what of a message policy is about.
// Batches (protocol version 2025-03-26) are several messages.
//
// Pure; any thread. Views are of the document.
#pragma once

#include "base/json_reader.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::mcp {

struct Message {
  const JsonNode* node = nullptr;
  std::string_view method;  // Empty for responses.
  std::string id;           // As JSON text; empty for notifications.

  JsonValue value() const { return JsonValue(node); }
  // Of tools/call; empty for others.
  std::string_view tool() const;
  JsonValue arguments() const;
  // The tools of an answer to tools/list, or null.
  const JsonNode::Array* listed_tools() const;
  // What a call gave back; does not exist in other messages.
  JsonValue result() const;
};

// The messages of a body; none when it is not JSON-RPC 2.0.
std::vector<Message> messages_of(const JsonDocument& document);

// Whether a method is MCP's: JSON-RPC has other users.
bool is_mcp_method(std::string_view method);

// An answer that refuses: an error object (JSON-RPC 2.0 §5.1) for each request of the body, as an
// array when it was one.
std::string refusal(const std::vector<Message>& messages, bool batch, std::string_view rule,
                    std::string_view message);

// "sha256:<hex>" of a tool's definition with its members in order, so that two spellings of one
// definition are the same and nothing in it can change unseen.
std::string definition_hash(const JsonNode& tool);

// The document without the tools at these places of its (only) tools/list answers. `removed` says
// for each message, in order, which tools go.
std::string without_tools(const JsonDocument& document,
                          const std::vector<std::vector<std::size_t>>& removed);

}  // namespace agentsh::mcp
