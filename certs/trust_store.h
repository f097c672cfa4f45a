// The roots that upstream servers are verified against: the host's and those that the operator
// adds.
//
// Loading parses every certificate, some 20 ms for a distribution's bundle: do it once, off the
// event loops. Threads: any, after loading.
#pragma once

#include "base/result.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>

struct x509_store_st;

namespace agentsh::certs {

class TrustStore {
 public:
  // The certificates of `host_bundle` (a path; "" for none) and of every file in `extra`. A broken
  // certificate among the host's is skipped, as other programs do; in an extra file it is an error,
  // like a file without any. Without a single root it fails: nothing could be verified.
  static Result<std::shared_ptr<const TrustStore>> load(const std::string& host_bundle,
                                                        std::span<const std::string> extra = {});
  // From PEM text, all of it trusted.
  static Result<std::shared_ptr<const TrustStore>> from_pem(std::string_view pem);

  ~TrustStore();
  TrustStore(const TrustStore&) = delete;
  TrustStore& operator=(const TrustStore&) = delete;

  std::size_t size() const { return size_; }
  x509_store_st* store() const { return store_; }

 private:
  TrustStore();
  Result<> add_file(const std::string& path, bool lenient);
  Result<> add_text(std::string_view pem, std::string_view name, bool lenient);

  x509_store_st* store_;
  std::size_t size_ = 0;
};

}  // namespace agentsh::certs
