// The files that make a sandbox trust our authority: the host's stores with one more certificate in
// them, written once per authority and host state, to be bind-mounted over the originals.
//
//   auto trust = TrustFiles::prepare({.cache = state + "/trust"}, *authority);
//   for (const TrustMount& mount : trust->mounts) bind(mount.source, mount.target);
//   environment += trust_environment(...);
//
// A directory store (/etc/ssl/certs) is replaced as a whole by a generated one: its links and files
// as they were, the bundle and the Java store in it exchanged, and our certificate under its own
// name and under its subject hash, so that both ways in which OpenSSL looks (file and directory)
// find it.
//
// Threads: any; a second caller finds what the first has written. What is generated is world
// readable and holds no secret.
#pragma once

#include "base/result.h"
#include "certs/authority.h"
#include "certs/trust_locations.h"

#include <string>
#include <vector>

namespace agentsh::certs {

struct TrustOptions {
  std::string cache;  // A directory of ours; made when it is not there.
  HostLayout host;
  std::vector<std::string> extra;  // PEM files of further CAs that the sandbox shall trust.
  bool users_places = false;       // Also mount over what users installed (TrustPlace::users).
};

struct TrustMount {
  std::string source;  // What we generated.
  std::string target;  // What it goes over: an existing file, or directory if `directory`.
  bool directory = false;
};

struct TrustFiles {
  std::string folder;     // <cache>/<fingerprint>
  std::string bundle;     // Host roots, extra CAs, our CA.
  std::string authority;  // Our CA alone.
  std::string java;       // JKS of the bundle.
  std::vector<TrustMount> mounts;

  static Result<TrustFiles> prepare(const TrustOptions& options, const Authority& authority);
};

// Removes what prepare() generated for other states of the host, except `keep` (a folder). Call it
// when no session runs: mounts of what is removed become empty.
Result<> prune_trust_files(const std::string& cache, const std::string& keep);

}  // namespace agentsh::certs
