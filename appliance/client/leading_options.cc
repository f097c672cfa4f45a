#include "appliance/client/leading_options.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

namespace agentsh::client {
namespace {

struct LeadingOption {
  std::string_view name;
  const char* variable;
};
constexpr LeadingOption kOptions[] = {{"--server", "AGENTSH_SERVER"},
                                      {"--api-key", "AGENTSH_API_KEY"},
                                      {"--client-timeout", "AGENTSH_CLIENT_TIMEOUT"},
                                      {"--config", "AGENTSH_CONFIG"}};

const LeadingOption* find(std::string_view name) {
  for (const LeadingOption& option : kOptions) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

Error unknown(std::string_view name) {
  if (name == "--transport" || name == "--grpc-addr")
    return make_error(
        fmt::format("{}: this version has no gRPC; every call is in the HTTP API", name));
  return make_error(
      fmt::format("no such option before the command: {}; run 'agentsh --help'", name));
}

}  // namespace

Result<> take_leading_options(std::span<const std::string>& arguments) {
  while (!arguments.empty() && arguments.front().starts_with("--")) {
    const std::string_view argument = arguments.front();
    if (argument == "--help" || argument == "--version") return {};
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const LeadingOption* option = find(name);
    if (option == nullptr) return std::unexpected(unknown(name));
    arguments = arguments.subspan(1);
    std::string value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (!arguments.empty()) {
      value = arguments.front();
      arguments = arguments.subspan(1);
    } else {
      return fail(fmt::format("{} needs a value", name));
    }
    ::setenv(option->variable, value.c_str(), 1);
  }
  return {};
}

}  // namespace agentsh::client
