// The certificate authority that signs the leaf certificates shown to sandboxed programs: one per
// state directory, ECDSA P-256, ten years, without name constraints.
//
// Files in the directory:
//   ca.pem           key and certificate in one file, mode 0600: written and replaced as a whole,
//   so
//                    a crash never leaves a key without its certificate
//   ca.crt           the certificate alone, for export
//   retired/<n>.crt  certificates that rotate() replaced; their keys are gone
//
// An Authority does not change: sessions that run keep the one they began with after a rotation.
// Threads: any. Errors: a key file that others may read, a key that does not fit, an expired
// certificate are refused, each with what to do.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time_format.h"

#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace agentsh::certs {

class Authority {
 public:
  // A new authority that is nowhere on disk.
  static Result<std::shared_ptr<const Authority>> generate();
  // The authority of `directory`, which is made (0700) if it is not there, like the authority.
  static Result<std::shared_ptr<const Authority>> create_or_load(const std::string& directory);
  // The authority of `directory`; fails with no_such_file_or_directory when there is none.
  static Result<std::shared_ptr<const Authority>> load(const std::string& directory);
  // Replaces the authority of `directory` by a new one and keeps the old certificate in retired/.
  static Result<std::shared_ptr<const Authority>> rotate(const std::string& directory);

  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  Bytes certificate_der() const { return der_; }
  const std::string& certificate_pem() const { return pem_; }
  // SHA-256 of the certificate in hexadecimal.
  const std::string& fingerprint() const { return fingerprint_; }
  // The common name, "agentsh CA 7f3a...".
  const std::string& name() const { return name_; }
  WallTime not_after() const { return not_after_; }

  x509_st* certificate() const;
  evp_pkey_st* key() const;

 private:
  struct Handles;
  explicit Authority(std::unique_ptr<Handles> handles);
  static Result<std::shared_ptr<const Authority>> from_handles(std::unique_ptr<Handles> handles);
  static Result<std::shared_ptr<const Authority>> load_locked(const std::string& directory);
  static Result<std::shared_ptr<const Authority>> store_new(const std::string& directory);

  std::unique_ptr<Handles> handles_;
  std::vector<std::uint8_t> der_;
  std::string pem_;
  std::string fingerprint_;
  std::string name_;
  WallTime not_after_;
};

}  // namespace agentsh::certs
