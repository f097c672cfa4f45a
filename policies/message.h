// Messages of rules: the author's text with what was asked for filled in.
//
// `{{.Name}}` is replaced; the names are those of agentsh's documentation: Path, Operation
// (file rules), RemoteAddr, RemotePort, Domain (network rules), Command, Args (command rules).
// A name that the operation does not have stays as it is written, and lint says so.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

struct MessageValue {
  std::string_view name;
  std::string_view value;
};

std::string render_message(std::string_view message, std::span<const MessageValue> values);

// The names between {{. and }}.
std::vector<std::string_view> message_names(std::string_view message);

}  // namespace agentsh::policy
