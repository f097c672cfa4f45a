// Servers whose certificates are good, and all the ways in which they are not.
#include "tests/unit/net/tls_peer.h"
#include "tests/unit/net/tls_testing.h"

#include <gmock/gmock.h>

#include <functional>

namespace agentsh::net {
namespace {

using std::chrono::milliseconds;
using test::run_loop;
using ::testing::HasSubstr;

constexpr const char* kHost = "www.example.com";

// A root that the client trusts, an intermediate, and a root that nobody knows.
struct Pki {
  TestCert root = issue(ca_spec("Trusted Root"));
  TestCert intermediate = issue(ca_spec("Intermediate"), &root);
  TestCert stranger = issue(ca_spec("Stranger Root"));
};

const Pki& pki() {
  static const Pki shared;
  return shared;
}

struct Served {
  TestCert leaf;
  std::vector<const TestCert*> chain;
  std::vector<TestCert> owned;  // Made for this case; sent after `chain`.
};

Served simple(TestCert leaf) {
  return {.leaf = std::move(leaf)};
}
Served under_root(CertSpec spec) {
  return simple(issue(spec, &pki().root));
}

CertSpec spec_with(const std::function<void(CertSpec&)>& change) {
  CertSpec spec = host_spec(kHost);
  change(spec);
  return spec;
}

struct Case {
  const char* label;
  std::function<Served()> serve;
  TlsErrc code;  // {} when it is good.
  const char* says;
  const char* host = kHost;
};

Served with_own_ca(CertSpec ca, CertSpec leaf) {
  Served served;
  served.owned.push_back(issue(ca, &pki().root));
  served.leaf = issue(leaf, &served.owned.back());
  return served;
}

Served tampered() {
  TestCert leaf = issue(host_spec(kHost), &pki().root);
  // The signature is that of another certificate.
  const TestCert other = issue(host_spec("other.example"), &pki().root);
  const ASN1_BIT_STRING* signature = nullptr;
  const ASN1_BIT_STRING* foreign = nullptr;
  X509_get0_signature(&signature, nullptr, leaf.certificate.get());
  X509_get0_signature(&foreign, nullptr, other.certificate.get());
  ASN1_STRING_copy(const_cast<ASN1_BIT_STRING*>(signature), foreign);
  return simple(std::move(leaf));
}

CertSpec many_names(int count) {
  return spec_with([count](CertSpec& spec) {
    spec.names.clear();
    for (int i = 0; i < count; ++i) {
      spec.names.push_back("DNS:host-" + std::to_string(i) + ".example");
    }
  });
}

const std::vector<Case>& bad_cases() {
  static const std::vector<Case> cases = {
      {"expired",
       [] {
         return under_root(spec_with([](CertSpec& s) { s.valid_from = -20, s.valid_to = -10; }));
       },
       TlsErrc::kExpired, "its certificate has expired on 20"},
      {"not yet valid",
       [] { return under_root(spec_with([](CertSpec& s) { s.valid_from = 10; })); },
       TlsErrc::kNotYetValid, "is valid from 20"},
      {"wrong host", [] { return under_root(host_spec("other.example")); },
       TlsErrc::kHostnameMismatch, "certificate is for other.example, not for this name"},
      {"many other hosts", [] { return under_root(many_names(1000)); }, TlsErrc::kHostnameMismatch,
       "host-0.example, host-1.example, host-2.example, host-3.example, host-4.example and 995 "
       "more"},
      {"self-signed", [] { return simple(issue(host_spec(kHost))); }, TlsErrc::kSelfSigned,
       "self-signed"},
      {"untrusted root, sent",
       [] {
         return Served{.leaf = issue(host_spec(kHost), &pki().stranger),
                       .chain = {&pki().stranger}};
       },
       TlsErrc::kUntrustedRoot, "self-signed certificate in chain: its root 'Stranger Root'"},
      {"untrusted root, not sent", [] { return simple(issue(host_spec(kHost), &pki().stranger)); },
       TlsErrc::kUnknownAuthority, "unknown CA: 'Stranger Root'"},
      {"incomplete chain", [] { return simple(issue(host_spec(kHost), &pki().intermediate)); },
       TlsErrc::kUnknownAuthority,
       "'Intermediate', which issued its certificate, is not in the trust store and the server did "
       "not send"},
      {"expired intermediate",
       [] {
         CertSpec ca = ca_spec("Old Intermediate");
         ca.valid_from = -20, ca.valid_to = -10;
         return with_own_ca(ca, host_spec(kHost));
       },
       TlsErrc::kExpired, "its issuer's certificate 'Old Intermediate' has expired"},
      {"no alternative name",
       [] { return under_root(spec_with([](CertSpec& s) { s.names.clear(); })); },
       TlsErrc::kHostnameMismatch, "names no host"},
      {"wildcard one level up",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"DNS:*.com"}; })); },
       TlsErrc::kHostnameMismatch, "*.com"},
      {"wildcard two levels",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"DNS:*.example.com"}; })); },
       TlsErrc::kHostnameMismatch, "*.example.com", "a.b.example.com"},
      {"partial wildcard",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"DNS:w*.example.com"}; })); },
       TlsErrc::kHostnameMismatch, "w*.example.com"},
      {"NUL in the name",
       [] {
         return under_root(spec_with([](CertSpec& s) {
           s.names.clear();
           s.raw_dns = std::string("www.example.com\0.evil.example", 29);
         }));
       },
       TlsErrc::kHostnameMismatch, "\\x00"},
      {"address as a DNS name",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"DNS:192.0.2.1"}; })); },
       TlsErrc::kHostnameMismatch, "192.0.2.1", "192.0.2.1"},
      {"another address",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"IP:192.0.2.2"}; })); },
       TlsErrc::kHostnameMismatch, "192.0.2.2", "192.0.2.1"},
      {"for clients only",
       [] { return under_root(spec_with([](CertSpec& s) { s.usage = "clientAuth"; })); },
       TlsErrc::kWrongPurpose, "purpose"},
      {"RSA with 1024 bits",
       [] { return under_root(spec_with([](CertSpec& s) { s.key = KeyKind::kRsa1024; })); },
       TlsErrc::kWeak, "key too weak"},
      {"SHA-1", [] { return under_root(spec_with([](CertSpec& s) { s.sha1 = true; })); },
       TlsErrc::kWeak, "too weak"},
      {"issuer that is no CA",
       [] {
         CertSpec ca = host_spec("not-a-ca.example");
         return with_own_ca(ca, host_spec(kHost));
       },
       TlsErrc::kBadCertificate, "CA"},
      {"path length exceeded",
       [] {
         CertSpec ca = ca_spec("Short");
         ca.path_length = 0;
         Served served;
         served.owned.reserve(2);
         served.owned.push_back(issue(ca, &pki().root));
         served.owned.push_back(issue(ca_spec("Below"), &served.owned[0]));
         served.leaf = issue(host_spec(kHost), &served.owned[1]);
         return served;
       },
       TlsErrc::kBadCertificate, "path length"},
      {"name constraints",
       [] {
         CertSpec ca = ca_spec("Constrained");
         ca.extensions = {{NID_name_constraints, "critical,permitted;DNS:other.example"}};
         return with_own_ca(ca, host_spec(kHost));
       },
       TlsErrc::kBadCertificate, "permitted subtree"},
      {"unknown critical extension",
       [] { return under_root(spec_with([](CertSpec& s) { s.unknown_critical = "1.2.3.4.5"; })); },
       TlsErrc::kBadCertificate, "critical extension"},
      {"tampered", [] { return tampered(); }, TlsErrc::kBadCertificate, "signature"},
  };
  return cases;
}

