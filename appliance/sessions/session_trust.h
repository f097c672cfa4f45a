// The certificate authority that sessions trust, and the files and variables that make them trust
// it.
//
// Threads: current() from any; rotate() from one at a time.
#pragma once

#include "appliance/sessions/session_view.h"
#include "base/result.h"
#include "certs/authority.h"
#include "certs/leaf_cache.h"
#include "certs/trust_files.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace agentsh {

// One authority with what was made for it. Sessions keep the one that they began with.
struct TrustEpoch {
  std::shared_ptr<const certs::Authority> authority;
  std::shared_ptr<certs::LeafCache> leaves;
  std::vector<TrustMount> mounts;
  std::vector<std::pair<std::string, std::string>> variables;
  // The same for a session without mounts, which gets the two files in a directory of its own.
  std::string bundle_file;
  std::string authority_file;
  static std::vector<std::pair<std::string, std::string>> variables_for(
      const std::string& bundle, const std::string& authority);
};

class SessionTrust {
 public:
  struct Options {
    std::string directory;           // Of the authority: <state>/ca
    std::string cache;               // Of generated stores: <state>/trust
    std::vector<std::string> extra;  // PEM files of CAs that upstream servers may use.
  };

  static Result<std::unique_ptr<SessionTrust>> open(Options options);

  std::shared_ptr<const TrustEpoch> current() const { return current_.load(); }
  // A new authority for sessions made from now on.
  Result<> rotate();

 private:
  explicit SessionTrust(Options options) : options_(std::move(options)) {}
  Result<std::shared_ptr<const TrustEpoch>> build(
      std::shared_ptr<const certs::Authority> authority) const;

  Options options_;
  std::atomic<std::shared_ptr<const TrustEpoch>> current_;
};

}  // namespace agentsh
