#include "certs/authority.h"

#include "base/file_io.h"
#include "base/random.h"
#include "certs/openssl_handles.h"
#include "certs/pem.h"
#include "certs/x509_build.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <ctime>

namespace agentsh::certs {

struct Authority::Handles {
  PkeyPtr key;
  X509Ptr certificate;
};

namespace {

constexpr std::chrono::hours kLifetime{24 * 3650};
// Sandboxes may have a clock of their own that is a little behind.
constexpr std::chrono::hours kBackdate{24};

std::string bundle_path(const std::string& directory) {
  return directory + "/ca.pem";
}
std::string public_path(const std::string& directory) {
  return directory + "/ca.crt";
}

// Two daemons, or a daemon and a rotation, must not make two authorities at once.
Result<UniqueFd> lock_directory(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open", directory));
  if (::flock(fd.get(), LOCK_EX) != 0) return std::unexpected(errno_error("flock", directory));
  return fd;
}

Result<std::string> read_private_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::unexpected(errno_error("open", path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(errno_error("stat", path));
  if ((info.st_mode & 077) != 0) {
    return fail(
        path +
            " can be read by others, so its key cannot be trusted any more: run 'agentsh ca "
            "rotate' for a new one, or 'chmod 600' it if nobody had access",
        std::errc::permission_denied);
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(path + " belongs to another user; it must be owned by the user that runs agentsh",
                std::errc::permission_denied);
  }
  return read_all(fd.get(), 64 << 10, path);
}

Result<> add_ca_extensions(X509* certificate) {
  Result<> added = add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  if (added) added = add_extension(certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  if (added) added = add_extension(certificate, NID_subject_key_identifier, "hash");
  return added;
}

Result<X509Ptr> self_signed(EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  std::array<std::uint8_t, 4> tag{};
  fill_random(tag);
  char name[32];
  std::snprintf(name, sizeof(name), "agentsh CA %02x%02x%02x%02x", tag[0], tag[1], tag[2], tag[3]);
  const WallTime now = std::chrono::system_clock::now();
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  bool built = X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
               add_name_entry(subject, NID_organizationName, "agentsh") &&
               add_name_entry(subject, NID_commonName, name) &&
               X509_set_issuer_name(certificate.get(), subject) == 1 &&
               set_random_serial(certificate.get()) &&
               set_validity(certificate.get(), now - kBackdate, now + kLifetime) &&
               X509_set_pubkey(certificate.get(), key) == 1;
  if (!built) return std::unexpected(openssl_error("cannot build the CA certificate"));
  if (auto added = add_ca_extensions(certificate.get()); !added) {
    return std::unexpected(added.error());
  }
  if (X509_sign(certificate.get(), key, EVP_sha256()) == 0) {
    return std::unexpected(openssl_error("cannot sign the CA certificate"));
  }
  return certificate;
}

Result<std::string> key_to_pem(EVP_PKEY* key) {
  BioPtr out(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return std::unexpected(openssl_error("cannot write the CA key"));
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string common_name(X509* certificate) {
  char text[128] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof(text));
  return text;
}

}  // namespace

Authority::Authority(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
Authority::~Authority() = default;

x509_st* Authority::certificate() const {
  return handles_->certificate.get();
}
evp_pkey_st* Authority::key() const {
  return handles_->key.get();
}

Result<std::shared_ptr<const Authority>> Authority::from_handles(std::unique_ptr<Handles> handles) {
  std::shared_ptr<Authority> authority(new Authority(std::move(handles)));
  X509* certificate = authority->certificate();
  Result<Der> der = to_der(certificate);
  if (!der) return std::unexpected(der.error());
  authority->der_ = std::move(*der);
  authority->pem_ = certificate_to_pem(authority->der_);
  authority->fingerprint_ = sha256_hex(authority->der_);
  authority->name_ = common_name(certificate);
  authority->not_after_ = to_wall_time(X509_get0_notAfter(certificate));
  // Fills OpenSSL's caches in the object, which many threads will read.
  X509_check_purpose(certificate, -1, 0);
  return authority;
}

Result<std::shared_ptr<const Authority>> Authority::generate() {
  auto handles = std::make_unique<Handles>();
  handles->key.reset(EVP_EC_gen("P-256"));
  if (!handles->key) return std::unexpected(openssl_error("cannot make the CA key"));
  Result<X509Ptr> certificate = self_signed(handles->key.get());
  if (!certificate) return std::unexpected(certificate.error());
  handles->certificate = std::move(*certificate);
  return from_handles(std::move(handles));
}

Result<std::shared_ptr<const Authority>> Authority::store_new(const std::string& directory) {
  auto authority = generate();
  if (!authority) return authority;
  Result<std::string> key = key_to_pem((*authority)->key());
  if (!key) return std::unexpected(key.error());
  std::string both = *key + (*authority)->certificate_pem();
  Result<> written = write_file_atomic(bundle_path(directory), both, 0600);
  OPENSSL_cleanse(both.data(), both.size());
  OPENSSL_cleanse(key->data(), key->size());
  if (written) {
    written = write_file_atomic(public_path(directory), (*authority)->certificate_pem(), 0644);
  }
  if (!written) return std::unexpected(written.error());
  return authority;
}

Result<std::shared_ptr<const Authority>> Authority::load_locked(const std::string& directory) {
  const std::string path = bundle_path(directory);
  Result<std::string> text = read_private_file(path);
  if (!text) return std::unexpected(text.error());
  auto handles = std::make_unique<Handles>();
  BioPtr in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  handles->key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  handles->certificate.reset(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  in.reset();
  OPENSSL_cleanse(text->data(), text->size());
  if (!handles->key || !handles->certificate) {
    return std::unexpected(openssl_error(path + " does not hold a key and a certificate"));
  }
  X509* certificate = handles->certificate.get();
  if (X509_check_private_key(certificate, handles->key.get()) != 1 ||
      X509_check_ca(certificate) != 1) {
    openssl_error("");  // Empties the queue; the sentence below says more.
    return fail(path + ": the key does not belong to the certificate, or it is no CA certificate");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return fail(path + ": the CA certificate has expired; run 'agentsh ca rotate'");
  }
  return from_handles(std::move(handles));
}

Result<std::shared_ptr<const Authority>> Authority::load(const std::string& directory) {
  Result<UniqueFd> lock = lock_directory(directory);
  if (!lock) return std::unexpected(lock.error());
  return load_locked(directory);
}

Result<std::shared_ptr<const Authority>> Authority::create_or_load(const std::string& directory) {
  if (auto made = make_directories(directory); !made) return std::unexpected(made.error());
  Result<UniqueFd> lock = lock_directory(directory);
  if (!lock) return std::unexpected(lock.error());
  auto loaded = load_locked(directory);
  if (!loaded) {
    if (loaded.error().code != std::errc::no_such_file_or_directory) return loaded;
    return store_new(directory);
  }
  // A crash may have come between the two files.
  Result<std::string> exported = read_file(public_path(directory), 64 << 10);
  if (!exported || *exported != (*loaded)->certificate_pem()) {
    Result<> written =
        write_file_atomic(public_path(directory), (*loaded)->certificate_pem(), 0644);
    if (!written) return std::unexpected(written.error());
  }
  return loaded;
}

Result<std::shared_ptr<const Authority>> Authority::rotate(const std::string& directory) {
  if (auto made = make_directories(directory + "/retired"); !made) {
    return std::unexpected(made.error());
  }
  Result<UniqueFd> lock = lock_directory(directory);
  if (!lock) return std::unexpected(lock.error());
  // A key file that cannot be used any more is a reason to rotate: the certificate is enough.
  Result<std::string> old = read_file(bundle_path(directory), 64 << 10);
  if (!old) old = read_file(public_path(directory), 64 << 10);
  if (old) {
    for (const Der& der : certificates_in_pem(*old)) {
      Result<> kept =
          write_file_atomic(directory + "/retired/" + sha256_hex(der).substr(0, 16) + ".crt",
                            certificate_to_pem(der), 0644);
      if (!kept) return std::unexpected(kept.error());
    }
    OPENSSL_cleanse(old->data(), old->size());
  } else if (old.error().code != std::errc::no_such_file_or_directory) {
    return std::unexpected(old.error());
  }
  return store_new(directory);
}

}  // namespace agentsh::certs
