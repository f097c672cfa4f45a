#include "sqlguard/login/session_start.h"

#include "sqlguard/login/frame_loop.h"

#include <fmt/format.h>

namespace agentsh::sql {

LoginFailure failure_of(const Report& report) {
  LoginFailure failure{.sqlstate = std::string(report.field('C')),
                       .message = std::string(report.field('M')),
                       .detail = std::string(report.field('D')),
                       .hint = std::string(report.field('H')),
                       .by_server = true};
  if (failure.sqlstate.size() != 5) failure.sqlstate = kConnectionRejected;
  if (failure.message.empty()) failure.message = "the server refused the connection";
  return failure;
}

LoginResult<bool> SessionStartReader::take(const Frame& frame) {
  bytes_ += frame.size;
  if (bytes_ > kMaximumBytes)
    return std::unexpected(violation("the server says too much before the session is ready"));
  auto message = parse_backend(frame);
  if (!message) return std::unexpected(violation(message.error().what));
  if (const auto* status = std::get_if<ParameterStatus>(&*message)) {
    start_.parameters.emplace_back(status->name, status->value);
    return false;
  }
  if (const auto* key = std::get_if<BackendKeyData>(&*message)) {
    start_.cancel_key =
        SessionStart::CancelKey{.process = key->process, .key = {key->key.begin(), key->key.end()}};
    return false;
  }
  if (const auto* report = std::get_if<Report>(&*message)) {
    if (report->is_error) return std::unexpected(failure_of(*report));
    ByteWriter out;
    write(*message, out);
    start_.notices.insert(start_.notices.end(), out.view().begin(), out.view().end());
    return false;
  }
  if (const auto* ready = std::get_if<ReadyForQuery>(&*message)) {
    if (ready->state != ReadyForQuery::State::kIdle)
      return std::unexpected(violation("the session begins in a transaction"));
    return true;
  }
  return std::unexpected(
      violation(fmt::format("a message of type {} came before the session was ready", frame.type)));
}

LoginResult<bool> SessionStartReader::negotiated(const NegotiateProtocolVersion& answer) {
  // PostgreSQL names its newest minor version; later ones the whole version.
  const std::uint32_t minor = answer.newest_minor & 0xffff;
  if (minor > start_.minor)
    return std::unexpected(
        violation(fmt::format("the server wants version 3.{} of the protocol, which was not asked "
                              "for",
                              minor)));
  start_.minor = static_cast<std::uint16_t>(minor);
  return false;
}

}  // namespace agentsh::sql
