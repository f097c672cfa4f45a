// Messages of any JSON: nothing breaks, a refusal is JSON, and an answer whose tools are all taken
// out lists none.
#include "proxy/mcp/message.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = JsonDocument::parse(text);
  if (!document) return 0;
  const auto messages = mcp::messages_of(*document);
  std::vector<std::vector<std::size_t>> removed;
  for (const mcp::Message& message : messages) {
    auto& places = removed.emplace_back();
    static_cast<void>(message.tool());
    static_cast<void>(mcp::is_mcp_method(message.method));
    const auto* tools = message.listed_tools();
    for (std::size_t i = 0; tools != nullptr && i < tools->size(); ++i) {
      places.push_back(i);
      if (mcp::definition_hash((*tools)[i]).empty()) std::abort();
    }
  }
  const std::string refused = mcp::refusal(messages, true, "rule", "message");
  if (!JsonDocument::parse(refused)) std::abort();
  const auto rest = JsonDocument::parse(mcp::without_tools(*document, removed));
  if (!rest) std::abort();
  for (const mcp::Message& message : mcp::messages_of(*rest)) {
    const auto* tools = message.listed_tools();
    if (tools != nullptr && !tools->empty()) std::abort();
  }
  return 0;
}
