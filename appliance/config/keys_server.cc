// Keys of the daemon itself: listeners, authentication, log, sessions, policies, approvals.
#include "appliance/config/schema.h"

namespace agentsh::config {
namespace {

using policy::Word;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Word<AuthType> kAuthTypes[] = {{"none", AuthType::kNone},
                                         {"api_key", AuthType::kApiKey},
                                         {"oidc", AuthType::kOidc},
                                         {"hybrid", AuthType::kHybrid}};
constexpr Word<LogLevel> kLogLevels[] = {{"debug", LogLevel::kDebug},
                                         {"info", LogLevel::kInfo},
                                         {"warn", LogLevel::kWarning},
                                         {"error", LogLevel::kError},
                                         {"warning", LogLevel::kWarning}};
constexpr Word<SigningMode> kSigningModes[] = {
    {"off", SigningMode::kOff}, {"warn", SigningMode::kWarn}, {"enforce", SigningMode::kEnforce}};
constexpr Word<ApprovalMode> kApprovalModes[] = {{"api", ApprovalMode::kApi},
                                                 {"local_tty", ApprovalMode::kLocalTty},
                                                 {"totp", ApprovalMode::kTotp},
                                                 {"webauthn", ApprovalMode::kWebauthn},
                                                 {"dialog", ApprovalMode::kDialog}};

bool consists_of(std::string_view text, std::string_view extra) {
  for (char c : text) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alphanumeric && extra.find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

std::string check_header(std::string_view text) {
  // RFC 9110, section 5.6.2.
  return consists_of(text, "!#$%&'*+-.^_`|~") ? "" : "the name of a header field";
}

std::string check_policy_name(std::string_view text) {
  return consists_of(text, "_-") ? "" : "a policy name: letters, digits, \"_\" and \"-\"";
}

std::string check_group(std::string_view text) {
  return text.empty() || consists_of(text, "_-.") ? "" : "the name or number of a group";
}

std::string check_url_path(std::string_view text) {
  return text.starts_with('/') && consists_of(text, "/-._~") ? "" : "a path that begins with \"/\"";
}

void add_listener_keys(Schema& schema, ServerSection& server) {
  schema
      .add("server.state_dir", path_field(server.state_dir),
           "Where everything is kept that must survive a restart: audit trail, certificate "
           "authority, records of sessions.")
      .environment("AGENTSH_DATA_DIR");
  schema.add("server.unix_socket.enabled", flag_field(server.unix_socket.enabled),
             "Serve the control API on a Unix socket. Callers are known by their user id.");
  schema.add("server.unix_socket.path", path_field(server.unix_socket.path),
             "The socket. Clients look for it at the default path, or where AGENTSH_SERVER says.");
  schema.add("server.unix_socket.permissions", permissions_field(server.unix_socket.permissions),
             "Who may connect to the socket.");
  schema.add("server.unix_socket.group",
             text_field(server.unix_socket.group, "the name or number of a group", check_group),
             "The group that the socket belongs to; empty for the daemon's own.");
  schema
      .add("server.http.addr", endpoint_field(server.http.address),
           "Serve the control API on TCP as well; empty for not. Needs auth.type: api_key.")
      .environment("AGENTSH_HTTP_ADDR");
  schema.add("server.http.read_timeout",
             duration_field(server.http.read_timeout, seconds(1), hours(1)),
             "How long a request of the control API may take to arrive.");
  schema.add("server.http.write_timeout",
             duration_field(server.http.write_timeout, seconds(1), hours(24)),
             "How long a client of the control API may not read. Streams that move are not cut.");
  schema.add("server.http.max_request_size",
             size_field(server.http.max_request_size, 4096, 1u << 30),
             "The largest request body of the control API.");
  schema.add("server.tls.enabled", flag_field(server.tls.enabled),
             "Speak TLS (1.2 and later) on server.http.addr, and nothing else there.");
  schema.add("server.tls.cert_file", path_field(server.tls.cert_file),
             "The certificate of server.http.addr and what leads to its root, PEM. Read again on "
             "SIGHUP.");
  schema.add("server.tls.key_file", path_field(server.tls.key_file),
             "The private key that belongs to it, PEM without a password, mode 0600.");
}

void add_auth_keys(Schema& schema, AuthSection& auth) {
  schema.add("auth.type", word_field(auth.type, kAuthTypes),
             "How clients on TCP authenticate. The Unix socket needs nothing of it.");
  schema.add("auth.api_key.keys_file", path_field(auth.keys_file),
             "A YAML list of {id, key, description, role}, mode 0600. Roles are agent, approver "
             "and admin; without a role a key is an agent's.");
  schema.add("auth.api_key.header_name",
             text_field(auth.header_name, "the name of a header field", check_header),
             "The header field that carries the key.");
}

}  // namespace

void add_server_keys(Schema& schema, ServerConfig& config) {
  add_listener_keys(schema, config.server);
  add_auth_keys(schema, config.auth);
  schema
      .add("logging.level", word_field(config.logging.level, kLogLevels),
           "The least important lines that are written.")
      .environment("AGENTSH_LOG_LEVEL");
  schema.add_state_path("logging.file", config.logging.file, "agentshd.log",
                        "Where a daemon writes that a client has started on demand; one in the "
                        "foreground writes to standard error. At 4 MB it becomes FILE.1 and a new "
                        "one begins.");
  schema.add("metrics.enabled", flag_field(config.metrics.enabled),
             "Serve Prometheus metrics beside the control API.");
  schema.add("metrics.path",
             text_field(config.metrics.path, "a path that begins with \"/\"", check_url_path),
             "Where.");
  schema.add("health.path",
             text_field(config.health.path, "a path that begins with \"/\"", check_url_path),
             "Answers \"ok\" while the daemon lives.");
  schema.add(
      "health.readiness_path",
      text_field(config.health.readiness_path, "a path that begins with \"/\"", check_url_path),
      "Answers \"ready\" when sessions can be created.");
}

void add_session_keys(Schema& schema, ServerConfig& config) {
  SessionsSection& sessions = config.sessions;
  schema.add_state_path("sessions.base_dir", sessions.base_dir, "sessions",
                        "Recordings of what commands print, where a policy asks for them.");
  schema.add("sessions.max_sessions", integer_field(sessions.max_sessions, 1, 100'000),
             "How many sessions may exist at once.");
  schema.add("sessions.default_timeout",
             duration_field(sessions.default_timeout, seconds(0), hours(24 * 365)),
             "A session ends after this time, or earlier if its policy says so; 0 for no limit.");
  schema.add("sessions.default_idle_timeout",
             duration_field(sessions.default_idle_timeout, seconds(0), hours(24 * 365)),
             "A session without commands and traffic ends after this time; 0 for no limit.");
  schema.add("sessions.cleanup_interval",
             duration_field(sessions.cleanup_interval, milliseconds(100), hours(24)),
             "How often sessions that have outlived their time are looked for.");
  schema.add("sessions.real_paths", flag_field(sessions.real_paths),
             "Show the workspace at its real path. Otherwise it is at /workspace.");

  PoliciesSection& policies = config.policies;
  schema.add("policies.dir", path_field(policies.dir),
             "Where policies are looked for by name, before the shipped ones.");
  schema
      .add("policies.default",
           text_field(policies.default_policy, "a policy name", check_policy_name),
           "The policy of a session that names none.")
      .environment("AGENTSH_POLICY_NAME");
  schema.add("policies.allowed",
             text_list_field(policies.allowed, "policy names", check_policy_name),
             "The only policies that a session may name; empty for all.");
  schema.add("policies.signing.mode", word_field(policies.signing_mode, kSigningModes),
             "What a policy without a good signature means: nothing, a warning, or that it is not "
             "used.");
  schema.add("policies.signing.trust_store", path_field(policies.trust_store),
             "The directory of the public keys whose signatures are good.");

  ApprovalsSection& approvals = config.approvals;
  schema.add("approvals.enabled", flag_field(approvals.enabled),
             "Hold what a rule with `decision: approve` matches until somebody answers. Otherwise "
             "it is denied at once.");
  schema.add("approvals.mode", word_field(approvals.mode, kApprovalModes),
             "Who is asked, and how.");
  schema.add("approvals.timeout", duration_field(approvals.timeout, seconds(1), hours(24)),
             "No answer within this time is a denial.");
}

}  // namespace agentsh::config
