"""Attempts to get out, each shown to work without us and to be stopped inside a session.

An attempt is a small program, written as a row of a table. It runs in the test's own network namespace first, where it
must succeed: its token arrives at a canary, or it reports what it got hold of. Then it runs inside a session, where its
token must reach no canary and no interface, and it must have nothing to report. What reaches a network is measured by
listeners (canaries) on addresses that the policy does not allow and by a capture on every interface of the namespace.

    class Raw(escape.EscapeTest):
        rows = [Row("F6a", "a raw socket with headers of its own", '''
    s = socket.socket(AF_INET, SOCK_RAW, IPPROTO_RAW); ...''')]

Programs are Python with programs/prelude.py in front, or C in programs/*.c. A row ends with `delivers=False` when what it
wins is not a packet: it prints ESCAPED then.
"""

import os
import pathlib
import pwd
import secrets
import select
import shutil
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import harness  # noqa: E402

# Where nothing may arrive. The host has them, no rule of the policy names them.
CANARY4, CANARY6 = "11.22.33.66", "2600:11:22::66"
# The same host under forms that hide an IPv4 address, and addresses that only a fool would let a name lead to.
COMPATIBLE6, NAT64, SIX_TO_FOUR = "::11.22.33.66", "64:ff9b::11.22.33.66", "2002:b16:2142::1"
METADATA4, PRIVATE4, UNIQUE_LOCAL6 = "169.254.169.254", "10.1.2.3", "fd00:ec2::254"
PORT = 4444
# Ports with a meaning of their own: DNS over UDP and TCP, DNS over TLS, HTTPS, Docker, Redis.
TCP_PORTS = (PORT, 53, 853, 8443, 2375, 6379)
UDP_PORTS = (PORT, 53, 443, 8853)
ABSTRACT_NAME = "\0agentsh-escape"
UDPLITE, MPTCP = 136, 262

# Names that an attacker's own zone would lead to places.
HOSTILE_NAMES = {
    "loopback4": ("127.0.0.1", None),
    "loopback6": (None, "::1"),
    "unspecified": ("0.0.0.0", "::"),
    "metadata4": (METADATA4, None),
    "metadata6": (None, UNIQUE_LOCAL6),
    "private4": (PRIVATE4, None),
    "mapped": (None, "::ffff:" + METADATA4),
    "compatible": (None, "::" + PRIVATE4),
    "nat64": (None, "64:ff9b::" + METADATA4),
    "sixtofour": (None, "2002:a9fe:a9fe::1"),
    "linklocal6": (None, "fe80::66"),
    "multicast": ("224.0.0.251", None),
    "broadcast": ("255.255.255.255", None),
}
harness.CLIENT_NAMES.update({f"{label}.hostile.example.net": pair for label, pair in HOSTILE_NAMES.items()})

READ_SIZE = 65536


def ip(*arguments):
    harness.run("ip", *arguments)


