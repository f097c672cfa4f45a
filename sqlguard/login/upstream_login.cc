#include "sqlguard/login/upstream_login.h"

#include "base/encoding.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/login/frame_loop.h"
#include "sqlguard/login/scram.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>

namespace agentsh::sql {
namespace {

std::unexpected<LoginFailure> refuse(std::string_view sqlstate, std::string message,
                                     std::string hint = {}) {
  return std::unexpected(LoginFailure{
      .sqlstate = std::string(sqlstate), .message = std::move(message), .hint = std::move(hint)});
}

std::optional<std::string> md5_hex(std::string_view text, std::string_view more) {
  std::string all;
  all.reserve(text.size() + more.size());
  all.append(text).append(more);
  std::array<std::uint8_t, 16> hash{};
  const int done = EVP_Digest(all.data(), all.size(), hash.data(), nullptr, EVP_md5(), nullptr);
  wipe(all);
  if (done != 1) return std::nullopt;
  return to_hex(hash);
}

void send_response(std::string_view data, bool ends_with_nul, ByteWriter& out) {
  std::string body(data);
  if (ends_with_nul) body.push_back('\0');
  write(FrontendMessage(AuthenticationResponse{as_bytes(body)}), out);
  wipe(body);
}

}  // namespace

struct UpstreamLogin::State {
  enum class Phase : std::uint8_t {
    kAsked,       // The StartupMessage is sent.
    kAnswered,    // A password is sent.
    kSaslFirst,   // The first message of SCRAM is sent.
    kSaslAnswer,  // The proof is sent.
    kSaslFinal,   // The server has shown that it knows the password.
    kStarting,    // AuthenticationOk came.
    kDone,
  };

  State(StartupMessage message, UpstreamLoginOptions given)
      : startup(std::move(message)), options(std::move(given)), reader(startup.minor) {}

  LoginResult<bool> take(const Frame& frame, ByteWriter& out) {
    if (phase == Phase::kDone) return std::unexpected(violation("the login is over"));
    if (phase == Phase::kStarting) {
      const LoginResult<bool> ready = reader.take(frame);
      if (ready && *ready) phase = Phase::kDone;
      return ready;
    }
    const auto message = parse_backend(frame);
    if (!message) return std::unexpected(violation(message.error().what));
    if (const auto* report = std::get_if<Report>(&*message)) {
      if (report->is_error) return std::unexpected(failure_of(*report));
      return reader.take(frame);
    }
    if (const auto* answer = std::get_if<NegotiateProtocolVersion>(&*message);
        answer != nullptr && phase == Phase::kAsked)
      return reader.negotiated(*answer);
    const auto* request = std::get_if<Authentication>(&*message);
    if (request == nullptr)
      return std::unexpected(violation(fmt::format(
          "a message of type {} came before the server had authenticated us", frame.type)));
    return authenticate(*request, out);
  }

  LoginResult<bool> authenticate(const Authentication& request, ByteWriter& out) {
    using Kind = Authentication::Kind;
    switch (request.kind) {
      case Kind::kOk:
        return accepted();
      case Kind::kSaslContinue:
        return phase == Phase::kSaslFirst ? prove(request.data, out) : out_of_turn();
      case Kind::kSaslFinal:
        return phase == Phase::kSaslAnswer ? verify(request.data) : out_of_turn();
      default:
        break;
    }
    if (phase != Phase::kAsked) return out_of_turn();
    if (options.channel_binding == ChannelBinding::kRequire && request.kind != Kind::kSasl)
      return binding_missing();
    switch (request.kind) {
      case Kind::kCleartext:
        return cleartext(out);
      case Kind::kMd5:
        return md5(request.data, out);
      case Kind::kSasl:
        return begin_scram(request, out);
      default:
        return refuse(kFeatureNotSupported,
                      "the server asks for Kerberos, GSSAPI or SSPI, which are not spoken here",
                      "Let the server accept scram-sha-256 or a certificate from the guard.");
    }
  }

  LoginResult<bool> out_of_turn() const {
    return std::unexpected(violation("the server's authentication messages are out of turn"));
  }
  LoginResult<bool> binding_missing() const {
    return refuse(kInvalidAuthorization,
                  "channel binding is required, and the server did not do it",
                  fmt::format("Use TLS towards the server and scram-sha-256 in its pg_hba.conf, or "
                              "set channel_binding of db_services.{} to prefer.",
                              options.service));
  }
  LoginResult<bool> no_password() const {
    return refuse(kInvalidAuthorization, "the server asks for a password, and there is none",
                  fmt::format("Set credentials.password of db_services.{}.", options.service));
  }

  LoginResult<bool> accepted() {
    if (phase == Phase::kSaslFirst || phase == Phase::kSaslAnswer)
      return refuse(kInvalidAuthorization, "the server did not show that it knows the password");
    if (options.channel_binding == ChannelBinding::kRequire && method != kPlusMethod)
      return binding_missing();
    phase = Phase::kStarting;
    return false;
  }

