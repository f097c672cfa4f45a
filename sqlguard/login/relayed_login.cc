#include "sqlguard/login/relayed_login.h"

#include "sqlguard/codec/messages.h"
#include "sqlguard/login/frame_loop.h"
#include "sqlguard/login/scram.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

using Kind = Authentication::Kind;

std::unexpected<LoginFailure> refuse(std::string message, std::string hint) {
  return std::unexpected(LoginFailure{.sqlstate = std::string(kInvalidAuthorization),
                                      .message = std::move(message),
                                      .hint = std::move(hint)});
}

}  // namespace

RelayedLogin::RelayedLogin(StartupMessage startup, RelayedLoginOptions options)
    : startup_(std::move(startup)), options_(std::move(options)), reader_(startup_.minor) {}

std::vector<std::uint8_t> RelayedLogin::begin() const {
  ByteWriter out;
  write(startup_, out);
  return out.take();
}

LoginResult<LoginStep> RelayedLogin::from_server(Bytes bytes) {
  return each_frame(bytes, Direction::kBackend,
                    [this](const Frame& frame, Bytes raw, ByteWriter& out) {
                      return take_server(frame, raw, out);
                    });
}

LoginResult<bool> RelayedLogin::take_server(const Frame& frame, Bytes raw, ByteWriter& to_client) {
  if (turn_ == Turn::kDone) return std::unexpected(violation("the login is over"));
  if (turn_ == Turn::kStarting) {
    const LoginResult<bool> ready = reader_.take(frame);
    if (ready && *ready) turn_ = Turn::kDone;
    return ready;
  }
  const auto message = parse_backend(frame);
  if (!message) return std::unexpected(violation(message.error().what));
  if (const auto* report = std::get_if<Report>(&*message)) {
    if (report->is_error) return std::unexpected(failure_of(*report));
    return reader_.take(frame);
  }
  if (const auto* answer = std::get_if<NegotiateProtocolVersion>(&*message);
      answer != nullptr && turn_ == Turn::kServer && method_ == "trust")
    return reader_.negotiated(*answer);
  if (!std::holds_alternative<Authentication>(*message))
    return std::unexpected(violation(fmt::format(
        "a message of type {} came before the server had authenticated the client", frame.type)));
  if (turn_ != Turn::kServer)
    return std::unexpected(violation("the server did not wait for the client's answer"));
  return take_authentication(std::get<Authentication>(*message), raw, to_client);
}

LoginResult<bool> RelayedLogin::take_authentication(const Authentication& request, Bytes raw,
                                                    ByteWriter& to_client) {
  const bool first = method_ == "trust";
  const bool sasl = method_ == "scram-sha-256";
  switch (request.kind) {
    case Kind::kOk:
      if (sasl && !sasl_final_)
        return std::unexpected(violation("the server ended SCRAM before its last message"));
      turn_ = Turn::kStarting;
      break;
    case Kind::kCleartext:
      if (!first) return out_of_turn();
      if (!options_.allow_cleartext)
        return refuse("the server asks for the password in cleartext, which is not allowed",
                      fmt::format("Use scram-sha-256 in the server's pg_hba.conf, or set "
                                  "allow_cleartext_password of db_services.{}.",
                                  options_.service));
      method_ = "password";
      turn_ = Turn::kPassword;
      break;
    case Kind::kMd5:
      if (!first) return out_of_turn();
      if (!options_.allow_md5)
        return refuse("the server asks for md5, which is not allowed",
                      fmt::format("Use scram-sha-256 in the server's pg_hba.conf, or set "
                                  "allow_md5_password of db_services.{}.",
                                  options_.service));
      method_ = "md5";
      turn_ = Turn::kPassword;
      break;
    case Kind::kSasl:
      return first ? offer(request, to_client) : out_of_turn();
    case Kind::kSaslContinue:
      if (!sasl || sasl_final_) return out_of_turn();
      turn_ = Turn::kSasl;
      break;
    case Kind::kSaslFinal:
      if (!sasl || sasl_final_) return out_of_turn();
      sasl_final_ = true;
      break;
    default:
      return refuse("the server asks for Kerberos, GSSAPI or SSPI, which cannot be relayed",
                    fmt::format("Use scram-sha-256 in the server's pg_hba.conf, or set credentials "
                                "of db_services.{} so that the guard logs in itself.",
                                options_.service));
  }
  to_client.bytes(raw);
  return false;
}

LoginResult<bool> RelayedLogin::out_of_turn() const {
  return std::unexpected(violation("the server's authentication messages are out of turn"));
}

// SCRAM-SHA-256 alone is passed on.
LoginResult<bool> RelayedLogin::offer(const Authentication& request, ByteWriter& to_client) {
  const auto mechanisms = sasl_mechanisms(request);
  if (!mechanisms) return std::unexpected(violation(mechanisms.error().what));
  const auto offered = [&](std::string_view name) {
    return std::ranges::find(*mechanisms, name) != mechanisms->end();
  };
  const bool plus = offered(kScramSha256Plus);
  if (plus && options_.client_tls)
    return refuse(
        "a login bound to TLS (SCRAM-SHA-256-PLUS) cannot be relayed, as the client's TLS ends at "
        "the guard",
        fmt::format("Set credentials of db_services.{} so that the guard logs in itself, or "
                    "client_tls: off where the client's connection does not leave the machine.",
                    options_.service));
  if (!offered(kScramSha256))
    return refuse("the server offers no SASL mechanism that can be relayed",
                  fmt::format("Set credentials of db_services.{} so that the guard logs in itself.",
                              options_.service));
  std::string data(kScramSha256);
  data.append(2, '\0');
  write(BackendMessage(Authentication{.kind = Kind::kSasl, .data = as_bytes(data)}), to_client);
  method_ = "scram-sha-256";
  turn_ = Turn::kSaslInitial;
  return false;
}

LoginResult<LoginStep> RelayedLogin::from_client(Bytes bytes) {
  return each_frame(
      bytes, Direction::kFrontend,
      [this](const Frame& frame, Bytes raw, ByteWriter& to_server) -> LoginResult<bool> {
        if (turn_ != Turn::kPassword && turn_ != Turn::kSaslInitial && turn_ != Turn::kSasl)
          return std::unexpected(violation("the client speaks before it is asked"));
        const auto message = parse_frontend(frame);
        if (!message) return std::unexpected(violation(message.error().what));
        const auto* response = std::get_if<AuthenticationResponse>(&*message);
        if (response == nullptr)
          return std::unexpected(violation(
              fmt::format("a password was expected, not a message of type {}", frame.type)));
        if (turn_ == Turn::kPassword && !password(*response))
          return std::unexpected(violation("the client's password message is malformed"));
        if (turn_ == Turn::kSaslInitial) {
          const auto initial = sasl_initial(*response);
          if (!initial || !initial->data || initial->mechanism != kScramSha256)
            return std::unexpected(violation("the client chose a mechanism that was not offered"));
        }
        to_server.bytes(raw);
        turn_ = Turn::kServer;
        return false;
      });
}

}  // namespace agentsh::sql
