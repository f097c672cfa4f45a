// The logins of a declared service, from its entry in the policy.
//
// Threads: verifier_of() any; the others are pure.
#pragma once

#include "policies/model_database.h"
#include "sqlguard/login/client_login.h"
#include "sqlguard/login/relayed_login.h"
#include "sqlguard/login/upstream_login.h"

#include <memory>
#include <string_view>

namespace agentsh::sql {

// The verifier of a placeholder: made once for each text and kept, some hundred at most.
std::shared_ptr<const ScramVerifier> verifier_of(std::string_view placeholder);

// A client at a service with credentials: SCRAM with the placeholder; without one it is asked for
// nothing, which only a way that is closed to others allows (a session's). `end_point` and `tls`
// (of the client's leg) are the caller's to set.
ClientLoginOptions client_login_of(const policy::DbService& service, std::string_view user);

// Password, `tls` and `end_point` (of the server's leg) are the caller's to set.
UpstreamLoginOptions upstream_login_of(const policy::DbService& service);

// For a service without credentials.
RelayedLoginOptions relayed_login_of(const policy::DbService& service, bool client_tls);

// The role that the server sees when a client asks for `user`: for connection rules and
// upstream_startup().
std::string_view upstream_user(const policy::DbService& service, std::string_view user);

}  // namespace agentsh::sql
