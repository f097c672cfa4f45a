// Small steps of building a certificate, shared by the authority and its leaves. Only .cc files
// include this. The bool ones leave their reason in OpenSSL's error queue.
#pragma once

#include "base/time_format.h"
#include "certs/openssl_handles.h"
#include "certs/pem.h"

#include <string_view>

namespace agentsh::certs {

bool add_name_entry(X509_NAME* name, int nid, std::string_view value);

// 127 random bits, positive: unpredictable, as CA/Browser Forum rules ask.
bool set_random_serial(X509* certificate);

bool set_validity(X509* certificate, WallTime not_before, WallTime not_after);

// An extension by OpenSSL's configuration syntax (x509v3_config(5)). Slow: for certificates that
// are made once.
Result<> add_extension(X509* certificate, int nid, const char* value);

Result<Der> to_der(X509* certificate);

WallTime to_wall_time(const ASN1_TIME* time);

}  // namespace agentsh::certs
