// Certificates of every good and bad kind, made on the spot.
#pragma once

#include "certs/openssl_handles.h"

#include <string>
#include <utility>
#include <vector>

namespace agentsh::net {

enum class KeyKind { kP256, kRsa2048, kRsa1024, kEd25519 };

struct CertSpec {
  std::string common_name = "test";
  std::vector<std::string> names;  // As x509v3_config(5) has them: "DNS:a.example", "IP:::1".
  int valid_from = -1;             // Days from now.
  int valid_to = 30;
  bool ca = false;
  int path_length = -1;
  KeyKind key = KeyKind::kP256;
  bool sha1 = false;
  std::string usage = "serverAuth";
  std::vector<std::pair<int, std::string>> extensions;  // More, by NID.
  std::string raw_dns;                                  // A dNSName with any bytes.
  std::string unknown_critical;                         // The OID of an extension nobody knows.
};

struct TestCert {
  certs::X509Ptr certificate;
  certs::PkeyPtr key;

  std::string pem() const;
  std::string key_pem() const;
};

// Signed by `issuer`, or by itself.
TestCert issue(const CertSpec& spec, const TestCert* issuer = nullptr);

CertSpec ca_spec(std::string name);
CertSpec host_spec(const std::string& name);

}  // namespace agentsh::net