const std::vector<Case>& good_cases() {
  static const std::vector<Case> cases = {
      {"P-256", [] { return under_root(host_spec(kHost)); }, {}, ""},
      {"RSA",
       [] { return under_root(spec_with([](CertSpec& s) { s.key = KeyKind::kRsa2048; })); },
       {},
       ""},
      {"Ed25519",
       [] { return under_root(spec_with([](CertSpec& s) { s.key = KeyKind::kEd25519; })); },
       {},
       ""},
      {"with intermediate",
       [] {
         return Served{.leaf = issue(host_spec(kHost), &pki().intermediate),
                       .chain = {&pki().intermediate}};
       },
       {},
       ""},
      {"intermediate and root sent",
       [] {
         return Served{.leaf = issue(host_spec(kHost), &pki().intermediate),
                       .chain = {&pki().intermediate, &pki().root}};
       },
       {},
       ""},
      {"wildcard",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"DNS:*.example.com"}; })); },
       {},
       ""},
      {"1000 names",
       [] {
         CertSpec spec = many_names(999);
         spec.names.push_back(std::string("DNS:") + kHost);
         return under_root(spec);
       },
       {},
       ""},
      {"IPv4",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"IP:192.0.2.1"}; })); },
       {},
       "",
       "192.0.2.1"},
      {"IPv6",
       [] { return under_root(spec_with([](CertSpec& s) { s.names = {"IP:2001:db8::1"}; })); },
       {},
       "",
       "2001:db8::1"},
  };
  return cases;
}