  LoginResult<bool> cleartext(ByteWriter& out) {
    if (!options.allow_cleartext)
      return refuse(kInvalidAuthorization,
                    "the server asks for the password in cleartext, which is not allowed",
                    fmt::format("Use scram-sha-256 in the server's pg_hba.conf, or set "
                                "allow_cleartext_password of db_services.{}.",
                                options.service));
    if (!options.password) return no_password();
    if (options.password->view().contains('\0')) return no_nul();
    method = "password";
    send_response(options.password->view(), true, out);
    phase = Phase::kAnswered;
    return false;
  }

  LoginResult<bool> md5(Bytes salt, ByteWriter& out) {
    if (!options.allow_md5)
      return refuse(kInvalidAuthorization, "the server asks for md5, which is not allowed",
                    fmt::format("Use scram-sha-256 in the server's pg_hba.conf, or set "
                                "allow_md5_password of db_services.{}.",
                                options.service));
    if (!options.password) return no_password();
    if (salt.size() != 4) return std::unexpected(violation("the salt of md5 is not 4 bytes long"));
    const auto inner = md5_hex(options.password->view(), startup.parameter("user"));
    const auto outer = inner ? md5_hex(*inner, as_text(salt)) : std::nullopt;
    if (!outer) return refuse(kInvalidAuthorization, "MD5 is switched off on this host");
    method = "md5";
    send_response("md5" + *outer, true, out);
    phase = Phase::kAnswered;
    return false;
  }

  LoginResult<bool> no_nul() const {
    return refuse(kInvalidAuthorization, "the password holds a NUL, which cannot be sent");
  }

  LoginResult<bool> begin_scram(const Authentication& request, ByteWriter& out) {
    const auto mechanisms = sasl_mechanisms(request);
    if (!mechanisms) return std::unexpected(violation(mechanisms.error().what));
    const auto offered = [&](std::string_view name) {
      return std::ranges::find(*mechanisms, name) != mechanisms->end();
    };
    const bool can_bind = options.tls && !options.end_point.empty() &&
                          options.channel_binding != ChannelBinding::kDisable;
    const bool plus = can_bind && offered(kScramSha256Plus);
    if (!plus && options.channel_binding == ChannelBinding::kRequire) return binding_missing();
    if (!plus && !offered(kScramSha256))
      return refuse(
          kFeatureNotSupported, "the server offers no SASL mechanism that can be used here",
          offered(kScramSha256Plus) ? "It offers SCRAM-SHA-256-PLUS only: channel binding "
                                      "must not be disabled."
                                    : "");
    if (!options.password) return no_password();
    const Gs2Flag flag = plus ? Gs2Flag::kBound : can_bind ? Gs2Flag::kUnoffered : Gs2Flag::kNone;
    method = plus ? kPlusMethod : "scram-sha-256";
    scram.emplace(flag, options.end_point, options.nonce.empty() ? scram_nonce() : options.nonce);
    const std::string first = scram->first();
    ByteWriter body;
    body.text(plus ? kScramSha256Plus : kScramSha256);
    body.u8(0);
    body.u32(static_cast<std::uint32_t>(first.size()));
    body.text(first);
    write(FrontendMessage(AuthenticationResponse{body.view()}), out);
    phase = Phase::kSaslFirst;
    return false;
  }

  LoginResult<bool> prove(Bytes data, ByteWriter& out) {
    auto answer =
        scram->answer(as_text(data), options.password->view(), options.maximum_iterations);
    if (!answer) return std::unexpected(violation(answer.error().what));
    send_response(*answer, false, out);
    phase = Phase::kSaslAnswer;
    return false;
  }

  LoginResult<bool> verify(Bytes data) {
    if (auto verified = scram->verify(as_text(data)); !verified)
      return refuse(kInvalidAuthorization, verified.error().what);
    phase = Phase::kSaslFinal;
    return false;
  }

  static constexpr std::string_view kPlusMethod = "scram-sha-256-plus";

  StartupMessage startup;
  UpstreamLoginOptions options;
  SessionStartReader reader;
  Phase phase = Phase::kAsked;
  std::optional<ScramClient> scram;
  std::string_view method = "trust";
};

UpstreamLogin::UpstreamLogin(StartupMessage startup, UpstreamLoginOptions options)
    : state_(std::make_unique<State>(std::move(startup), std::move(options))) {}
UpstreamLogin::UpstreamLogin(UpstreamLogin&&) noexcept = default;
UpstreamLogin& UpstreamLogin::operator=(UpstreamLogin&&) noexcept = default;
UpstreamLogin::~UpstreamLogin() = default;

std::vector<std::uint8_t> UpstreamLogin::begin() const {
  ByteWriter out;
  write(state_->startup, out);
  return out.take();
}

LoginResult<LoginStep> UpstreamLogin::receive(Bytes bytes) {
  return each_frame(bytes, Direction::kBackend, [this](const Frame& frame, Bytes, ByteWriter& out) {
    return state_->take(frame, out);
  });
}

const SessionStart& UpstreamLogin::start() const {
  return state_->reader.start();
}

std::string_view UpstreamLogin::method() const {
  return state_->method;
}

}  // namespace agentsh::sql
