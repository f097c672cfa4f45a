"""A small internet of its own, and the appliance in it, for end-to-end tests.

World() makes a network namespace (re-executing the test inside one), gives it addresses that look public, and starts real
servers there: nginx with certificates of a test authority, unbound for names. Nothing leaves the namespace: it has no
other interface. The appliance runs with its own state directory and socket, as root or as an ordinary user.

    class CurlTest(harness.ApplianceTest):
        def test_allowed(self):
            sid = self.create_session()
            self.assertEqual(self.run_in(sid, "curl", "-s", "https://www.example.com/").stdout, b"hello\n")

Run: /usr/bin/python3 tests/e2e/curl_test.py --bin build/release/bin [--user nobody]
"""

import atexit
import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Addresses of the test's internet. They are public ones by class, so policies need no CIDR rule for them.
WEB4, WEB6 = "11.22.33.10", "2600:11:22::10"
OTHER4 = "11.22.33.11"
RESOLVER4 = "11.22.33.53"
CLIENT_NAMES = {
    "www.example.com": (WEB4, WEB6),
    "example.com": (WEB4, None),
    "v4.example.com": (WEB4, None),
    "v6.example.com": (None, WEB6),
    "registry.example.com": (WEB4, None),
    "git.example.com": (WEB4, None),
    "pypi.example.com": (WEB4, None),
    "apt.example.com": (WEB4, None),
    "ws.example.com": (WEB4, None),
    "stream.example.com": (WEB4, None),
    "ssh.example.com": (WEB4, None),
    "other.example.net": (OTHER4, None),
    "denied.example.org": (OTHER4, None),
    "private.example.com": ("10.1.2.3", None),
    "rebind.example.com": ("127.0.0.1", None),
    "metadata.example.com": ("169.254.169.254", None),
    "expired.example.com": (WEB4, None),
    "selfsigned.example.com": (WEB4, None),
    "wronghost.example.com": (WEB4, None),
}

# What a test file adds to the web server before the world is made: functions from the World to nginx server blocks.
SITES = []

POLICY = """
version: 1
name: e2e
file_rules:
  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}
network_rules:
  - {name: no-denied, domains: ["denied.example.org"], decision: deny, message: "This host is off limits."}
  - {name: example, domains: ["example.com", "*.example.com", "other.example.net"], decision: allow}
command_rules:
  - {name: no-rm-rf, commands: [rm], args_patterns: ["-rf"], decision: deny, message: "Use git clean instead."}
  - {name: everything, decision: allow}
"""


class Arguments:
    bin = ROOT / "build/release/bin"
    build = bin.parent  # The build directory.
    user = None
    intercept = "auto"


def parse_command_line():
    rest = [sys.argv[0]]
    it = iter(sys.argv[1:])
    for argument in it:
        if argument == "--bin":
            Arguments.bin = pathlib.Path(next(it)).resolve()
            Arguments.build = Arguments.bin.parent
        elif argument == "--user":
            Arguments.user = next(it)
        elif argument == "--intercept":
            Arguments.intercept = next(it)
        else:
            rest.append(argument)
    return rest


def skip(reason):
    """Ends the whole test as skipped, for ctest (SKIP_RETURN_CODE 77)."""
    print("skipped:", reason)
    sys.exit(77)


def enter_namespace():
    """Re-executes the test in network and mount namespaces of its own."""
    if os.geteuid() != 0:
        skip("needs root to make a network namespace")
    if os.environ.get("AGENTSH_E2E_NAMESPACE") == "1":
        return
    os.environ["AGENTSH_E2E_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--", "/usr/bin/python3"] + sys.argv)


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options)


