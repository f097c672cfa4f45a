#include "sqlguard/login/client_login.h"

#include "base/random.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/login/frame_loop.h"
#include "sqlguard/login/scram.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <optional>

namespace agentsh::sql {
namespace {

using Kind = Authentication::Kind;

void send(Kind kind, std::string_view data, ByteWriter& out) {
  write(BackendMessage(Authentication{.kind = kind, .data = as_bytes(data)}), out);
}

}  // namespace

std::shared_ptr<const ScramVerifier> ScramVerifier::of(std::string_view password) {
  std::array<std::uint8_t, 16> salt{};
  fill_random(salt);
  return of(password, std::string(as_text(salt)), kIterations);
}

std::shared_ptr<const ScramVerifier> ScramVerifier::of(std::string_view password, std::string salt,
                                                       std::uint32_t iterations) {
  const ScramKeys keys = scram_keys(password, salt, iterations);
  auto verifier = std::make_shared<ScramVerifier>();
  verifier->salt = std::move(salt);
  verifier->iterations = iterations;
  verifier->stored_key = keys.stored_key;
  verifier->server_key = keys.server_key;
  return verifier;
}

struct ClientLogin::State {
  enum class Phase : std::uint8_t { kBegin, kPassword, kSaslInitial, kSaslProof, kDone };

  explicit State(ClientLoginOptions given) : options(std::move(given)) {
    if (options.nonce.empty()) options.nonce = scram_nonce();
  }

  LoginResult<bool> begin(ByteWriter& out) {
    if (phase != Phase::kBegin) return std::unexpected(violation("the login has begun already"));
    switch (options.method) {
      case ClientLoginOptions::Method::kNone:
        if (!known_user()) return refused();
        return accept(out);
      case ClientLoginOptions::Method::kCleartext:
        if (!options.tls)
          return std::unexpected(LoginFailure{
              .sqlstate = std::string(kInvalidAuthorization),
              .message = "the password would be sent in cleartext without TLS",
              .hint = "Connect with sslmode=require, or let the guard ask for scram-sha-256."});
        send(Kind::kCleartext, {}, out);
        phase = Phase::kPassword;
        return false;
      case ClientLoginOptions::Method::kScram:
        offer(out);
        return false;
    }
    return refused();
  }

  void offer(ByteWriter& out) {
    std::string mechanisms;
    if (binds()) mechanisms.append(kScramSha256Plus).push_back('\0');
    mechanisms.append(kScramSha256).push_back('\0');
    mechanisms.push_back('\0');
    send(Kind::kSasl, mechanisms, out);
    phase = Phase::kSaslInitial;
  }

  bool binds() const { return options.tls && !options.end_point.empty(); }
  bool known_user() const {
    return options.required_user.empty() || options.user == options.required_user;
  }

  LoginResult<bool> take(const Frame& frame, ByteWriter& out) {
    if (phase == Phase::kBegin || phase == Phase::kDone)
      return std::unexpected(violation("nothing is to be said now"));
    const auto message = parse_frontend(frame);
    if (!message) return std::unexpected(violation(message.error().what));
    const auto* response = std::get_if<AuthenticationResponse>(&*message);
    if (response == nullptr)
      return std::unexpected(
          violation(fmt::format("a password was expected, not a message of type {}", frame.type)));
    if (phase == Phase::kPassword) return check_password(*response, out);
    if (phase == Phase::kSaslInitial) return begin_scram(*response, out);
    return finish_scram(*response, out);
  }

  LoginResult<bool> check_password(const AuthenticationResponse& response, ByteWriter& out) {
    const auto given = password(response);
    if (!given) return std::unexpected(violation(given.error().what));
    if (!options.verifier) return refused();
    const ScramKeys keys = scram_keys(*given, options.verifier->salt, options.verifier->iterations);
    const ScramHash& expected = options.verifier->stored_key;
    const bool right = CRYPTO_memcmp(keys.stored_key.data(), expected.data(), expected.size()) == 0;
    return right && known_user() ? accept(out) : refused();
  }

  LoginResult<bool> begin_scram(const AuthenticationResponse& response, ByteWriter& out) {
    const auto initial = sasl_initial(response);
    if (!initial) return std::unexpected(violation(initial.error().what));
    const bool plus = initial->mechanism == kScramSha256Plus;
    if (initial->mechanism != kScramSha256 && !(plus && binds()))
      return std::unexpected(violation("the client chose a mechanism that was not offered"));
    if (!initial->data) return std::unexpected(violation("the first message of SCRAM is missing"));
    if (!options.verifier) return refused();
    scram.emplace(binds(), plus, options.end_point, options.nonce);
    const auto first = scram->answer(as_text(*initial->data), options.verifier->salt,
                                     options.verifier->iterations);
    if (!first) return failed(first.error());
    send(Kind::kSaslContinue, *first, out);
    phase = Phase::kSaslProof;
    return false;
  }

  LoginResult<bool> finish_scram(const AuthenticationResponse& response, ByteWriter& out) {
    const auto final = scram->finish(as_text(response.data), options.verifier->stored_key,
                                     options.verifier->server_key);
    if (!final) return failed(final.error());
    if (!*final || !known_user()) return refused();
    send(Kind::kSaslFinal, **final, out);
    return accept(out);
  }

  LoginResult<bool> accept(ByteWriter& out) {
    send(Kind::kOk, {}, out);
    phase = Phase::kDone;
    return true;
  }

  // What is malformed breaks the protocol; what does not fit is a failed login.
  LoginResult<bool> failed(const Error& error) const {
    if (error.code == std::errc::bad_message) return std::unexpected(violation(error.what));
    return std::unexpected(
        LoginFailure{.sqlstate = std::string(kInvalidAuthorization), .message = error.what});
  }

  LoginResult<bool> refused() const {
    return std::unexpected(LoginFailure{
        .sqlstate = std::string(kInvalidPassword),
        .message = fmt::format("the guard of {} does not know user \"{}\" with this password",
                               options.service, options.user),
        .hint = "Log in with the placeholder that the service's credentials name: the database's "
                "own password is put in by the guard."});
  }

  ClientLoginOptions options;
  Phase phase = Phase::kBegin;
  std::optional<ScramServer> scram;
};

ClientLogin::ClientLogin(ClientLoginOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}
ClientLogin::ClientLogin(ClientLogin&&) noexcept = default;
ClientLogin& ClientLogin::operator=(ClientLogin&&) noexcept = default;
ClientLogin::~ClientLogin() = default;

LoginResult<LoginStep> ClientLogin::begin() {
  ByteWriter out;
  const LoginResult<bool> done = state_->begin(out);
  if (!done) return std::unexpected(done.error());
  return LoginStep{.send = out.take(), .done = *done};
}

LoginResult<LoginStep> ClientLogin::receive(Bytes bytes) {
  return each_frame(
      bytes, Direction::kFrontend,
      [this](const Frame& frame, Bytes, ByteWriter& out) { return state_->take(frame, out); });
}

}  // namespace agentsh::sql
