// Leaf certificates, minted for the host that a sandboxed program asks for.
//
// One P-256 key serves all leaves of a factory, so minting is one signature. A leaf names exactly
// its host: a dNSName or an iPAddress (RFC 5280), for serverAuth only, valid from an hour ago for a
// week.
//
//   auto factory = LeafFactory::create(authority);
//   auto leaf = (*factory)->mint("www.example.com");
//
// Threads: mint() from any number at once; a Leaf does not change.
#pragma once

#include "base/result.h"
#include "base/time_format.h"
#include "certs/authority.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;
struct stack_st_X509;
struct x509_st;

namespace agentsh::certs {

class Leaf {
 public:
  ~Leaf();
  Leaf(const Leaf&) = delete;
  Leaf& operator=(const Leaf&) = delete;

  const std::string& host() const { return host_; }
  WallTime not_after() const { return not_after_; }
  x509_st* certificate() const { return certificate_; }
  evp_pkey_st* key() const { return key_; }
  // Certificates to send along, up to the root; null for a minted leaf, whose issuer everybody has.
  stack_st_X509* chain() const { return chain_; }

  // A server's own, from PEM: the certificate first, then what leads to its root; the key that
  // belongs to it, not encrypted.
  static Result<std::shared_ptr<const Leaf>> from_pem(std::string_view certificates,
                                                      std::string_view key);

 private:
  friend class LeafFactory;
  // Takes over one reference of each.
  Leaf(std::string host, WallTime not_after, x509_st* certificate, evp_pkey_st* key,
       stack_st_X509* chain = nullptr);

  std::string host_;
  WallTime not_after_;
  x509_st* certificate_;
  evp_pkey_st* key_;
  stack_st_X509* chain_;
};

class LeafFactory {
 public:
  static constexpr std::chrono::hours kBackdate{1};
  static constexpr std::chrono::hours kLifetime{24 * 7};

  static Result<std::unique_ptr<const LeafFactory>> create(
      std::shared_ptr<const Authority> authority);
  ~LeafFactory();
  LeafFactory(const LeafFactory&) = delete;
  LeafFactory& operator=(const LeafFactory&) = delete;

  // `host` is a canonical host name (base/domain.h) or an IP address in text; anything else is
  // refused.
  Result<std::shared_ptr<const Leaf>> mint(std::string_view host) const;

  const Authority& authority() const { return *authority_; }

 private:
  struct Parts;
  LeafFactory(std::shared_ptr<const Authority> authority, std::unique_ptr<Parts> parts);

  std::shared_ptr<const Authority> authority_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace agentsh::certs