class Canaries:
    """Listeners that keep every byte that reaches them."""

    def __init__(self, directory):
        self.received = bytearray()
        self.changed = threading.Condition()
        self.sockets = {}  # socket -> True when it accepts
        self.wake_reader, self.wake_writer = os.pipe()
        for port in TCP_PORTS:
            self.listen(socket.AF_INET6, port)
        self.listen(socket.AF_INET6, PORT + 1, MPTCP)
        for port in UDP_PORTS:
            self.bind(socket.AF_INET6, port)
        self.bind(socket.AF_INET6, PORT, UDPLITE)
        self.unix_path = directory / "canary.sock"
        self.add(self.unix(str(self.unix_path)), True)
        self.unix_path.chmod(0o777)
        self.add(self.unix(ABSTRACT_NAME), True)
        threading.Thread(target=self.run, daemon=True).start()

    @staticmethod
    def unix(address):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen()
        return listener

    def dual(self, kind, protocol, port):
        s = socket.socket(socket.AF_INET6, kind, protocol)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return s

    def listen(self, family, port, protocol=0):
        s = self.dual(socket.SOCK_STREAM, protocol, port)
        # Fast Open without a cookie, so that the data of the very first packet counts.
        if protocol == 0:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        addresses = ("::",) if port != 53 else (CANARY6, "::ffff:" + CANARY4)
        for address in addresses:
            if address != addresses[0]:
                s = self.dual(socket.SOCK_STREAM, protocol, port)
            s.bind((address, port))
            s.listen(64)
            self.add(s, True)

    def bind(self, family, port, protocol=0):
        # Port 53 of the other addresses is the resolver's.
        for address in ("::",) if port != 53 else (CANARY6, "::ffff:" + CANARY4):
            s = self.dual(socket.SOCK_DGRAM, protocol, port)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            s.bind((address, port))
            self.add(s, False)

    def add(self, s, accepts):
        s.setblocking(False)
        self.sockets[s] = accepts
        os.write(self.wake_writer, b"x")

    def run(self):
        while True:
            readable, _, _ = select.select([self.wake_reader, *self.sockets], [], [])
            for s in readable:
                if s == self.wake_reader:
                    os.read(s, 100)
                elif self.sockets[s]:
                    self.accept(s)
                else:
                    self.read(s)

    def accept(self, listener):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self.sockets[connection] = False

    def read(self, s):
        try:
            data = s.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and s.type == socket.SOCK_STREAM:
            del self.sockets[s]
            s.close()
            return
        with self.changed:
            self.received += data
            self.changed.notify_all()

    def has(self, token):
        with self.changed:
            return token in self.received

    def wait_for(self, token, seconds=5):
        with self.changed:
            return self.changed.wait_for(lambda: token in self.received, seconds)


class Capture:
    """Every packet on every interface of the namespace, from here on."""

    ETH_P_ALL = 3

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.packets = []
        self.changed = threading.Condition()
        self.marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            packet = self.socket.recv(READ_SIZE).lower()  # Resolvers mix the case of names.
            with self.changed:
                self.packets.append(packet)
                self.changed.notify_all()

    def settle(self):
        """Waits until everything that was sent before this call has been looked at, and that nothing was lost."""
        mark = b"marker-" + secrets.token_hex(8).encode()
        before = len(self.packets)
        self.marker.sendto(mark, ("127.0.0.1", 9))
        with self.changed:
            seen = self.changed.wait_for(lambda: any(mark in p for p in self.packets[before:]), 10)
        assert seen, "the capture does not see its own marker"
        statistics = self.socket.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS
        assert int.from_bytes(statistics[4:8], sys.byteorder) == 0, "the capture lost packets"

    def has(self, token):
        self.settle()
        with self.changed:
            return any(token in packet for packet in self.packets)

    def wait_for(self, token, seconds=5):
        with self.changed:
            return self.changed.wait_for(lambda: any(token in p for p in self.packets), seconds)


