#include "certs/trust_locations.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace agentsh::certs {
namespace {

constexpr std::array kVariables = {
    TrustVariable{"SSL_CERT_FILE", TrustValue::kBundle},    // OpenSSL, Go, rustls, Ruby, httpx
    TrustVariable{"SSL_CERT_DIR", TrustValue::kDirectory},  // OpenSSL, Go
    TrustVariable{"NODE_EXTRA_CA_CERTS", TrustValue::kAuthorityOnly},  // Node, npm, yarn, Bun
    TrustVariable{"REQUESTS_CA_BUNDLE", TrustValue::kBundle},          // Python requests
    TrustVariable{"CURL_CA_BUNDLE", TrustValue::kBundle},              // curl, Python requests
    TrustVariable{"GIT_SSL_CAINFO", TrustValue::kBundle},              // git
    TrustVariable{"PIP_CERT", TrustValue::kBundle},                    // pip
    TrustVariable{"AWS_CA_BUNDLE", TrustValue::kBundle},               // AWS CLI and SDKs
    TrustVariable{"CARGO_HTTP_CAINFO", TrustValue::kBundle},           // cargo
    TrustVariable{"DENO_CERT", TrustValue::kAuthorityOnly},            // Deno
    TrustVariable{"NIX_SSL_CERT_FILE", TrustValue::kBundle},           // Nix and what it builds
    TrustVariable{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", TrustValue::kBundle},  // gcloud
    TrustVariable{"BUNDLE_SSL_CA_CERT", TrustValue::kBundle},                  // Bundler
    TrustVariable{"HEX_CACERTS_PATH", TrustValue::kBundle},                    // Hex, mix
    TrustVariable{"YARN_HTTPS_CA_FILE_PATH", TrustValue::kBundle},             // yarn 2 and later
    TrustVariable{"UV_NATIVE_TLS", TrustValue::kOn},                // uv: the system's store
    TrustVariable{"JULIA_SSL_CA_ROOTS_PATH", TrustValue::kBundle},  // Julia
    TrustVariable{"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", TrustValue::kBundle},  // gRPC core
    TrustVariable{"PERL_LWP_SSL_CA_FILE", TrustValue::kBundle},              // Perl LWP
};

// In the order of preference, as Go's crypto/x509 has them.
constexpr std::array kHostBundles = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Alpine, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL 6
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
    "/etc/pki/tls/cacert.pem",                            // OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // CentOS, RHEL 7 and later
    "/etc/ssl/cert.pem",                                  // Alpine
    "/etc/ssl/certs/ca-bundle.crt",                       // NixOS
    "/var/lib/ca-certificates/ca-bundle.pem",             // openSUSE
};

constexpr std::array kDirectories = {
    "/etc/ssl/certs",       "/etc/pki/tls/certs", "/usr/lib/ssl/certs",
    "/usr/local/ssl/certs", "/etc/openssl/certs",
};

// More files that hold a bundle, glob(7) patterns.
constexpr std::array kBundlePatterns = {
    "/usr/lib/ssl/cert.pem",
    "/usr/local/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/usr/share/perl5/Mozilla/CA/cacert.pem",
    "/usr/local/share/perl/*/Mozilla/CA/cacert.pem",
    "/opt/conda/ssl/cacert.pem",
    "/opt/*conda*/ssl/cacert.pem",
    "/home/linuxbrew/.linuxbrew/etc/ca-certificates/cert.pem",
    "/home/linuxbrew/.linuxbrew/etc/openssl@3/cert.pem",
};
constexpr std::array kUserBundlePatterns = {
    "/*conda*/ssl/cacert.pem",
    "/.*conda*/ssl/cacert.pem",
};

// Python's site-packages, and the bundles that packages carry in there.
constexpr std::array kSitePatterns = {
    "/usr/lib/python3/dist-packages",        "/usr/lib/python3*/site-packages",
    "/usr/lib64/python3*/site-packages",     "/usr/local/lib/python3*/dist-packages",
    "/usr/local/lib/python3*/site-packages", "/opt/*/lib/python3*/site-packages",
};
constexpr std::array kUserSitePatterns = {
    "/.local/lib/python3*/site-packages",
    "/.pyenv/versions/*/lib/python3*/site-packages",
    "/*conda*/lib/python3*/site-packages",
    "/.local/share/uv/tools/*/lib/python3*/site-packages",
    "/.local/share/pipx/venvs/*/lib/python3*/site-packages",
};
constexpr std::array kFolderSitePatterns = {
    "/.venv/lib/python3*/site-packages",
    "/venv/lib/python3*/site-packages",
    "/env/lib/python3*/site-packages",
};
constexpr std::array kSiteBundles = {
    "/certifi/cacert.pem",         "/pip/_vendor/certifi/cacert.pem", "/botocore/cacert.pem",
    "/awscli/botocore/cacert.pem", "/httplib2/cacerts.txt",           "/requests/cacert.pem",
};

constexpr std::array kJavaPatterns = {
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/usr/lib/jvm/*/lib/security/cacerts",
    "/usr/lib/jvm/*/jre/lib/security/cacerts",
    "/usr/java/*/lib/security/cacerts",
    "/opt/java/*/lib/security/cacerts",
    "/opt/jdk*/lib/security/cacerts",
};
constexpr std::array kUserJavaPatterns = {
    "/.sdkman/candidates/java/*/lib/security/cacerts",
    "/.jdks/*/lib/security/cacerts",
    "/.asdf/installs/java/*/lib/security/cacerts",
};

class Finder {
 public:
  explicit Finder(const HostLayout& layout) : layout_(layout) {}

