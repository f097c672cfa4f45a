// A login that the client and the upstream server do between themselves, messages passed through
// and checked: only authentication messages, of bounded size, in turn.
//
// SCRAM-SHA-256-PLUS cannot cross the guard, which has a certificate of its own: it is taken out of
// the server's offer. A client without TLS on its leg does not miss it; one with TLS tells the
// server that it could have bound the channel, and the server would refuse (RFC 5802, section 6),
// so that combination is refused here, with what to set instead.
//
//   RelayedLogin login(startup, options);
//   to the server: login.begin()
//   bytes from the server: auto step = login.from_server(buffer): step->send goes to the client
//   bytes from the client: auto step = login.from_client(buffer): step->send goes to the server
//   until step->done of from_server(), then login.start(): the messages between AuthenticationOk,
//   which the client has got, and ReadyForQuery, which it has not
//
// One thread: the connection's. No I/O.
#pragma once

#include "sqlguard/codec/startup.h"
#include "sqlguard/login/login_failure.h"
#include "sqlguard/login/session_start.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

struct RelayedLoginOptions {
  bool client_tls = false;
  // Cleartext towards the server; over TLS on both legs, or a leg that never leaves the machine.
  bool allow_cleartext = false;
  bool allow_md5 = true;
  std::string service = {};  // For messages.
};

class RelayedLogin {
 public:
  RelayedLogin(StartupMessage startup, RelayedLoginOptions options);

  std::vector<std::uint8_t> begin() const;
  LoginResult<LoginStep> from_server(Bytes bytes);
  // Before the server has asked, and after AuthenticationOk, nothing may come.
  LoginResult<LoginStep> from_client(Bytes bytes);

  // The server waits for an answer of the client.
  bool awaits_client() const { return turn_ != Turn::kServer && turn_ < Turn::kStarting; }

  const SessionStart& start() const { return reader_.start(); }
  std::string_view method() const { return method_; }

 private:
  enum class Turn : std::uint8_t { kServer, kPassword, kSaslInitial, kSasl, kStarting, kDone };

  LoginResult<bool> take_server(const Frame& frame, Bytes raw, ByteWriter& to_client);
  LoginResult<bool> take_authentication(const Authentication& request, Bytes raw,
                                        ByteWriter& to_client);
  LoginResult<bool> out_of_turn() const;
  LoginResult<bool> offer(const Authentication& request, ByteWriter& to_client);

  StartupMessage startup_;
  RelayedLoginOptions options_;
  SessionStartReader reader_;
  Turn turn_ = Turn::kServer;
  bool sasl_final_ = false;  // The server's last word of SCRAM has passed.
  std::string_view method_ = "trust";
};

}  // namespace agentsh::sql
