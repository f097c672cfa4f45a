// Reading configurations: what each key becomes, and what is said about malformed ones.
#include "tests/unit/config/config_testing.h"

#include <gmock/gmock.h>

namespace agentsh::config {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

ServerConfig values_of(std::string_view text, const LoadRequest& request = TestRequest()) {
  LoadReport report = parse(text, request);
  EXPECT_TRUE(report.config) << problems_of(report);
  return report.config ? report.config->values : ServerConfig{};
}

TEST(ParseConfig, EveryKeyReachesItsMember) {
  const ServerConfig config = values_of(R"(
server:
  state_dir: /srv/state
  unix_socket: {enabled: true, path: /run/x.sock, permissions: 0640, group: agents}
  http: {addr: "127.0.0.1:18080", read_timeout: 10s, write_timeout: 1h, max_request_size: 2MB}
  tls: {enabled: false, cert_file: tls/a.pem, key_file: /k.pem}
auth:
  type: api_key
  api_key: {keys_file: "${HOME}/keys.yaml", header_name: X-Key}
logging: {level: warning}
metrics: {enabled: false, path: /m}
health: {path: /h, readiness_path: /r}
sessions:
  base_dir: /srv/sessions
  max_sessions: 7
  default_timeout: 4h
  default_idle_timeout: 30m
  cleanup_interval: 2m
  real_paths: false
policies:
  dir: policies
  default: strict
  allowed: [strict, lax]
  signing: {mode: enforce, trust_store: /etc/keys}
approvals: {enabled: true, mode: api, timeout: 90s}
sandbox:
  network:
    enabled: false
    intercept_mode: nftables
    threads: 3
    resolvers: [9.9.9.9, "[2620:fe::fe]:5353"]
    upstream_ca_files: [ca.pem]
    upstream_proxy: {url: "http://u:p@proxy.corp:3128", bypass: ["*.corp", 10.0.0.0/8]}
    tls_passthrough: [pinned.example.com]
    host_ports: [5432, 6379]
    tls_inspection: {enabled: false}
    timeouts: {connect: 1s, handshake: 2s, request_head: 3s, idle: 4s, body: 7s, dns: 500ms}
  env_inject: {A: "${HOME}", B: 5}
security: {mode: full, strict: true, minimum_mode: landlock, warn_degraded: false}
audit:
  dir: /srv/audit
  rotation: {max_size_mb: 5, max_backups: 0}
  integrity: {key_file: /srv/key}
  fsync: always
  backpressure: count
  on_write_error: deny
  ring_size: 1MB
)",
                                        TestRequest({{"HOME", "/home/ann"}}));
  EXPECT_EQ(config.server.state_dir, "/srv/state");
  EXPECT_EQ(config.server.unix_socket.path, "/run/x.sock");
  EXPECT_EQ(config.server.unix_socket.permissions, 0640u);
  EXPECT_EQ(config.server.unix_socket.group, "agents");
  EXPECT_EQ(config.server.http.address, Endpoint::parse("127.0.0.1:18080"));
  EXPECT_EQ(config.server.http.read_timeout, seconds(10));
  EXPECT_EQ(config.server.http.write_timeout, minutes(60));
  EXPECT_EQ(config.server.http.max_request_size, 2u << 20);
  EXPECT_FALSE(config.server.tls.enabled);
  EXPECT_EQ(config.server.tls.cert_file, "/etc/agentsh/tls/a.pem");
  EXPECT_EQ(config.server.tls.key_file, "/k.pem");
  EXPECT_EQ(config.auth.type, AuthType::kApiKey);
  EXPECT_EQ(config.auth.keys_file, "/home/ann/keys.yaml");
  EXPECT_EQ(config.auth.header_name, "X-Key");
  EXPECT_EQ(config.logging.level, LogLevel::kWarning);
  EXPECT_FALSE(config.metrics.enabled);
  EXPECT_EQ(config.metrics.path, "/m");
  EXPECT_EQ(config.health.path, "/h");
  EXPECT_EQ(config.health.readiness_path, "/r");
  EXPECT_EQ(config.sessions.base_dir, "/srv/sessions");
  EXPECT_EQ(config.sessions.max_sessions, 7);
  EXPECT_EQ(config.sessions.default_timeout, minutes(240));
  EXPECT_EQ(config.sessions.default_idle_timeout, minutes(30));
  EXPECT_EQ(config.sessions.cleanup_interval, minutes(2));
  EXPECT_FALSE(config.sessions.real_paths);
  EXPECT_EQ(config.policies.dir, "/etc/agentsh/policies");
  EXPECT_EQ(config.policies.default_policy, "strict");
  EXPECT_THAT(config.policies.allowed, ElementsAre("strict", "lax"));
  EXPECT_EQ(config.policies.signing_mode, SigningMode::kEnforce);
  EXPECT_EQ(config.policies.trust_store, "/etc/keys");
  EXPECT_TRUE(config.approvals.enabled);
  EXPECT_EQ(config.approvals.timeout, seconds(90));
  const NetworkSection& network = config.sandbox.network;
  EXPECT_FALSE(network.enabled);
  EXPECT_EQ(network.intercept_mode, InterceptMode::kNftables);
  EXPECT_EQ(network.threads, 3);
  EXPECT_THAT(network.resolvers,
              ElementsAre(*Endpoint::parse("9.9.9.9:53"), *Endpoint::parse("[2620:fe::fe]:5353")));
  EXPECT_THAT(network.upstream_ca_files, ElementsAre("/etc/agentsh/ca.pem"));
  EXPECT_EQ(network.upstream_proxy.host, "proxy.corp");
  EXPECT_EQ(network.upstream_proxy.password, "p");
  EXPECT_THAT(network.upstream_proxy_bypass, ElementsAre("*.corp", "10.0.0.0/8"));
  EXPECT_THAT(network.tls_passthrough, ElementsAre("pinned.example.com"));
  EXPECT_THAT(network.host_ports, ElementsAre(5432, 6379));
  EXPECT_FALSE(network.tls_inspection);
  EXPECT_EQ(network.timeouts.connect, seconds(1));
  EXPECT_EQ(network.timeouts.handshake, seconds(2));
  EXPECT_EQ(network.timeouts.request_head, seconds(3));
  EXPECT_EQ(network.timeouts.idle, seconds(4));
  EXPECT_EQ(network.timeouts.body, seconds(7));
  EXPECT_EQ(network.timeouts.dns, std::chrono::milliseconds(500));
  EXPECT_THAT(config.sandbox.env_inject, ElementsAre(Pair("A", "/home/ann"), Pair("B", "5")));
  EXPECT_EQ(config.security.mode, SecurityMode::kFull);
  EXPECT_TRUE(config.security.strict);
  EXPECT_EQ(config.security.minimum_mode, SecurityMode::kLandlock);
  EXPECT_FALSE(config.security.warn_degraded);
  EXPECT_EQ(config.audit.dir, "/srv/audit");
  EXPECT_EQ(config.audit.segment_size_mb, 5);
  EXPECT_EQ(config.audit.max_segments, 0);
  EXPECT_EQ(config.audit.key_file, "/srv/key");
  EXPECT_EQ(config.audit.fsync, audit::Fsync::kAlways);
  EXPECT_EQ(config.audit.backpressure, audit::Backpressure::kCount);
  EXPECT_EQ(config.audit.on_write_error, WriteError::kDeny);
  EXPECT_EQ(config.audit.ring_size, 1u << 20);
}