class Internet:
    """The harness's world with canaries in it, made once."""

    def __init__(self):
        self.world = harness.shared_world()
        directory = self.world.directory
        for address in (CANARY4 + "/24", METADATA4 + "/32", PRIVATE4 + "/32"):
            ip("addr", "add", address, "dev", "internet")
        for address in (CANARY6, COMPATIBLE6, NAT64, SIX_TO_FOUR, UNIQUE_LOCAL6, "2002:a9fe:a9fe::1",
                        "64:ff9b::" + METADATA4, "fe80::66"):
            prefix = "/64" if address == CANARY6 else "/128"
            ip("-6", "addr", "add", address + prefix, "dev", "internet", "nodad")
        ip("-6", "route", "add", "default", "dev", "internet")
        # What a workstation may have: unprivileged pings, and programs outside that ask the resolver.
        pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        pathlib.Path("/proc/sys/net/ipv4/tcp_fastopen").write_text(str(0x1 | 0x2 | 0x4 | 0x200))
        resolv = directory / "resolv.conf"
        resolv.write_text(f"nameserver {harness.RESOLVER4}\noptions timeout:1 attempts:1\n")
        harness.run("mount", "--bind", str(resolv), os.path.realpath("/etc/resolv.conf"))
        # Where other programs of the host would pick things up: the host's own stay untouched.
        self.pickup = [pathlib.Path(p) for p in ("/etc/cron.d", "/var/spool/cron", "/etc/systemd/system")
                       if pathlib.Path(p).is_dir()]
        for path in self.pickup:
            harness.run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(path))
        # Beside the trees that a session has anew: a socket in /run or /tmp would not be in view anyway.
        host = pathlib.Path("/srv")
        harness.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(host))
        self.capture = Capture()
        self.canaries = Canaries(host)
        self.outsider = self.start_outsider()

    def start_outsider(self):
        """A process outside with an open connection to a canary, for those that would take it over."""
        connection = socket.create_connection((CANARY4, PORT))
        os.set_inheritable(connection.fileno(), True)
        process = self.world.processes.start("sleep", "1000", pass_fds=[connection.fileno()])
        self.outsider_fd = connection.fileno()
        self.outsider_connection = connection
        return process.pid


_internet = None


def internet():
    global _internet
    if _internet is None:
        _internet = Internet()
    return _internet


class Row:
    """One attempt.

    delivers    its token arrives somewhere (else: it prints ESCAPED)
    wire        on an interface, where no canary listens for such packets
    optional    the kernel may lack what it needs; it prints ABSENT then, and only the confined run counts
    denied      the destination of which the audit trail must have a denial, where the appliance sees the attempt
    """

    def __init__(self, identifier, title, program, delivers=True, wire=False, optional=False, denied=None):
        self.identifier, self.title, self.program = identifier, title, program
        self.delivers, self.wire, self.optional, self.denied = delivers, wire, optional, denied

    def command(self, token, values, directory):
        if isinstance(self.program, tuple):
            arguments = [argument.format(token=token.decode(), **values) for argument in self.program]
            if arguments[0].endswith(".c"):
                arguments[0] = str(directory / arguments[0][:-2])
            return arguments
        definitions = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        prelude = (HERE / "programs/prelude.py").read_text()
        return ["/usr/bin/python3", "-c", f"{prelude}\n{definitions}TOKEN = {token!r}\n{self.program}"]


def compile_programs(directory):
    for source in sorted((HERE / "programs").glob("*.c")):
        compiler = shutil.which("clang-19") or shutil.which("cc")
        if not compiler:
            harness.skip("needs a C compiler")
        harness.run(compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(directory / source.stem), str(source))


