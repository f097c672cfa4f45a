"""Servers of the appliance's benchmark: an origin, and nginx and HAProxy as proxies that open TLS and close it again.

All listen on ORIGIN: 80 and 443 are the origin, 8080 and 8443 nginx in front of it, 9443 HAProxy, which mints a
certificate for each name it is asked for, as we do.
"""

import shutil
import subprocess

import harness

ORIGIN = "11.22.33.20"
HOST = "bench.example.com"
NEW_HOSTS = [f"new{i}.example.com" for i in range(240)]
POLICY = """
version: 1
name: e2e
file_rules:
  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}
network_rules:
  - {name: no-denied, domains: ["denied.example.org"], decision: deny}
  - {name: example, domains: ["example.com", "*.example.com"], decision: allow}
  - {name: origin, cidrs: ["11.22.33.0/24"], decision: allow}
command_rules:
  - {name: no-rm-rf, commands: [rm], args_patterns: ["-rf"], decision: deny}
  - {name: everything, decision: allow}
"""


def make_world():
    for name in [HOST, *NEW_HOSTS]:
        harness.CLIENT_NAMES[name] = (ORIGIN, None)
    world = harness.World()
    harness.run("ip", "addr", "add", ORIGIN + "/24", "dev", "internet")
    return world


def program(name):
    return shutil.which(name) or f"/usr/sbin/{name}"


class Peers:
    def __init__(self, world):
        self.directory = world.directory
        certificate, key = world.authority.issue("bench", ["*.example.com"])
        self.tls = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        self.authority = world.authority
        self.origin = self.start_nginx(world, "bench-origin", self.origin_config())
        self.nginx = self.start_nginx(world, "bench-proxy", self.proxy_config())
        self.haproxy = self.start_haproxy(world, certificate, key)
        for port in (443, 8443, 9443):
            harness.wait_until(lambda port=port: harness.listening(ORIGIN, port), f"something listens on {port}")

    def origin_config(self):
        content = "x" * 1024
        return (f"access_log off; server {{ listen {ORIGIN}:80 backlog=4096; listen {ORIGIN}:443 ssl backlog=4096;"
                f" {self.tls} location / {{ default_type application/octet-stream; return 200 \"{content}\"; }} }}\n")

    def proxy_config(self):
        forward = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;'
        return (f"access_log {self.directory}/bench-access.log combined buffer=64k;\n"
                f"upstream plain {{ server {ORIGIN}:80; keepalive 256; keepalive_requests 100000000; }}\n"
                f"upstream secure {{ server {ORIGIN}:443; keepalive 256; keepalive_requests 100000000; }}\n"
                f"server {{ listen {ORIGIN}:8080 backlog=4096; location / {{ proxy_pass http://plain; {forward} }} }}\n"
                f"server {{ listen {ORIGIN}:8443 ssl backlog=4096; {self.tls} location / {{ proxy_pass https://secure;"
                f" {forward} proxy_ssl_verify on; proxy_ssl_trusted_certificate {self.authority.certificate};"
                f" proxy_ssl_name {HOST}; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3; }} }}\n")

    def start_nginx(self, world, name, body):
        d = f"{self.directory}/{name}"
        config = self.directory / f"{name}.conf"
        config.write_text(
            f"daemon off; master_process off; pid {d}.pid; error_log /dev/null; worker_rlimit_nofile 20000;\n"
            "events { worker_connections 18000; }\n"
            "http { keepalive_timeout 300s; keepalive_requests 100000000; tcp_nodelay on;\n"
            f"client_body_temp_path {d}-1; proxy_temp_path {d}-2; fastcgi_temp_path {d}-3; uwsgi_temp_path {d}-4;"
            f" scgi_temp_path {d}-5;\n" + body + "}\n")
        return world.processes.start(program("nginx"), "-c", config, stderr=subprocess.DEVNULL)

    def start_haproxy(self, world, certificate, key):
        for name, files in (("default", (certificate, key)),
                            ("signer", (self.authority.certificate, self.authority.key))):
            (self.directory / f"haproxy-{name}.pem").write_bytes(b"".join(f.read_bytes() for f in files))
        config = self.directory / "haproxy.cfg"
        d = self.directory
        config.write_text(
            f"global\n  nbthread 1\n  maxconn 4000\n  ssl-server-verify required\n  ca-base {d}\n"
            "defaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
            f"listen secure\n  bind {ORIGIN}:9443 ssl crt {d}/haproxy-default.pem generate-certificates"
            f" ca-sign-file {d}/haproxy-signer.pem\n"
            f"  server origin {ORIGIN}:443 ssl ca-file {self.authority.certificate} sni ssl_fc_sni verifyhost {HOST}\n")
        log = open(d / "haproxy.log", "wb")
        return world.processes.start(program("haproxy"), "-f", config, stdout=log, stderr=log)
