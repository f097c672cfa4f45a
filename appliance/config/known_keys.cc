// Keys of agentsh that have no member in ServerConfig: their values are checked for their shape and
// reported as not enforced (unenforced.cc). To give a key effect, move it to keys_*.cc and delete
// its row there.
#include "appliance/config/schema.h"

namespace agentsh::config {
namespace {

using enum Shape;

constexpr KnownKeys kKnownKeys[] = {
    {"platform.", kText, "mode"},
    {"platform.fallback.", kFlag, "enabled"},
    {"platform.fallback.", kTexts, "order"},
    {"platform.mount_points.", kText, "linux darwin windows windows_wsl2"},

    {"server.grpc.", kFlag, "enabled"},
    {"server.grpc.", kText, "addr"},
    {"server.tls.", kText, "ca_file"},

    {"auth.oidc.", kText,
     "issuer client_id audience claim_mappings.operator_id claim_mappings.groups"},
    {"auth.oidc.", kDuration, "jwks_cache_ttl discovery_timeout"},
    {"auth.oidc.", kTexts, "allowed_groups"},
    {"auth.oidc.", kTextMap, "group_policy_map group_role_map"},

    {"logging.", kText, "format output"},
    {"logging.rotation.", kInteger, "max_size_mb max_age_days max_backups"},
    {"logging.rotation.", kFlag, "compress"},

    {"audit.", kFlag, "enabled rotation.compress storage.enabled integrity.enabled"},
    {"audit.", kText, "output storage.sqlite_path"},
    {"audit.", kInteger, "rotation.max_age_days storage.batch_size storage.channel_size"},
    {"audit.", kDuration, "storage.flush_interval"},
    {"audit.webhook.", kSecret, "url"},
    {"audit.webhook.", kInteger, "batch_size"},
    {"audit.webhook.", kDuration, "flush_interval timeout"},
    {"audit.webhook.", kSecretMap, "headers"},
    {"audit.integrity.", kText,
     "algorithm key_source key_env aws_kms.key_id aws_kms.region aws_kms.encrypted_dek_file "
     "azure_keyvault.vault_url azure_keyvault.key_name azure_keyvault.key_version "
     "hashicorp_vault.address hashicorp_vault.auth_method hashicorp_vault.token_file "
     "hashicorp_vault.kubernetes_role hashicorp_vault.approle_id hashicorp_vault.secret_path "
     "hashicorp_vault.key_field gcp_kms.key_name gcp_kms.encrypted_dek_file"},
    {"audit.integrity.", kSecret, "hashicorp_vault.secret_id"},
    {"audit.encryption.", kFlag, "enabled"},
    {"audit.encryption.", kText, "key_source key_file key_env"},
    {"audit.otel.", kFlag, "enabled tls.enabled tls.insecure signals.logs signals.spans"},
    {"audit.otel.", kText,
     "endpoint protocol tls.cert_file tls.key_file filter.min_risk_level resource.service_name"},
    {"audit.otel.", kSecretMap, "headers"},
    {"audit.otel.", kTextMap, "resource.extra_attributes"},
    {"audit.otel.", kDuration, "timeout batch.timeout"},
    {"audit.otel.", kInteger, "batch.max_size"},
    {"audit.otel.filter.", kTexts,
     "include_types exclude_types include_categories exclude_categories"},
    {"audit.watchtower.", kFlag,
     "enabled ephemeral_mode log_goaway_message emit_extended_loss_reasons tls.insecure "
     "tls.insecure_skip_verify auth.client_cert_auth"},
    {"audit.watchtower.", kText,
     "endpoint session_id state_dir tls.ca_cert_file tls.client_cert_file tls.client_key_file "
     "auth.token_file auth.token_env chain.algorithm chain.key_source chain.key_file "
     "chain.key_env chain.aws_kms.key_id chain.aws_kms.region chain.aws_kms.encrypted_dek_file "
     "chain.azure_keyvault.vault_url chain.azure_keyvault.key_name "
     "chain.azure_keyvault.key_version chain.hashicorp_vault.address "
     "chain.hashicorp_vault.auth_method chain.hashicorp_vault.token_file "
     "chain.hashicorp_vault.kubernetes_role chain.hashicorp_vault.approle_id "
     "chain.hashicorp_vault.secret_path chain.hashicorp_vault.key_field chain.gcp_kms.key_name "
     "chain.gcp_kms.encrypted_dek_file batch.compression wal.sync_mode filter.min_risk_level"},
    {"audit.watchtower.", kSecret, "chain.hashicorp_vault.secret_id"},
    {"audit.watchtower.", kInteger,
     "batch.max_events batch.max_bytes batch.zstd_level batch.gzip_level wal.segment_size "
     "wal.max_total_bytes heartbeat.reconnect_after_misses"},
    {"audit.watchtower.", kDuration,
     "batch.max_timespan batch.flush_interval wal.sync_interval heartbeat.interval backoff.base "
     "backoff.max"},
    {"audit.watchtower.filter.", kTexts,
     "include_types exclude_types include_categories exclude_categories"},

    {"sessions.checkpoints.", kFlag, "enabled auto_checkpoint.enabled"},
    {"sessions.checkpoints.", kText, "storage_dir"},
    {"sessions.checkpoints.", kInteger, "max_per_session max_size_mb"},
    {"sessions.checkpoints.", kTexts, "auto_checkpoint.triggers"},
    {"sessions.checkpoints.", kDuration, "retention.max_age retention.cleanup_interval"},

    {"sandbox.", kFlag, "enabled allow_degraded wrap_env_policy.enabled"},
    {"sandbox.limits.", kInteger,
     "max_memory_mb max_cpu_percent max_processes max_disk_io_mbps max_network_mbps"},
    {"sandbox.fuse.", kFlag, "enabled deferred audit.enabled audit.strict_on_audit_failure"},
    {"sandbox.fuse.", kText,
     "mount_base_dir deferred_marker_file audit.mode audit.trash_path audit.ttl audit.quota "
     "audit.hash_small_files_under"},
    {"sandbox.fuse.", kTexts, "deferred_enable_command"},
    {"sandbox.fuse.", kInteger, "max_background audit.max_event_queue"},
    {"sandbox.network.", kInteger, "proxy_port dns_port"},
    {"sandbox.network.", kText,
     "proxy_listen_addr transparent.subnet_base tls_inspection.ca_cert tls_inspection.ca_key"},
    {"sandbox.network.", kFlag, "transparent.enabled rate_limits.enabled"},
    {"sandbox.network.ebpf.", kFlag, "enforce enforce_without_dns resolve_rdns"},
    {"sandbox.network.ebpf.", kInteger,
     "map_allow_entries map_deny_entries map_lpm_entries map_lpm_deny_entries "
     "map_default_entries dns_refresh_seconds dns_max_ttl_seconds"},
    {"sandbox.network.rate_limits.", kInteger,
     "global_rpm global_burst per_domain.*.requests_per_minute per_domain.*.burst"},
    {"sandbox.cgroups.", kFlag, "enabled best_effort"},
    {"sandbox.cgroups.", kText, "base_path"},
    {"sandbox.unix_sockets.", kFlag, "enabled"},
    {"sandbox.unix_sockets.", kText, "wrapper_bin"},
    {"sandbox.seccomp.", kFlag,
     "enabled wait_killable unix_socket.enabled execve.enabled file_monitor.enabled "
     "file_monitor.enforce_without_fuse file_monitor.intercept_metadata "
     "file_monitor.write_only_opens file_monitor.openat_emulation file_monitor.block_io_uring"},
    {"sandbox.seccomp.", kText,
     "mode unix_socket.action syscalls.default_action syscalls.on_block shellc.opaque "
     "execve.on_truncated execve.approval_timeout_action blocked_socket_families[].family "
     "blocked_socket_families[].action socket_rules[].name socket_rules[].family "
     "socket_rules[].type socket_rules[].protocol socket_rules[].action"},
    {"sandbox.seccomp.", kTexts,
     "syscalls.block syscalls.allow execve.internal_bypass mitigation_sets mitigation_dirs"},
    {"sandbox.seccomp.execve.", kInteger, "max_argc max_argv_bytes"},
    {"sandbox.seccomp.execve.", kDuration, "approval_timeout"},
    {"sandbox.xpc.", kFlag, "enabled esf_monitoring.enabled"},
    {"sandbox.xpc.", kText, "mode wrapper_bin mach_services.default_action"},
    {"sandbox.xpc.mach_services.", kTexts, "allow block allow_prefixes block_prefixes"},
    {"sandbox.ptrace.", kFlag,
     "enabled trace.execve trace.file trace.network trace.signal performance.seccomp_prefilter"},
    {"sandbox.ptrace.", kText, "attach_mode target_pid_file mask_tracer_pid on_attach_failure"},
    {"sandbox.ptrace.", kInteger, "target_pid performance.max_tracees performance.max_hold_ms"},
    {"sandbox.mcp.", kFlag,
     "enforce_policy fail_closed version_pinning.enabled version_pinning.auto_trust_first "
     "version_pinning.pin_binary rate_limits.enabled cross_server.enabled "
     "cross_server.read_then_send.enabled cross_server.burst.enabled "
     "cross_server.cross_server_flow.enabled cross_server.cross_server_flow.same_turn_only "
     "cross_server.shadow_tool.enabled cross_server.shadow_tool.similarity_check "
     "output_inspection.enabled"},
    {"sandbox.mcp.", kText,
     "server_policy tool_policy version_pinning.on_change output_inspection.on_detection "
     "sampling.policy servers[].id servers[].type servers[].command servers[].url "
     "servers[].tls_fingerprint allowed_servers[].id denied_servers[].id allowed_tools[].server "
     "allowed_tools[].tool allowed_tools[].content_hash denied_tools[].server "
     "denied_tools[].tool denied_tools[].content_hash"},
    {"sandbox.mcp.", kTexts,
     "allowed_transports servers[].args servers[].allowed_env servers[].denied_env"},
    {"sandbox.mcp.", kInteger,
     "rate_limits.default_rpm rate_limits.default_burst rate_limits.per_server.*.calls_per_minute "
     "rate_limits.per_server.*.burst cross_server.burst.max_calls"},
    {"sandbox.mcp.cross_server.", kDuration,
     "read_then_send.window burst.window cross_server_flow.window"},
    {"sandbox.mcp.", kNumber, "cross_server.shadow_tool.similarity_threshold"},
    {"sandbox.mcp.", kTextMap, "sampling.per_server"},

    {"policies.", kText, "manifest_path env_shim_path reload_interval"},
    {"policies.", kFlag, "detect_project_root env_policy.block_iteration"},
    {"policies.", kTexts, "project_markers env_policy.allow env_policy.deny"},
    {"policies.env_policy.", kInteger, "max_bytes max_keys"},
    {"mount_profiles.*.", kText, "base_policy mounts[].path mounts[].policy"},

    {"approvals.webauthn.", kText, "rp_id rp_name user_verification"},
    {"approvals.webauthn.", kTexts, "rp_origins"},

    {"development.", kFlag, "debug disable_auth disable_policy verbose_errors pprof.enabled"},
    {"development.", kText, "pprof.addr"},

    {"proxy.", kInteger, "port rate_limits.request_burst rate_limits.token_burst"},
    {"llm_storage.", kFlag, "store_bodies"},

    {"landlock.", kFlag, "enabled network.allow_connect_tcp network.allow_bind_tcp"},
    {"landlock.", kTexts, "allow_execute allow_read allow_write deny_paths"},
    {"landlock.network.", kIntegers, "bind_ports"},
    {"capabilities.", kTexts, "allow"},

    {"threat_feeds.", kFlag, "enabled"},
    {"threat_feeds.", kText,
     "action cache_dir feeds[].name feeds[].url feeds[].format realtime.provider "
     "realtime.on_timeout"},
    {"threat_feeds.", kTexts, "local_lists allowlist"},
    {"threat_feeds.", kDuration, "sync_interval realtime.timeout realtime.cache_ttl"},
    {"threat_feeds.", kSecret, "realtime.api_key"},
    {"tor.", kFlag,
     "enabled vectors.processes vectors.socks_ports vectors.onion vectors.onion_dns "
     "vectors.onion_http vectors.relay_ips socks_loopback_only relay_feed.enabled"},
    {"tor.", kText, "mode relay_feed.cache_dir onion_rules[].onion onion_rules[].decision"},
    {"tor.", kTexts, "client_binaries relay_feed.sources relay_feed.local_lists"},
    {"tor.", kIntegers, "socks_ports control_ports"},
    {"tor.", kDuration, "relay_feed.sync_interval"},

    {"package_checks.", kFlag, "enabled providers.*.enabled"},
    {"package_checks.", kText,
     "scope fail_mode cache.dir registries.*.trust providers.*.type providers.*.command "
     "providers.*.on_failure providers.*.api_key_env resolvers.*.dry_run_command "
     "block_on.malware block_on.vulnerability block_on.license block_on.reputation "
     "block_on.provenance"},
    {"package_checks.", kTexts,
     "registries.*.scopes resolvers.*.dry_run_args privacy.external_scan_registries "
     "privacy.private_scope_denylist"},
    {"package_checks.", kInteger, "providers.*.priority"},
    {"package_checks.", kDuration,
     "cache.ttl.vulnerability cache.ttl.license cache.ttl.provenance cache.ttl.reputation "
     "cache.ttl.malware providers.*.timeout resolvers.*.timeout"},
    {"package_checks.", kAnything, "providers.*.options"},
    {"skillcheck.", kFlag, "enabled providers.*.enabled providers.*.probe_audits"},
    {"skillcheck.", kText,
     "cache_dir trash_dir providers.*.on_failure providers.*.binary_path providers.*.base_url"},
    {"skillcheck.", kTexts, "watch_roots"},
    {"skillcheck.scan_size_limits.", kInteger, "per_file_bytes total_bytes"},
    {"skillcheck.", kTextMap, "thresholds"},
    {"skillcheck.", kDuration, "providers.*.timeout"},
    {"policy_socket.", kText, "path team_id"},
};

}  // namespace

std::span<const KnownKeys> known_keys() {
  return kKnownKeys;
}

}  // namespace agentsh::config