class EscapeTest(harness.ApplianceTest):
    """Makes one test of each row; the session is shared by the rows of a class."""

    rows = []
    limit = 20

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for row in cls.__dict__.get("rows", []):
            def attempt(self, row=row):
                self.attempt(row)

            name = "test_" + row.identifier.replace("-", "_")
            assert not hasattr(cls, name), name
            attempt.__doc__ = f"{row.identifier}: {row.title}"
            setattr(cls, name, attempt)

    @classmethod
    def setUpClass(cls):
        cls.internet = internet()
        super().setUpClass()
        cls.tokens = []
        cls.tools = cls.appliance.workspace()
        compile_programs(cls.tools)
        result = cls.appliance.cli("session", "create", "--workspace", cls.tools, *cls.session_options())
        assert result.returncode == 0, result.stderr
        cls.sid = result.stdout.decode().strip()

    @classmethod
    def tearDownClass(cls):
        """What was late is found here: the session has ended, so nothing of it can still be on its way."""
        try:
            alive = cls.appliance.daemon.poll() is None
            if alive:
                cls.appliance.cli("session", "destroy", cls.sid)
            late = [t for t in cls.tokens if cls.internet.canaries.has(t) or cls.internet.capture.has(t)]
            assert not late, f"arrived after the program's end: {late}"
            assert alive, "the appliance died"
        finally:
            super().tearDownClass()

    @classmethod
    def session_options(cls):
        return []

    def values(self):
        net = self.internet
        return dict(CANARY4=CANARY4, CANARY6=CANARY6, COMPATIBLE6=COMPATIBLE6, NAT64=NAT64, SIX_TO_FOUR=SIX_TO_FOUR,
                    METADATA4=METADATA4, PORT=PORT, WEB4=harness.WEB4, RESOLVER4=harness.RESOLVER4,
                    UNIX_PATH=str(net.canaries.unix_path), ABSTRACT=ABSTRACT_NAME, OUTSIDER=net.outsider,
                    OUTSIDER_FD=net.outsider_fd)

    def new_token(self, name):
        return f"token-{name.lower()}-{secrets.token_hex(8)}".encode()

    def outside(self, command, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.limit,
                              cwd=self.tools, **options)

    def inside(self, command, **options):
        return self.appliance.cli("exec", self.sid, "--", *command, cwd=self.tools, timeout=self.limit, **options)

    def text(self, result):
        return f"{result.returncode}\n{result.stdout.decode(errors='replace')}{result.stderr.decode(errors='replace')}"

    def arrived(self, token):
        """Everywhere that bytes can be seen. The capture also holds what no canary understood."""
        return self.internet.canaries.has(token) or self.internet.capture.has(token)

    def attempt(self, row):
        self.show_unconfined(row)
        self.show_stopped(row)

    def show_unconfined(self, row):
        token = self.new_token(row.identifier)
        result = self.outside(row.command(token, self.values(), self.tools))
        if row.optional and b"ABSENT" in result.stdout:
            return
        if row.delivers:
            observer = self.internet.capture if row.wire else self.internet.canaries
            self.assertTrue(observer.wait_for(token), f"unconfined: nothing arrived: {self.text(result)}")
        else:
            self.assertIn(b"ESCAPED", result.stdout, f"unconfined: {self.text(result)}")

    def show_stopped(self, row):
        token = self.new_token(row.identifier)
        if row.delivers:
            self.tokens.append(token)
        before = self.denials(row.denied)
        result = self.inside(row.command(token, self.values(), self.tools))
        self.assertNotIn(b"ESCAPED", result.stdout, self.text(result))
        self.assertNotIn(result.returncode, (126, 127), self.text(result))  # It has to have run.
        self.assertNotIn(b"SyntaxError", result.stderr)
        if row.delivers:
            self.assertFalse(self.arrived(token), f"{row.identifier} got out: {self.text(result)}")
        if row.denied:
            harness.wait_until(lambda: self.denials(row.denied) > before, f"a new event of the denied {row.denied}", 5)

    def denials(self, destination):
        """How many attempts at a destination the audit trail knows as denied, with whoever made them."""
        if not destination:
            return 0
        total = 0
        for event in self.events(self.sid, "--decision", "deny"):
            if destination not in event.get("remote", "") + " " + event.get("domain", ""):
                continue
            if not harness.Arguments.user and harness.Arguments.intercept == "auto":
                self.assertGreater(event.get("pid", 0), 0, event)
                if event["program"].startswith("python"):  # The command itself; a descendant that is gone has none.
                    self.assertTrue(event.get("command_id"), event)
            total += event.get("fields", {}).get("count", 1)
        return total

    def test_zz_what_is_allowed_works(self):
        """The same session still reaches what its policy allows, so nothing above was stopped by being broken."""
        result = self.inside(["curl", "-sS", "--max-time", "10", "http://www.example.com/"])
        self.assertEqual(result.stdout, b"hello\n", self.text(result))


def nobody():
    return pwd.getpwnam("nobody")


def main():
    harness.main()