def wait_until(condition, what, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        select_nap()


def select_nap():
    """Lets others run while polling for something that has no descriptor to wait on."""
    import select

    select.select([], [], [], 0.01)


def listening(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((address, port)) == 0


def shared_automata():
    """What the tests' daemons share of them, in the build directory."""
    return Arguments.build / "dlp-cache"


class Processes:
    """What the test started, ended at exit by their own ids."""

    def __init__(self):
        self.started = []
        atexit.register(self.end)

    def start(self, *command, **options):
        process = subprocess.Popen(command, **options)
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.started.clear()


class Authority:
    """A certificate authority for the servers of the test's internet."""

    def __init__(self, directory):
        self.directory = directory
        self.certificate = directory / "test-ca.pem"
        self.key = directory / "test-ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
            "-subj", "/CN=Test internet CA", "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, names=None, days=2, self_signed=False, not_before=None):
        key, request, certificate = (self.directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
        extensions = self.directory / f"{name}.ext"
        extensions.write_text("subjectAltName=" + ",".join("DNS:" + n for n in names or [name]) + "\n")
        signer = ["-signkey", key] if self_signed else ["-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial"]
        run("openssl", "x509", "-req", "-in", request, "-days", str(days), "-extfile", extensions, "-out", certificate,
            *signer)
        return certificate, key


class World:
    """The test's internet: one per process."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="agentsh-e2e-", dir="/var/tmp"))
        self.directory.chmod(0o755)
        atexit.register(shutil.rmtree, self.directory, True)
        self.processes = Processes()
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "internet", "type", "veth", "peer", "name", "elsewhere")
        run("ip", "link", "set", "internet", "up")
        run("ip", "link", "set", "elsewhere", "up")
        for address in (WEB4, OTHER4, RESOLVER4):
            run("ip", "addr", "add", address + "/24", "dev", "internet")
        run("ip", "-6", "addr", "add", WEB6 + "/64", "dev", "internet", "nodad")
        run("ip", "route", "add", "default", "dev", "internet")
        self.authority = Authority(self.directory)
        self.start_resolver()
        self.web = self.directory / "web"
        (self.web / "upload").mkdir(parents=True)
        (self.web / "index.html").write_text("hello\n")
        self.start_nginx()

    def start_resolver(self):
        lines = []
        for name, (v4, v6) in CLIENT_NAMES.items():
            if v4:
                lines.append(f'  local-data: "{name}. 60 IN A {v4}"')
            if v6:
                lines.append(f'  local-data: "{name}. 60 IN AAAA {v6}"')
        config = self.directory / "unbound.conf"
        config.write_text(
            f'server:\n  interface: {RESOLVER4}\n  access-control: 0.0.0.0/0 allow\n  username: ""\n  chroot: ""\n'
            f'  directory: "{self.directory}"\n  pidfile: "{self.directory}/unbound.pid"\n  use-syslog: no\n'
            "  do-daemonize: no\n  num-threads: 1\n  local-zone: \".\" static\n" + "\n".join(lines) + "\n"
            "remote-control:\n  control-enable: no\n")
        with open(self.directory / "unbound.log", "wb") as log:
            self.processes.start(shutil.which("unbound", path=os.environ["PATH"] + ":/usr/sbin"), "-d", "-c", config,
                                 stdout=log, stderr=log)
        wait_until(lambda: listening(RESOLVER4, 53), "unbound listens")

    def server_block(self, names, certificate, key, extra=""):
        return (f"server {{ listen {WEB4}:443 ssl; listen [{WEB6}]:443 ssl; listen {OTHER4}:443 ssl; listen {WEB4}:80;"
                f" listen [{WEB6}]:80; listen {OTHER4}:80; server_name {' '.join(names)}; ssl_certificate {certificate};"
                f" ssl_certificate_key {key}; root {self.web}; {extra} }}\n")

    def start_nginx(self, extra_servers=""):
        good = self.authority.issue("good", ["example.com", "*.example.com", "other.example.net", "denied.example.org"])
        selfsigned = self.authority.issue("selfsigned", ["selfsigned.example.com"], self_signed=True)
        wrong = self.authority.issue("wrong", ["somebody.else.example"])
        expired = self.authority.issue("expired", ["expired.example.com"], days=-1)
        upload = (f"client_max_body_size 0; location /upload {{ dav_methods PUT; root {self.web}; }}"
                  f" location /echo {{ return 200 \"$request_method $uri $host $scheme $remote_addr\\n\"; }}")
        blocks = self.server_block(["www.example.com", "*.example.com", "example.com", "other.example.net",
                                    "denied.example.org"], *good, extra=upload)
        blocks += self.server_block(["selfsigned.example.com"], *selfsigned)
        blocks += self.server_block(["wronghost.example.com"], *wrong)
        blocks += self.server_block(["expired.example.com"], *expired)
        self.good = good
        extra_servers += "".join(site(self) for site in SITES)
        config = self.directory / "nginx.conf"
        d = self.directory
        config.write_text(
            f"worker_processes 1; daemon off; pid {d}/nginx.pid; error_log {d}/nginx-error.log; user root;\n"
            f"events {{ worker_connections 20000; }}\n"
            f"http {{ access_log {d}/nginx-access.log; client_body_temp_path {d}/body; proxy_temp_path {d}/proxy;"
            f" fastcgi_temp_path {d}/fcgi; uwsgi_temp_path {d}/uwsgi; scgi_temp_path {d}/scgi;"
            f" keepalive_requests 1000000; types {{ text/html html; }}\n" + blocks + extra_servers + "}\n")
        self.processes.start(shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-c", config,
                             stderr=subprocess.DEVNULL)
        wait_until(lambda: listening(WEB4, 443), "nginx listens")

    def requests_seen(self):
        """What reached the web server, as its access log lines."""
        path = self.directory / "nginx-access.log"
        return path.read_text().splitlines() if path.exists() else []


class Appliance:
    """A daemon with its own state directory and socket."""

    prefix = ()  # In front of the daemon's command.

    def __init__(self, world, user=None, policies=None, config="", intercept=None, server="", network="", prefix=()):
        """`server` and `network` are added inside those sections of the configuration, `config` behind them. `prefix`
        is a command that runs the daemon."""
        self.prefix = list(prefix)
        self.world = world
        self.user = pwd.getpwnam(user) if user else None
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="appliance-", dir=world.directory))
        (self.home / "run").mkdir(mode=0o700)
        self.socket = self.home / "run/agentsh.sock"
        self.policies = self.home / "policies"
        self.policies.mkdir()
        for name, text in (policies or {"e2e": POLICY}).items():
            (self.policies / f"{name}.yaml").write_text(text)
        self.config = self.home / "config.yaml"
        self.config.write_text(
            f"server: {{state_dir: {self.home}/state, unix_socket: {{path: {self.socket}}}{server}}}\n"
            f"policies: {{dir: {self.policies}, default: e2e}}\n"
            f"sandbox: {{network: {{intercept_mode: {intercept or Arguments.intercept}, resolvers: ['{RESOLVER4}:53'],"
            f" upstream_ca_files: [{world.authority.certificate}]{network}}}}}\n" + config)
        self.take_automata(shared_automata(), self.automata())
        if self.user:
            run("chown", "-R", f"{self.user.pw_uid}:{self.user.pw_gid}", self.home)
        self.daemon = None
        self.log = open(self.home / "daemon.log", "ab")
        self.start()

    def environment(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AGENTSH_")}
        environment.update(AGENTSH_SERVER=f"unix:{self.socket}", AGENTSH_NO_AUTO="1",
                           PATH=f"{Arguments.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           HOME=str(self.home) if self.user else "/root")
        return environment

    def as_user(self, command):
        command = [str(part) for part in command]
        if not self.user:
            return command
        return ["setpriv", "--reuid", str(self.user.pw_uid), "--regid", str(self.user.pw_gid), "--clear-groups"] + command

    def start(self):
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        self.daemon = self.world.processes.start(
            *self.prefix, *self.as_user([Arguments.bin / "agentshd", "server", "--config", self.config, "--ready-fd", writer]),
            env=self.environment(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            if not ready.read(1):
                raise RuntimeError("the daemon did not start:\n" + self.log_text())

    def automata(self):
        """Compiled from the detectors at a daemon's first start, which takes seconds of a processor."""
        return self.home / "state/dlp-cache"

    @staticmethod
    def take_automata(source, target):
        """Each file is whole and named after its content; others may be doing the same."""
        for file in source.glob("*") if source.is_dir() else ():
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (target / file.name).exists():
                part = target / f".{file.name}.{os.getpid()}"
                shutil.copyfile(file, part)
                part.chmod(0o600)
                part.replace(target / file.name)

    def stop(self):
        self.daemon.terminate()
        code = self.daemon.wait(20)
        self.take_automata(self.automata(), shared_automata())
        self.log.close()
        return code

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def log_text(self):
        return (self.home / "daemon.log").read_text(errors="replace")

    def cli(self, *arguments, input=None, timeout=60, cwd=None, env=None, **options):
        environment = self.environment()
        environment.update(env or {})
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        else:
            options["input"] = input
        return subprocess.run(self.as_user([Arguments.bin / "agentsh", *arguments]), env=environment, timeout=timeout,
                              cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def json(self, *arguments, **options):
        result = self.cli(*arguments, **options)
        try:
            return json.loads(result.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"no JSON from {arguments}: {result.stdout!r} {result.stderr!r}") from None

    def workspace(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="workspace-", dir=self.home))
        if self.user:
            os.chown(directory, self.user.pw_uid, self.user.pw_gid)
        return directory

    def events(self, session, *filters):
        lines = self.cli("events", "query", "--session", session, "--limit", "10000", *filters).stdout.splitlines()
        return [json.loads(line) for line in lines]


class ApplianceTest(unittest.TestCase):
    """One world and one appliance per test class."""

    policies = None
    config = ""

    @classmethod
    def setUpClass(cls):
        cls.world = shared_world()
        cls.appliance = Appliance(cls.world, Arguments.user, cls.policies, cls.config)

    @classmethod
    def tearDownClass(cls):
        if cls.appliance.daemon.poll() is None:
            cls.appliance.stop()

    def create_session(self, *options, workspace=None):
        self.workspace = pathlib.Path(workspace or self.appliance.workspace())
        result = self.appliance.cli("session", "create", "--workspace", self.workspace, *options)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode().strip()

    def run_in(self, session, *command, **options):
        return self.appliance.cli("exec", session, "--", *command, cwd=self.workspace, **options)

    def shell(self, session, script, **options):
        return self.run_in(session, "sh", "-c", script, **options)

    def assert_runs(self, session, *command, **options):
        result = self.run_in(session, *command, **options)
        self.assertEqual(result.returncode, 0,
                         f"{command}: {result.stdout.decode(errors='replace')} {result.stderr.decode(errors='replace')}\n"
                         f"{self.appliance.log_text()[-2000:]}")
        return result.stdout

    def events(self, session, *filters):
        return self.appliance.events(session, *filters)


_world = None


def shared_world():
    global _world
    if _world is None:
        _world = World()
    return _world


def stage_programs():
    """Puts the programs where any user may run them: a checkout in somebody's home is closed to others."""
    if not Arguments.user:
        return
    place = pathlib.Path(tempfile.mkdtemp(prefix="agentsh-programs-", dir="/var/tmp"))
    atexit.register(shutil.rmtree, place, True)
    place.chmod(0o755)
    for name in ("bin", "share"):
        shutil.copytree(Arguments.build / name, place / name)
    Arguments.bin = place / "bin"


def main():
    argv = parse_command_line()
    enter_namespace()
    stage_programs()
    unittest.main(argv=argv, verbosity=2)
