#include "certs/trust_files.h"

#include "base/file_io.h"
#include "base/random.h"
#include "certs/java_key_store.h"
#include "certs/openssl_handles.h"
#include "certs/pem.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

namespace agentsh::certs {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxStoreFile = 8 << 20;
constexpr std::string_view kFormat = "agentsh trust files 1";
constexpr const char* kAuthorityName = "agentsh-ca.pem";

Error fs_error(std::string_view call, const fs::path& path, const std::error_code& code) {
  return Error{code, fmt::format("{} {}: {}", call, path.string(), code.message())};
}

Result<> write_public_file(const fs::path& path, std::string_view data) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return std::unexpected(errno_error("create", path.string()));
  // Whatever the umask is: the sandbox's user must be able to read it.
  ::fchmod(fd.get(), 0644);
  return write_all(fd.get(), data, path.string());
}

Result<> make_public_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0) return std::unexpected(errno_error("mkdir", path.string()));
  ::chmod(path.c_str(), 0755);
  return {};
}

// The content that goes into the files, and where.
class Builder {
 public:
  Builder(const TrustOptions& options, const Authority& authority, std::vector<TrustPlace> places)
      : options_(options), authority_(authority), places_(std::move(places)) {}

  Result<> read_certificates(const std::optional<std::string>& host_bundle);
  Result<> write_into(const fs::path& folder);

 private:
  void add_certificates(std::string_view pem);
  Result<> write_directory(const fs::path& from, const fs::path& to, int depth);
  Result<> write_entry(const fs::path& from, const fs::path& to, int depth);
  Result<> add_hashed(const fs::path& directory);
  const std::string* replacement(const fs::path& path) const;

  const TrustOptions& options_;
  const Authority& authority_;
  std::vector<TrustPlace> places_;
  std::string host_bundle_;        // Without symbolic links; "" if there is none.
  std::vector<Der> certificates_;  // Without duplicates, ours last.
  std::set<std::string> seen_;
  std::vector<Der> additions_;  // Those that the host's store does not have.
  std::string bundle_;
  std::string java_;
};

void Builder::add_certificates(std::string_view pem) {
  for (Der& der : certificates_in_pem(pem)) {
    if (seen_.insert(sha256_hex(der)).second) certificates_.push_back(std::move(der));
  }
}

Result<> Builder::read_certificates(const std::optional<std::string>& host_bundle) {
  if (host_bundle) {
    Result<std::string> text = read_file(*host_bundle, kMaxStoreFile);
    if (!text) return std::unexpected(text.error());
    add_certificates(*text);
    std::error_code error;
    host_bundle_ = fs::canonical(*host_bundle, error);
  }
  const std::size_t from_host = certificates_.size();
  for (const std::string& path : options_.extra) {
    Result<std::string> text = read_file(path, kMaxStoreFile);
    if (!text) return std::unexpected(text.error());
    const std::size_t before = certificates_.size();
    add_certificates(*text);
    if (certificates_.size() == before && certificates_in_pem(*text).empty()) {
      return fail(path + " holds no certificate in PEM form");
    }
  }
  add_certificates(authority_.certificate_pem());
  additions_.assign(certificates_.begin() + static_cast<std::ptrdiff_t>(from_host),
                    certificates_.end());
  for (const Der& der : certificates_) bundle_ += certificate_to_pem(der);
  java_ = java_trust_store(certificates_);
  return {};
}

// The generated content for a path that is one of the places or leads to one.
const std::string* Builder::replacement(const fs::path& path) const {
  std::error_code error;
  const std::string real = fs::canonical(path, error).string();
  if (error) return nullptr;
  if (fs::path(real).filename() == "cacerts") return &java_;
  if (real == host_bundle_) return &bundle_;
  for (const TrustPlace& place : places_) {
    if (place.path == real && place.kind == TrustPlaceKind::kBundle) return &bundle_;
  }
  return nullptr;
}

Result<> Builder::write_entry(const fs::path& from, const fs::path& to, int depth) {
  std::error_code error;
  if (const std::string* content = replacement(from)) return write_public_file(to, *content);
  const fs::file_status status = fs::symlink_status(from, error);
  if (fs::is_symlink(status)) {
    fs::copy_symlink(from, to, error);
    if (error) return std::unexpected(fs_error("symlink", to, error));
    return {};
  }
  if (fs::is_directory(status))
    return depth > 0 ? write_directory(from, to, depth - 1) : Result<>();
  if (!fs::is_regular_file(status)) return {};
  // What cannot be read by us or is no certificate is not part of the store.
  Result<std::string> text = read_file(from.string(), kMaxStoreFile);
  if (!text || text->find("PRIVATE KEY-----") != std::string::npos) return {};
  return write_public_file(to, *text);
}

Result<> Builder::write_directory(const fs::path& from, const fs::path& to, int depth) {
  if (auto made = make_public_directory(to); !made) return made;
  std::error_code error;
  for (fs::directory_iterator entry(from, error), end; !error && entry != end;
       entry.increment(error)) {
    Result<> written = write_entry(entry->path(), to / entry->path().filename(), depth);
    if (!written) return written;
  }
  if (error) return std::unexpected(fs_error("read directory", from, error));
  return {};
}

