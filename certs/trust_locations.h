// Where programs look for the certificates that they trust: environment variables and files, as
// data, and which of the files are on this host.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::certs {

// What a variable is set to.
enum class TrustValue {
  kBundle,     // The path of the bundle: host roots and our CA. Most variables replace the store.
  kDirectory,  // The path of a directory with hashed names (c_rehash(1)).
  kAuthorityOnly,  // The path of our CA alone: the variable adds to what the program has built in.
  kOn,             // "1": makes the program use the system's store.
};

struct TrustVariable {
  const char* name;
  TrustValue value;
};

// The variables that make programs trust us where the bind mounts do not reach: libraries with a
// store of their own. None of them makes its program print anything.
std::span<const TrustVariable> trust_variables();

// The variables with their values; one whose path is empty is left out.
std::vector<std::pair<std::string, std::string>> trust_environment(std::string_view bundle,
                                                                   std::string_view directory,
                                                                   std::string_view authority);

// What of the host to look through. Empty lists are fine.
struct HostLayout {
  std::string root;                  // Put before every absolute path; "" for the real host.
  std::vector<std::string> homes;    // Home directories, for what users installed for themselves.
  std::vector<std::string> folders;  // Workspaces: their virtual environments.
  std::string java_home;             // JAVA_HOME, if set.
};

enum class TrustPlaceKind { kBundle, kDirectory, kJavaStore };

struct TrustPlace {
  std::string path;  // Without symbolic links.
  TrustPlaceKind kind;
  // Installed by the user, so that programs in the sandbox may want to replace it (pip upgrading
  // certifi): what is mounted over cannot be. The variables cover those programs.
  bool users = false;
};

// The file with the host's roots, the first of the distributions' usual paths that is there.
std::optional<std::string> find_host_bundle(const HostLayout& layout = {});

// Every known place that exists, without duplicates, and without files inside a directory that is
// in the list itself.
std::vector<TrustPlace> find_trust_places(const HostLayout& layout = {});

}  // namespace agentsh::certs
