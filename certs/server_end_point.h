// The channel binding tls-server-end-point of a certificate (RFC 5929, section 4.1): its hash by
// the hash function of its signature, SHA-256 in place of MD5 and SHA-1.
//
// Threads: pure.
#pragma once

#include <cstdint>
#include <vector>

struct x509_st;

namespace agentsh::certs {

// Empty for a certificate whose signature has no hash function of its own (Ed25519), for which the
// binding is not defined.
std::vector<std::uint8_t> server_end_point(x509_st* certificate);

}  // namespace agentsh::certs
