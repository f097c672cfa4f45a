// What clients of the control API send: the first line is a request target, the rest a body that is
// read as every kind of request. Nothing accepted is out of its limits, and what is refused has a
// sentence.
#include "appliance/api/router.h"
#include "appliance/sessions/exec_request.h"
#include "appliance/sessions/session_request.h"
#include "base/json_reader.h"

#include <cstdlib>
#include <string_view>

namespace {

using namespace agentsh;

void require(bool condition) {
  if (!condition) std::abort();
}

void read_target(std::string_view target) {
  api::Request request;
  if (!api::parse_target(target, request)) return;
  require(request.path.starts_with('/'));
  require(!request.path.contains('\0'));
}

void read_body(std::string_view body) {
  const auto document = JsonDocument::parse(body);
  if (!document) {
    require(!document.error().what.empty());
    return;
  }
  const auto session = SessionRequest::parse(document->root());
  if (session) {
    require(session->workspace.starts_with('/'));
    require(session->id.empty() || valid_session_id(session->id));
  } else {
    require(!session.error().what.empty());
  }
  const auto command = ExecRequest::parse(document->root());
  if (command) {
    require(!command->command.empty());
    require(command->terminal_fds < 8);
    require(!command->command_line().empty());
  } else {
    require(!command.error().what.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  read_target(text.substr(0, line));
  read_body(text.substr(std::min(line + 1, text.size())));
  return 0;
}
