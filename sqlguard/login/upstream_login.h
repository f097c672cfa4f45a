// Our own login at an upstream server, from the StartupMessage to the first ReadyForQuery: trust, a
// certificate (the server then asks for nothing), cleartext where it is allowed, md5 where it is
// allowed, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677; tls-server-end-point of RFC 5929).
//
//   UpstreamLogin login(startup, std::move(options));
//   send(login.begin());
//   loop: append what is received to `buffer`;
//         auto step = login.receive(buffer);            // fails: tell the client step.error()
//         drop step->taken bytes from the front, send step->send;
//         until step->done                              // then login.start()
//
// A server that does not prove that it knows the password, or that answers SCRAM without its
// last step, is refused. Messages are bounded by the small limit of the codec.
//
// One thread: the connection's. No I/O. CPU: SCRAM takes the server's iterations, some 0.5 µs each.
#pragma once

#include "base/secret_text.h"
#include "sqlguard/codec/startup.h"
#include "sqlguard/login/login_failure.h"
#include "sqlguard/login/session_start.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

enum class ChannelBinding : std::uint8_t { kDisable, kPrefer, kRequire };

struct UpstreamLoginOptions {
  std::shared_ptr<const SecretText> password = {};  // Null: none; a server that asks is refused.
  bool tls = false;                                 // The leg to the server is encrypted.
  // The server certificate's hash (net::TlsStream::server_end_point()); empty: no binding.
  std::vector<std::uint8_t> end_point = {};
  ChannelBinding channel_binding = ChannelBinding::kPrefer;
  bool allow_cleartext = false;
  bool allow_md5 = true;
  std::uint32_t maximum_iterations = 200'000;
  std::string service = {};  // For messages.
  std::string nonce = {};    // Of SCRAM; for tests. Empty: random.
};

class UpstreamLogin {
 public:
  // `startup`: what goes to the server (upstream_startup() in startup_settings.h).
  UpstreamLogin(StartupMessage startup, UpstreamLoginOptions options);
  UpstreamLogin(UpstreamLogin&&) noexcept;
  UpstreamLogin& operator=(UpstreamLogin&&) noexcept;
  ~UpstreamLogin();

  // The first bytes to send: the StartupMessage.
  std::vector<std::uint8_t> begin() const;
  // `bytes`: what was received and not taken yet. After a failure the connection is to be closed.
  LoginResult<LoginStep> receive(Bytes bytes);

  // After done.
  const SessionStart& start() const;
  // For events: "trust", "password", "md5", "scram-sha-256", "scram-sha-256-plus".
  std::string_view method() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::sql