Result<std::unique_ptr<TlsStream>> connect_to(TlsPair& tls, const Case& one, int version) {
  Served served = one.serve();
  PeerSpec spec{.certificate = &served.leaf, .chain = served.chain, .max_version = version};
  for (const TestCert& more : served.owned) spec.chain.push_back(&more);
  const TlsPeer peer(std::move(spec));
  auto tcp =
      run_loop(tls.loop, connect(tls.loop.get_executor(), peer.endpoint(), milliseconds(5000)));
  if (!tcp) return std::unexpected(tcp.error());
  tls.client_options.host = one.host;
  auto stream = run_loop(tls.loop, connect_tls(tls.clients, std::move(*tcp), tls.client_options));
  if (stream) {
    EXPECT_TRUE(run_loop(tls.loop, write(**stream, as_bytes("ping"))));
    EXPECT_EQ(tls.read_up_to(**stream, 4).value(), "ping");
    EXPECT_TRUE(run_loop(tls.loop, (*stream)->shutdown_write()));
    EXPECT_EQ(tls.read_up_to(**stream, 1).value(), "") << "the peer's close_notify";
  }
  return stream;
}

class Upstream : public ::testing::TestWithParam<int> {
 protected:
  Upstream() {
    tls_.clients =
        ClientContext::create(certs::TrustStore::from_pem(pki().root.pem()).value()).value();
  }
  TlsPair tls_;
};

TEST_P(Upstream, GoodCertificatesAreTaken) {
  for (const Case& one : good_cases()) {
    auto stream = connect_to(tls_, one, GetParam());
    EXPECT_TRUE(stream) << one.label << ": " << stream.error().what;
  }
}

TEST_P(Upstream, BadCertificatesAreRefusedAndSaidWhy) {
  for (const Case& one : bad_cases()) {
    auto stream = connect_to(tls_, one, GetParam());
    ASSERT_FALSE(stream) << one.label;
    EXPECT_EQ(stream.error().code, one.code) << one.label << ": " << stream.error().what;
    EXPECT_TRUE(is_certificate_error(stream.error().code)) << one.label;
    EXPECT_THAT(stream.error().what, HasSubstr(one.says)) << one.label;
    EXPECT_THAT(stream.error().what, ::testing::StartsWith(std::string(one.host) + ": "));
    for (const char c : stream.error().what) ASSERT_TRUE(c >= ' ' && c < 127) << one.label;
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, Upstream, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) {
                           return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST(UpstreamTrust, ASingleServersCertificateCanBeTrusted) {
  const TestCert lonely = issue(host_spec(kHost));
  TlsPair tls;
  tls.clients = ClientContext::create(certs::TrustStore::from_pem(lonely.pem()).value()).value();
  const TlsPeer peer({.certificate = &lonely});
  auto tcp =
      run_loop(tls.loop, connect(tls.loop.get_executor(), peer.endpoint(), milliseconds(5000)));
  ASSERT_TRUE(tcp);
  auto stream = run_loop(tls.loop, connect_tls(tls.clients, std::move(*tcp), tls.client_options));
  EXPECT_TRUE(stream) << stream.error().what;
}

TEST(UpstreamSessions, AreResumedWithBothVersions) {
  const TestCert root = issue(ca_spec("root"));
  const TestCert leaf = issue(host_spec(kHost), &root);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPair tls;
    tls.clients = ClientContext::create(certs::TrustStore::from_pem(root.pem()).value()).value();
    const TlsPeer peer({.certificate = &leaf, .max_version = version, .connections = 3});
    for (int i = 0; i < 3; ++i) {
      auto tcp =
          run_loop(tls.loop, connect(tls.loop.get_executor(), peer.endpoint(), milliseconds(5000)));
      ASSERT_TRUE(tcp);
      auto stream =
          run_loop(tls.loop, connect_tls(tls.clients, std::move(*tcp), tls.client_options));
      ASSERT_TRUE(stream) << stream.error().what;
      EXPECT_TRUE(run_loop(tls.loop, write(**stream, as_bytes("ping"))));
      EXPECT_EQ(tls.read_up_to(**stream, 4).value(), "ping");
      EXPECT_EQ((*stream)->info().resumed, i > 0) << version;
    }
  }
}

TEST(UpstreamProtocols, HttpIsWhatWeOffer) {
  const TestCert root = issue(ca_spec("root"));
  const TestCert leaf = issue(host_spec(kHost), &root);
  for (const auto& [wants, agreed] : {std::pair("http/1.1", "http/1.1"), {"h2", ""}, {"", ""}}) {
    TlsPair tls;
    tls.clients = ClientContext::create(certs::TrustStore::from_pem(root.pem()).value()).value();
    const TlsPeer peer({.certificate = &leaf, .alpn = wants});
    auto tcp =
        run_loop(tls.loop, connect(tls.loop.get_executor(), peer.endpoint(), milliseconds(5000)));
    ASSERT_TRUE(tcp);
    auto stream = run_loop(tls.loop, connect_tls(tls.clients, std::move(*tcp), tls.client_options));
    ASSERT_TRUE(stream) << stream.error().what;
    EXPECT_EQ((*stream)->info().alpn, agreed);
  }
}

}  // namespace
}  // namespace agentsh::net
