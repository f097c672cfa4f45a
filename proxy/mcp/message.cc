#include "proxy/mcp/message.h"

#include "base/encoding.h"
#include "base/json_writer.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace agentsh::mcp {
namespace {

// Of the range that JSON-RPC leaves to implementations.
constexpr int kDenied = -32001;

const JsonNode* member(const JsonNode* node, std::string_view key) {
  const auto* object = node == nullptr ? nullptr : std::get_if<JsonNode::Object>(&node->value);
  if (object == nullptr) return nullptr;
  const auto found = std::ranges::find(*object, key, &JsonNode::Object::value_type::first);
  return found == object->end() ? nullptr : &found->second;
}

void add_message(const JsonNode& node, std::vector<Message>& messages) {
  const JsonValue value(&node);
  if (value.text("jsonrpc") != "2.0") return;
  Message message;
  message.node = &node;
  message.method = value.text("method");
  const JsonValue id = value.member("id");
  if (id.exists() && !id.is_null()) message.id = id.dump();
  messages.push_back(std::move(message));
}

void write_in_order(const JsonNode& node, std::string& out) {
  if (const auto* object = std::get_if<JsonNode::Object>(&node.value)) {
    std::vector<const JsonNode::Object::value_type*> members;
    for (const auto& entry : *object) members.push_back(&entry);
    std::ranges::sort(members, {},
                      [](const auto* entry) { return std::string_view(entry->first); });
    out += '{';
    for (const auto* entry : members) {
      if (out.back() != '{') out += ',';
      out += json_quoted(entry->first) + ":";
      write_in_order(entry->second, out);
    }
    out += '}';
  } else if (const auto* array = std::get_if<JsonNode::Array>(&node.value)) {
    out += '[';
    for (const JsonNode& element : *array) {
      if (out.back() != '[') out += ',';
      write_in_order(element, out);
    }
    out += ']';
  } else {
    out += JsonValue(&node).dump();
  }
}

void remove_tools(JsonNode& message, const std::vector<std::size_t>& removed) {
  auto* tools = const_cast<JsonNode*>(member(member(&message, "result"), "tools"));
  if (tools == nullptr) return;
  auto& array = std::get<JsonNode::Array>(tools->value);
  for (auto place = removed.rbegin(); place != removed.rend(); ++place) {
    array.erase(array.begin() + static_cast<std::ptrdiff_t>(*place));
  }
}

}  // namespace

std::string_view Message::tool() const {
  return method == "tools/call" ? value().member("params").text("name") : std::string_view();
}

JsonValue Message::arguments() const {
  return value().member("params").member("arguments");
}

const JsonNode::Array* Message::listed_tools() const {
  if (!method.empty()) return nullptr;
  const JsonNode* tools = member(member(node, "result"), "tools");
  return tools == nullptr ? nullptr : std::get_if<JsonNode::Array>(&tools->value);
}

JsonValue Message::result() const {
  return method.empty() ? value().member("result") : JsonValue(nullptr);
}

std::vector<Message> messages_of(const JsonDocument& document) {
  std::vector<Message> messages;
  const JsonValue root = document.root();
  if (root.is_array()) {
    for (const JsonNode& node : root.elements()) add_message(node, messages);
  } else if (root.is_object()) {
    add_message(document.node(), messages);
  }
  return messages;
}

bool is_mcp_method(std::string_view method) {
  constexpr std::string_view kMethods[] = {"initialize", "ping"};
  constexpr std::string_view kPrefixes[] = {"tools/",         "resources/",   "prompts/",
                                            "notifications/", "completion/",  "logging/",
                                            "sampling/",      "elicitation/", "roots/"};
  return std::ranges::find(kMethods, method) != std::end(kMethods) ||
         std::ranges::any_of(kPrefixes,
                             [method](auto prefix) { return method.starts_with(prefix); });
}

std::string refusal(const std::vector<Message>& messages, bool batch, std::string_view rule,
                    std::string_view message) {
  std::string out;
  for (const Message& one : messages) {
    if (one.id.empty() || one.method.empty()) continue;
    if (!out.empty()) out += ',';
    out += fmt::format(
        R"({{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":{},"data":{{"type":"agentsh","rule":{}}}}}}})",
        one.id, kDenied, json_quoted(message), json_quoted(rule));
  }
  return batch ? "[" + out + "]" : out;
}

std::string definition_hash(const JsonNode& tool) {
  std::string text;
  write_in_order(tool, text);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha256(), nullptr) != 1) {
    return {};
  }
  return "sha256:" + to_hex({digest.data(), size});
}

std::string without_tools(const JsonDocument& document,
                          const std::vector<std::vector<std::size_t>>& removed) {
  JsonNode copy = document.node();
  std::size_t message = 0;
  if (auto* batch = std::get_if<JsonNode::Array>(&copy.value)) {
    for (JsonNode& node : *batch) {
      if (JsonValue(&node).text("jsonrpc") != "2.0") continue;
      if (message < removed.size()) remove_tools(node, removed[message]);
      ++message;
    }
  } else if (!removed.empty()) {
    remove_tools(copy, removed.front());
  }
  return JsonValue(&copy).dump();
}

}  // namespace agentsh::mcp
