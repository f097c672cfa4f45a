// Passwords as PostgreSQL prepares them for SCRAM (RFC 4013, with the fallback of its
// SCRAM implementation: what cannot be prepared is taken as the bytes that it is).
//
// Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace agentsh::sql {

// The caller wipes it. ASCII stays as it is, control characters included; so does what is not
// UTF-8, has characters that RFC 4013 prohibits or Unicode 3.2 has not assigned, or is empty
// afterwards.
std::string prepared_password(std::string_view password);

}  // namespace agentsh::sql
