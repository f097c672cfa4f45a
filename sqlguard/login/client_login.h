// The login of a client at the guard, where the guard holds the real credentials: the client proves
// a placeholder, by SCRAM-SHA-256 (over TLS with -PLUS offered, bound to the certificate that the
// client was shown), by cleartext inside TLS, or is asked for nothing where the way it came says
// who it is (a session's own connection).
//
//   ClientLogin login(options);
//   auto step = login.begin();       // send step.send; done at once for kNone
//   ... login.receive(buffer) as in upstream_login.h; done: AuthenticationOk is in step->send
//
// What comes after AuthenticationOk (ParameterStatus, BackendKeyData, ReadyForQuery) is the
// connection's to send, once it is logged in upstream. A failure takes no other form and no other
// time for a wrong user than for a wrong placeholder.
//
// One thread: the connection's. No I/O.
#pragma once

#include "base/secret_text.h"
#include "sqlguard/login/login_failure.h"
#include "sqlguard/login/session_start.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::sql {

// SCRAM's verifier of a placeholder (RFC 5802, section 3), made once and shared by connections:
// deriving it takes milliseconds.
class ScramVerifier {
 public:
  static constexpr std::uint32_t kIterations = 4096;
  // A random salt.
  static std::shared_ptr<const ScramVerifier> of(std::string_view password);
  // For tests, with vectors.
  static std::shared_ptr<const ScramVerifier> of(std::string_view password, std::string salt,
                                                 std::uint32_t iterations);

  std::string salt;
  std::uint32_t iterations = 0;
  std::array<std::uint8_t, 32> stored_key{}, server_key{};
};

struct ClientLoginOptions {
  enum class Method : std::uint8_t { kNone, kCleartext, kScram };
  Method method = Method::kScram;
  std::string user = {};           // The client's, from its StartupMessage.
  std::string required_user = {};  // Who may log in; empty: anybody who knows the placeholder.
  std::shared_ptr<const ScramVerifier> verifier = {};  // kScram; kCleartext is checked by it too.
  bool tls = false;                                    // The client's leg is encrypted.
  std::vector<std::uint8_t> end_point = {};  // Hash of the certificate that the client was shown.
  std::string service = {};                  // For messages.
  std::string nonce = {};                    // For tests. Empty: random.
};

class ClientLogin {
 public:
  explicit ClientLogin(ClientLoginOptions options);
  ClientLogin(ClientLogin&&) noexcept;
  ClientLogin& operator=(ClientLogin&&) noexcept;
  ~ClientLogin();

  LoginResult<LoginStep> begin();
  LoginResult<LoginStep> receive(Bytes bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::sql