// c_rehash(1): <hash of the subject>.<n>, the first n that is free.
Result<> Builder::add_hashed(const fs::path& directory) {
  std::size_t number = 0;
  for (const Der& der : additions_) {
    const unsigned char* at = der.data();
    const X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    int known = 0;
    const unsigned long hash =
        certificate
            ? X509_NAME_hash_ex(X509_get_subject_name(certificate.get()), nullptr, nullptr, &known)
            : 0;
    if (known == 0) return std::unexpected(openssl_error("cannot hash a certificate's subject"));
    const bool ours = sha256_hex(der) == authority_.fingerprint();
    const std::string name = ours ? kAuthorityName : fmt::format("agentsh-extra-{}.pem", ++number);
    Result<> written = write_public_file(directory / name, certificate_to_pem(der));
    if (!written) return written;
    std::error_code error;
    for (int n = 0;; ++n) {
      fs::create_symlink(name, directory / fmt::format("{:08x}.{}", hash, n), error);
      if (error != std::errc::file_exists) break;
    }
    if (error) return std::unexpected(fs_error("symlink", directory / name, error));
  }
  return {};
}

std::string directory_name(std::size_t index) {
  return fmt::format("directory-{}", index);
}

Result<> Builder::write_into(const fs::path& folder) {
  Result<> written = write_public_file(folder / "ca-bundle.pem", bundle_);
  if (written) {
    written = write_public_file(folder / kAuthorityName, authority_.certificate_pem());
  }
  if (written) written = write_public_file(folder / "cacerts", java_);
  for (std::size_t i = 0; written && i < places_.size(); ++i) {
    if (places_[i].kind != TrustPlaceKind::kDirectory) continue;
    written = write_directory(places_[i].path, folder / directory_name(i), 2);
    if (written) written = add_hashed(folder / directory_name(i));
  }
  return written;
}

void describe(std::string& text, const fs::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return;
  text += fmt::format("{} {} {} {}.{} {}\n", path.string(), info.st_ino, info.st_size,
                      info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_mode);
}

// What the generated files depend on, as names, sizes and modification times. A directory stands
// for its entries: tools that update a store add, replace or rename them, which shows in its own
// time, and looking at hundreds of entries would cost each new session a millisecond.
std::string fingerprint(const TrustOptions& options, const Authority& authority,
                        const std::vector<TrustPlace>& places,
                        const std::optional<std::string>& host_bundle) {
  std::string text = fmt::format("{}\n{}\n", kFormat, authority.fingerprint());
  std::error_code error;
  if (host_bundle) describe(text, fs::canonical(*host_bundle, error));
  for (const std::string& path : options.extra) describe(text, path);
  for (const TrustPlace& place : places) describe(text, place.path);
  return sha256_hex(as_bytes(text)).substr(0, 32);
}

// Builds beside the final folder and renames, so that the folder is there whole or not at all.
Result<> generate(Builder& builder, const std::optional<std::string>& host_bundle,
                  const fs::path& folder) {
  if (Result<> read = builder.read_certificates(host_bundle); !read) return read;
  const fs::path draft = folder.string() + ".tmp-" + random_name(8);
  Result<> written = make_public_directory(draft);
  if (written) written = builder.write_into(draft);
  std::error_code error;
  if (written) {
    fs::rename(draft, folder, error);
    if (!error) return {};
    // Somebody else was as quick: what is there is the same.
    if (!fs::is_directory(folder)) written = std::unexpected(fs_error("rename", folder, error));
  }
  fs::remove_all(draft, error);
  return written;
}

}  // namespace

Result<TrustFiles> TrustFiles::prepare(const TrustOptions& options, const Authority& authority) {
  std::vector<TrustPlace> places = find_trust_places(options.host);
  if (!options.users_places) std::erase_if(places, [](const TrustPlace& one) { return one.users; });
  const std::optional<std::string> host_bundle = find_host_bundle(options.host);
  if (auto made = make_directories(options.cache, 0755); !made) {
    return std::unexpected(made.error());
  }
  const fs::path folder =
      fs::path(options.cache) / fingerprint(options, authority, places, host_bundle);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    Builder builder(options, authority, places);
    Result<> generated = generate(builder, host_bundle, folder);
    if (!generated) return std::unexpected(generated.error());
  }
  TrustFiles files{.folder = folder,
                   .bundle = folder / "ca-bundle.pem",
                   .authority = folder / kAuthorityName,
                   .java = folder / "cacerts"};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const TrustPlaceKind kind = places[i].kind;
    const std::string source = kind == TrustPlaceKind::kDirectory ? folder / directory_name(i)
                               : kind == TrustPlaceKind::kBundle  ? fs::path(files.bundle)
                                                                  : fs::path(files.java);
    files.mounts.push_back({source, places[i].path, kind == TrustPlaceKind::kDirectory});
  }
  return files;
}

Result<> prune_trust_files(const std::string& cache, const std::string& keep) {
  std::error_code error;
  for (fs::directory_iterator entry(cache, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path() == fs::path(keep)) continue;
    std::error_code ignored;
    fs::remove_all(entry->path(), ignored);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return std::unexpected(fs_error("read directory", cache, error));
  }
  return {};
}

}  // namespace agentsh::certs