TEST(ParseConfig, EmptyTextAndEmptySectionsAreTheDefaults) {
  for (const char* text : {"", "# nothing\n", "server:\nsandbox:\n  network:\n", "~"}) {
    LoadReport report = parse(text);
    ASSERT_TRUE(report.config) << problems_of(report);
    EXPECT_TRUE(report.problems.empty()) << problems_of(report);
    EXPECT_EQ(report.config->values.server.state_dir, "/home/ann/.local/state/agentsh");
  }
}

TEST(ParseConfig, PathsBelowTheStateDirectoryFollowIt) {
  const ServerConfig config = values_of("server: {state_dir: /srv}\nsessions: {base_dir: /s}\n");
  EXPECT_EQ(config.sessions.base_dir, "/s");
  EXPECT_EQ(config.audit.dir, "/srv/audit");
  EXPECT_EQ(config.audit.key_file, "/srv/audit.key");
}

TEST(ParseConfig, EbpfKeysAreBroughtIntoTheInterceptMode) {
  auto mode = [](const char* text) { return values_of(text).sandbox.network.intercept_mode; };
  EXPECT_EQ(mode("sandbox: {network: {intercept_mode: all}}"), InterceptMode::kAuto);
  EXPECT_EQ(mode("sandbox: {network: {ebpf: {required: true}}}"), InterceptMode::kEbpf);
  EXPECT_EQ(mode("sandbox: {network: {ebpf: {enabled: true}}}"), InterceptMode::kAuto);
  EXPECT_EQ(mode("sandbox: {network: {ebpf: {enabled: false}}}"), InterceptMode::kNftables);
}

