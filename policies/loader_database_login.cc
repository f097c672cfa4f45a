// How logins at a db_services entry go: credentials, channel_binding, allow_*_password; and whether
// what is sent without TLS may be.
#include "base/ip.h"
#include "policies/loader_sections.h"

#include <fmt/format.h>

namespace agentsh::policy::loader {
namespace {

// The server cuts longer names off.
constexpr std::size_t kLongestName = 63;

void load_path(YamlReader& reader, std::string_view key, std::string& out) {
  if (reader.text(key, out) && !out.starts_with('/')) reader.error(key, "must be an absolute path");
}

void load_name(YamlReader& reader, std::string_view key, std::string& out) {
  if (reader.text(key, out) && out.size() > kLongestName)
    reader.error(key, fmt::format("a role's name has at most {} bytes", kLongestName));
}

void load_credentials(YamlReader& reader, DbService& service) {
  DbCredentials credentials;
  credentials.where = reader.where();
  load_name(reader, "user", credentials.user);
  if (reader.text("password", credentials.password_ref))
    check_reference(reader, "password", credentials.password_ref);
  load_path(reader, "certificate_file", credentials.certificate_file);
  load_path(reader, "key_file", credentials.key_file);
  load_name(reader, "client_user", credentials.client_user);
  reader.text("placeholder", credentials.placeholder);
  const bool certificate = !credentials.certificate_file.empty();
  if (certificate != !credentials.key_file.empty())
    reader.error(certificate ? "key_file" : "certificate_file",
                 "a certificate and its key belong together");
  if (certificate && service.tls_mode == DbTlsMode::kTerminatePlaintextUpstream)
    reader.error("certificate_file", "a certificate can be shown over TLS only");
  if (!certificate && credentials.password_ref.empty() && credentials.user.empty())
    reader.error("password", "credentials need a password, a certificate_file or a user");
  service.credentials = std::move(credentials);
}

bool is_loopback(const std::string& host) {
  const auto address = IpAddress::parse(host);
  return host == "localhost" || (address && classify(*address) == AddressClass::kLoopback);
}

}  // namespace

void load_database_login(YamlReader& reader, DbService& service) {
  constexpr Word<DbChannelBinding> kBindings[] = {{"prefer", DbChannelBinding::kPrefer},
                                                  {"require", DbChannelBinding::kRequire},
                                                  {"disable", DbChannelBinding::kDisable}};
  const bool passthrough = service.tls_mode == DbTlsMode::kPassthrough;
  const bool has_credentials =
      reader.object("credentials", [&](YamlReader& inner) { load_credentials(inner, service); });
  if (has_credentials && passthrough)
    reader.error("credentials",
                 "the logins of a passthrough service are not seen: nothing can be put in");
  const bool binding = reader.word("channel_binding", service.channel_binding, kBindings);
  if (binding && service.channel_binding == DbChannelBinding::kRequire) {
    if (!has_credentials)
      reader.error("channel_binding",
                   "a client's own login cannot be bound through the guard: add credentials");
    if (service.tls_mode != DbTlsMode::kTerminateReissue)
      reader.error("channel_binding", "is for tls_mode terminate_reissue");
  }
  reader.flag("allow_cleartext_password", service.allow_cleartext_password);
  reader.flag("allow_md5_password", service.allow_md5_password);
  if (service.tls_mode == DbTlsMode::kTerminatePlaintextUpstream && !service.trusted_network &&
      !service.upstream_host.empty() && !is_loopback(service.upstream_host))
    reader.error("tls_mode",
                 fmt::format("logins and rows would go to {} without TLS: say trusted_network: "
                             "true if nobody else can listen on the way there",
                             service.upstream_host));
}

}  // namespace agentsh::policy::loader
