// The trust store of Java programs: a JKS file (the format of keytool since JDK 1.2), which Java 8
// to 21 read as their cacerts whatever type they would write themselves.
#pragma once

#include "certs/pem.h"

#include <span>
#include <string>

namespace agentsh::certs {

// The password that every JDK ships its cacerts with; it only guards against bit errors.
inline constexpr const char* kJavaStorePassword = "changeit";

// A store that trusts `certificates`. The aliases are taken from their SHA-256.
std::string java_trust_store(std::span<const Der> certificates);

}  // namespace agentsh::certs