TEST(ParseConfig, DollarsInOtherValuesStay) {
  LoadReport report = parse("sessions: {base_dir: $$x}\nauth: {api_key: {header_name: a$b}}\n");
  ASSERT_TRUE(report.config) << problems_of(report);
  EXPECT_EQ(report.config->values.auth.header_name, "a$b");
  EXPECT_EQ(report.config->values.sessions.base_dir, "/etc/agentsh/$x");
}

struct Malformed {
  const char* name;
  const char* text;
  const char* expected;  // One line of what is reported.
};

constexpr Malformed kMalformed[] = {
    {"unknown section", "servr: {}", ":1:1: servr: unknown key; did you mean \"server\"?"},
    {"unknown key", "server:\n  unix_soket: {}",
     ":2:3: server.unix_soket: unknown key; did you mean \"unix_socket\"?"},
    {"unknown key of a known block", "dlp: {patterns: {emial: true}}",
     ":1:18: dlp.patterns.emial: unknown key; did you mean \"email\"?"},
    {"unknown key in a list of blocks", "threat_feeds: {feeds: [{name: a, ulr: b}]}",
     "threat_feeds.feeds[0].ulr: unknown key; did you mean \"url\"?"},
    {"unknown key in a map of blocks", "mount_profiles: {x: {base: y}}",
     "mount_profiles.x.base: unknown key; did you mean \"base_policy\"?"},
    {"duplicate key", "server: {}\nserver: {}", ":2:1: server: duplicate key"},
    {"not a map", "server: 5", ":1:9: server: must be a map, not a number"},
    {"list for a map", "- a", ":1:1: must be a map, not a list"},
    {"not YAML", "server: [", "not YAML"},
    {"tabs", "server:\n\thttp: {}", ":2:"},
    {"control byte", "a: \"\x01\"", "control byte 0x01"},
    {"not UTF-8", "a: \xff", "is not UTF-8"},
    {"second document", "server: {}\n---\nauth: {}", "only the first document"},
    {"quoted flag", "security: {strict: \"yes\"}",
     "security.strict: must be true or false without quotes"},
    {"number for a flag", "security: {strict: 1}", "security.strict: must be true or false"},
    {"unknown word", "security: {mode: ful}",
     "security.mode: \"ful\" is not one of auto, full, landlock, landlock-only, minimal; did you "
     "mean \"full\"?"},
    {"word of another system", "security: {mode: ptrace}", "\"ptrace\" is not one of auto"},
    {"unknown auth", "auth: {type: apikey}", "did you mean \"api_key\"?"},
    {"bare number for a duration", "approvals: {timeout: 5}",
     "approvals.timeout: must be a duration such as 30s, 5m or 1h30m, not \"5\"; did you mean "
     "\"5s\"?"},
    {"duration out of range", "approvals: {timeout: 25h}",
     "approvals.timeout: must be a duration from 1s to 24h, is 25h"},
    {"integer out of range", "sessions: {max_sessions: 0}",
     "sessions.max_sessions: must be from 1 to 100000, is 0"},
    {"text for an integer", "sessions: {max_sessions: many}", "must be a whole number"},
    {"text for a size", "server: {http: {max_request_size: big}}",
     "must be a size such as 10MB or 512K, not \"big\""},
    {"list for a size", "server: {http: {max_request_size: [1]}}", "not a list"},
    {"size out of range", "server: {http: {max_request_size: 1}}",
     "must be a size from 4KB to 1GB, is 1"},
    {"permissions that are not octal", "server: {unix_socket: {permissions: 0888}}",
     "must be octal permissions such as \"0660\", not \"0888\""},
    {"permissions with more bits", "server: {unix_socket: {permissions: \"4755\"}}",
     "must be octal permissions"},
    {"list for permissions", "server: {unix_socket: {permissions: []}}", "not a list"},
    {"name instead of an address", "server: {http: {addr: \"localhost:80\"}}",
     "not \"localhost:80\"; did you mean \"127.0.0.1:80\"?"},
    {"port alone", "server: {http: {addr: \":80\"}}", "did you mean \"127.0.0.1:80\"?"},
    {"address without port", "server: {http: {addr: 127.0.0.1}}",
     "must be an IP address and port such as 127.0.0.1:18080, not \"127.0.0.1\""},
    {"resolver by name", "sandbox: {network: {resolvers: [dns.example.com]}}",
     "sandbox.network.resolvers[0]: must be an IP address, or an IP address and port"},
    {"one resolver without a list", "sandbox: {network: {resolvers: 9.9.9.9}}",
     "must be a list, not a number; did you mean \"[9.9.9.9]\"?"},
    {"port out of range", "sandbox: {network: {host_ports: [0, 70000]}}",
     "sandbox.network.host_ports[1]: must be from 1 to 65535, is 70000"},
    {"one port without a list", "sandbox: {network: {host_ports: 80}}", "did you mean \"[80]\"?"},
    {"host with a path", "sandbox: {network: {tls_passthrough: [a.example/x]}}",
     "sandbox.network.tls_passthrough[0]: must be a host name"},
    {"bypass", "sandbox: {network: {upstream_proxy: {bypass: [10.0.0.1/8]}}}",
     "must be a host name, \"*.\" and a host name, or a network such as 10.0.0.0/8"},
    {"proxy over TLS", "sandbox: {network: {upstream_proxy: {url: \"https://p:1\"}}}",
     "only http:// proxies are spoken to"},
    {"variable without braces", "sessions: {base_dir: $HOME/x}",
     "sessions.base_dir: \"$HOME\" is not replaced: write ${HOME}"},
    {"unset variable", "sessions: {base_dir: \"${NOPE}/x\"}",
     "the environment variable NOPE is not set"},
    {"tilde", "sessions: {base_dir: ~/x}", "did you mean \"${HOME}/x\"?"},
    {"policy name", "policies: {default: ../x}", "must be a policy name"},
    {"header field", "auth: {api_key: {header_name: \"X Key\"}}",
     "must be the name of a header field, not \"X Key\""},
    {"metrics path", "metrics: {path: metrics}", "must be a path that begins with \"/\""},
    {"injected variable", "sandbox: {env_inject: {\"A=B\": c}}", "is not a name"},
    {"list to inject", "sandbox: {env_inject: [a]}", "must be a map, not a list"},
    {"shape of a known flag", "tor: {enabled: 5}", "tor.enabled: must be true or false"},
    {"shape of a known number", "proxy: {port: http}", "proxy.port: must be a whole number"},
    {"shape of a known fraction",
     "sandbox: {mcp: {cross_server: {shadow_tool: {similarity_threshold: x}}}}",
     "must be a number"},
    {"shape of a known duration", "threat_feeds: {sync_interval: 6}", "did you mean \"6s\"?"},
    {"shape of a known list", "tor: {socks_ports: [x]}", "tor.socks_ports[0]: must be a whole"},
    {"shape of a known map", "audit: {otel: {headers: [a]}}", "must be a map, not a list"},
    {"map instead of a known list", "threat_feeds: {feeds: {a: b}}",
     "threat_feeds.feeds: must be a list, not a map"},
    {"list instead of a known map", "mount_profiles: [a]", "must be a map, not a list"},
    {"renamed", "sandbox: {seccomp: {hardening_profiles: [x]}}",
     "was renamed; did you mean \"mitigation_sets\"?"},
    {"policy as configuration", "file_rules: []", "this is a policy: put it into policies.dir"},
    {"limits", "resource_limits: {}", "resource_limits belong into a policy"},
    {"wrong name in a guide", "storage: {}", "did you mean \"llm_storage\"?"},

    {"TCP without authentication", "server: {http: {addr: \"127.0.0.1:1\"}}",
     ":1:23: server.http.addr: needs auth.type: api_key"},
    {"TCP with OIDC", "server: {http: {addr: \"127.0.0.1:1\"}}\nauth: {type: oidc}",
     "server.http.addr: needs auth.type: api_key"},
    {"keys without a file", "auth: {type: api_key}",
     ":1:14: auth.type: needs auth.api_key.keys_file"},
    {"TLS without files", "server: {tls: {enabled: true}}",
     "server.tls.enabled: needs server.tls.cert_file and server.tls.key_file"},
    {"no listener", "server: {unix_socket: {enabled: false}}", "nobody can talk to the daemon"},
    {"no state", "server: {state_dir: \"\"}", "server.state_dir: must not be empty"},
    {"long socket path",
     "server: {unix_socket: {path: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "a"
     "aaaaaaaaaaaaaaaaa}}",
     "must have 1 to 107 bytes, has 111"},
    {"default not allowed", "policies: {allowed: [a], default: b}",
     "policies.default: \"b\" is not in policies.allowed"},
    {"signing without keys", "policies: {signing: {mode: warn}}",
     "needs policies.signing.trust_store"},
    {"mode below the minimum", "security: {mode: minimal, minimum_mode: full}",
     "security.mode: is less than security.minimum_mode"},
    {"mode that is not built", "security: {mode: landlock}",
     "security.mode: landlock is Landlock with a FUSE file system"},
    {"eBPF required and off", "sandbox: {network: {ebpf: {required: true, enabled: false}}}",
     "sandbox.network.ebpf.required: contradicts"},
    {"eBPF required and nftables",
     "sandbox: {network: {intercept_mode: nftables, ebpf: {required: true}}}",
     "contradicts sandbox.network.intercept_mode: nftables"},
    {"eBPF off and asked for", "sandbox: {network: {intercept_mode: ebpf, ebpf: {enabled: false}}}",
     "contradicts sandbox.network.intercept_mode: ebpf"},
};