  void add(const std::string& path, TrustPlaceKind kind, bool users) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (error) return;
    const bool directory = std::filesystem::is_directory(real, error);
    if (directory != (kind == TrustPlaceKind::kDirectory)) return;
    const auto same = [&](const TrustPlace& place) { return place.path == real.string(); };
    if (std::ranges::none_of(places_, same)) places_.push_back({real.string(), kind, users});
  }

  template <std::size_t N>
  void add_matches(const std::string& base, const std::array<const char*, N>& patterns,
                   TrustPlaceKind kind, bool users) {
    for (const char* pattern : patterns) {
      for (const std::string& path : matches(base + pattern)) add(path, kind, users);
    }
  }

  template <std::size_t N>
  void add_sites(const std::string& base, const std::array<const char*, N>& patterns, bool users) {
    for (const char* pattern : patterns) {
      for (const std::string& site : matches(base + pattern)) {
        for (const char* bundle : kSiteBundles) {
          add(site + bundle, TrustPlaceKind::kBundle, users);
        }
      }
    }
  }

  // What lies in a directory of the list comes with it.
  std::vector<TrustPlace> take() {
    std::erase_if(places_, [this](const TrustPlace& place) {
      return std::ranges::any_of(places_, [&](const TrustPlace& other) {
        return other.kind == TrustPlaceKind::kDirectory && place.path.starts_with(other.path + "/");
      });
    });
    return std::move(places_);
  }

  const HostLayout& layout() const { return layout_; }

 private:
  static std::vector<std::string> matches(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
      paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    return paths;
  }

  const HostLayout& layout_;
  std::vector<TrustPlace> places_;
};

void find_system_places(Finder& finder) {
  const std::string& root = finder.layout().root;
  finder.add_matches(root, kDirectories, TrustPlaceKind::kDirectory, false);
  finder.add_matches(root, kHostBundles, TrustPlaceKind::kBundle, false);
  finder.add_matches(root, kBundlePatterns, TrustPlaceKind::kBundle, false);
  finder.add_sites(root, kSitePatterns, false);
  finder.add_matches(root, kJavaPatterns, TrustPlaceKind::kJavaStore, false);
}

void find_user_places(Finder& finder) {
  const HostLayout& layout = finder.layout();
  if (!layout.java_home.empty()) {
    constexpr std::array kStores = {"/lib/security/cacerts", "/jre/lib/security/cacerts"};
    finder.add_matches(layout.root + layout.java_home, kStores, TrustPlaceKind::kJavaStore, false);
  }
  for (const std::string& home : layout.homes) {
    finder.add_matches(layout.root + home, kUserBundlePatterns, TrustPlaceKind::kBundle, true);
    finder.add_sites(layout.root + home, kUserSitePatterns, true);
    finder.add_matches(layout.root + home, kUserJavaPatterns, TrustPlaceKind::kJavaStore, true);
  }
  for (const std::string& folder : layout.folders) {
    finder.add_sites(layout.root + folder, kFolderSitePatterns, true);
  }
}

std::string_view value_for(TrustValue kind, std::string_view bundle, std::string_view directory,
                           std::string_view authority) {
  switch (kind) {
    case TrustValue::kBundle:
      return bundle;
    case TrustValue::kDirectory:
      return directory;
    case TrustValue::kAuthorityOnly:
      return authority;
    case TrustValue::kOn:
      return "1";
  }
  return {};
}

}  // namespace

std::span<const TrustVariable> trust_variables() {
  return kVariables;
}

std::vector<std::pair<std::string, std::string>> trust_environment(std::string_view bundle,
                                                                   std::string_view directory,
                                                                   std::string_view authority) {
  std::vector<std::pair<std::string, std::string>> environment;
  for (const TrustVariable& variable : kVariables) {
    const std::string_view value = value_for(variable.value, bundle, directory, authority);
    if (!value.empty()) environment.emplace_back(variable.name, value);
  }
  return environment;
}

std::optional<std::string> find_host_bundle(const HostLayout& layout) {
  for (const char* path : kHostBundles) {
    std::error_code error;
    std::string full = layout.root + path;
    if (std::filesystem::is_regular_file(full, error)) return full;
  }
  return {};
}

std::vector<TrustPlace> find_trust_places(const HostLayout& layout) {
  Finder finder(layout);
  find_system_places(finder);
  find_user_places(finder);
  return finder.take();
}

}  // namespace agentsh::certs
