#include "proxy/flows/http_inspector.h"

#include <fmt/format.h>

namespace agentsh::flows {
namespace asio = boost::asio;

InspectorRefusal HttpInspector::refusal_for(const policy::Verdict& verdict) {
  InspectorRefusal refusal;
  refusal.code = "request_denied";
  refusal.rule = verdict.rule();
  refusal.message = fmt::format("The request is denied by rule {}", verdict.rule());
  refusal.message += verdict.message().empty() ? "." : ": " + verdict.message();
  return refusal;
}

boost::asio::awaitable<std::optional<InspectorRefusal>> HttpInspector::prepare(
    boost::asio::any_io_executor) {
  co_return std::nullopt;
}

asio::awaitable<CollectedEnd> HttpInspector::on_request_collected(std::string_view,
                                                                  asio::any_io_executor) {
  co_return CollectedEnd{};
}

}  // namespace agentsh::flows