TEST(ParseConfig, SaysWhatIsWrongAndWhere) {
  for (const Malformed& item : kMalformed) {
    LoadReport report = parse(item.text);
    const bool warning = std::string_view(item.name) == "second document";
    EXPECT_EQ(report.config.has_value(), warning) << item.name;
    EXPECT_THAT(problems_of(report), HasSubstr(item.expected)) << item.name;
    EXPECT_THAT(problems_of(report), HasSubstr("/etc/agentsh/config.yaml")) << item.name;
  }
}

TEST(ParseConfig, ReportsAllAtOnceInTheOrderOfTheFile) {
  const std::string text = problems_of(parse("auth: {type: x}\nsecurity: {strict: 3}\nfoo: 1\n"));
  EXPECT_LT(text.find(":1:14:"), text.find(":2:20:"));
  EXPECT_LT(text.find(":2:20:"), text.find(":3:1:"));
}

TEST(ParseConfig, WarnsOfWhatIsProbablyNotMeant) {
  struct Case {
    const char* text;
    const char* expected;
  };
  constexpr Case kCases[] = {
      {"auth: {type: api_key, api_key: {keys_file: /k}}\nserver: {http: {addr: \"0.0.0.0:1\"}}",
       "warning: server.http.addr: API keys cross the network in clear text"},
      {"server: {tls: {cert_file: /c}}", "has no effect without server.tls.enabled: true"},
      {"server: {tls: {enabled: true, cert_file: /c, key_file: /k}}",
       "has no effect without server.http.addr"},
      {"server: {unix_socket: {permissions: 0666}}", "lets every user of this machine talk"},
      {"sandbox: {network: {upstream_proxy: {bypass: [a]}}}", "has no effect without"},
      {"audit: {fsync: never, fsync_interval: 2s}", "has no effect without audit.fsync"},
      {"server: {unix_socket: {group: a}}\npolicies: {manifest_path: \"${X}\"}", "manifest_path"},
  };
  for (const Case& item : kCases) {
    LoadReport report = parse(item.text);
    EXPECT_TRUE(report.config) << item.text << "\n" << problems_of(report);
    EXPECT_THAT(problems_of(report), HasSubstr(item.expected)) << item.text;
  }
}

TEST(ParseConfig, IsBounded) {
  EXPECT_THAT(problems_of(parse(std::string(2 << 20, '#'))), HasSubstr("larger than"));
  EXPECT_THAT(problems_of(parse(std::string(100, '['))), HasSubstr("nested more than 32"));
}

}  // namespace
}  // namespace agentsh::config
