"""Protocols that are neither HTTP nor TLS: ssh to a real sshd, servers that speak first, half-closed connections."""

import hashlib
import os
import shutil
import socket
import time

import harness
import servers
from harness import OTHER4, WEB4

POLICY = harness.POLICY.replace(
    "  - {name: example,", '  - {name: ssh, domains: ["ssh.example.com"], ports: [22], decision: allow}\n'
    '  - {name: no-other-ports, domains: ["ssh.example.com"], decision: deny, message: "Only port 22 of that host."}\n'
    "  - {name: example,")


class Ssh(harness.ApplianceTest):
    policies = {"e2e": POLICY}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key, cls.known = servers.start_sshd(cls.world, "root")

    def setUp(self):
        self.sid = self.create_session()
        for source in (self.key, self.known):
            target = self.workspace / source.name
            shutil.copy(source, target)
            target.chmod(0o600)
            os.chown(target, *((self.appliance.user.pw_uid, self.appliance.user.pw_gid) if self.appliance.user else (0, 0)))
        self.options = ("-i", "client", "-o", "UserKnownHostsFile=known_hosts", "-o", "StrictHostKeyChecking=yes",
                        "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10")

    def test_commands(self):
        output = self.assert_runs(self.sid, "ssh", *self.options, "root@ssh.example.com", "echo $((6*7)); exit 0")
        self.assertEqual(output, b"42\n")
        result = self.run_in(self.sid, "ssh", *self.options, "root@ssh.example.com", "exit 7")
        self.assertEqual(result.returncode, 7, result)
        data = os.urandom(5_000_000)
        result = self.run_in(self.sid, "ssh", *self.options, "root@ssh.example.com", "cat", input=data)
        self.assertEqual(result.stdout, data)

    def test_scp_both_ways(self):
        data = os.urandom(3_000_000)
        self.assertEqual(self.run_in(self.sid, "dd", "of=there", "status=none", input=data).returncode, 0)
        remote = self.world.directory / "copied"
        self.assert_runs(self.sid, "scp", "-q", *self.options, "there", f"root@ssh.example.com:{remote}")
        self.assertEqual(remote.read_bytes(), data)
        self.assert_runs(self.sid, "scp", "-q", *self.options, f"root@ssh.example.com:{remote}", "back")
        self.assertEqual((self.workspace / "back").read_bytes(), data)

    def test_events(self):
        self.assert_runs(self.sid, "ssh", *self.options, "root@ssh.example.com", "true")
        events = self.events(self.sid)
        connect = [e for e in events if e["type"] == "net_connect"][0]
        self.assertEqual((connect["domain"], connect["remote"], connect["policy"]["rule"]),
                         ("ssh.example.com", f"{WEB4}:22", "ssh"))
        self.assertEqual(connect["program"], "ssh")
        # The connection's end is told when both sides have closed, which may be after the command's.
        harness.wait_until(lambda: self.events(self.sid, "--type", "net_close"), "net_close is recorded")
        closed = self.events(self.sid, "--type", "net_close")[0]
        self.assertGreater(closed["fields"]["bytes_received"], 1000)
        self.assertGreater(closed["fields"]["bytes_sent"], 1000)

    def test_only_what_a_rule_opens(self):
        # Another port of the host, the same port of another host, and the address without its name.
        for target, port in (("ssh.example.com", "2222"), ("denied.example.org", "22"), (WEB4, "22")):
            started = time.monotonic()
            result = self.run_in(self.sid, "ssh", *self.options, "-p", port, f"root@{target}", "true")
            self.assertEqual(result.returncode, 255, (target, result))
            self.assertLess(time.monotonic() - started, 5)


def banner(connection):
    connection.sendall(b"220 ready\r\n")
    for line in connection.makefile("rb"):
        connection.sendall(b"250 " + line)


def digest(connection):
    """Reads to the end, then answers: the client has closed its half."""
    total = hashlib.sha256()
    while data := connection.recv(65536):
        total.update(data)
    connection.sendall(total.hexdigest().encode() + b"\n")


class Raw(harness.ApplianceTest):
    def setUp(self):
        self.sid = self.create_session()

    def python(self, program, *arguments, **options):
        return self.assert_runs(self.sid, "/usr/bin/python3", "-c", program, *map(str, arguments), **options)

    def test_a_server_that_speaks_first(self):
        program = """
import socket, sys, time
start = time.monotonic()
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
f = s.makefile("rwb")
print(f.readline().decode().strip(), time.monotonic() - start < 1)
for word in (b"HELO\\r\\n", b"QUIT\\r\\n"):
    f.write(word); f.flush()
    print(f.readline().decode().strip())
"""
        with servers.Server(banner) as server:
            output = self.python(program, "www.example.com", server.port)
            self.assertEqual(output.decode().splitlines(), ["220 ready True", "250 HELO", "250 QUIT"])
            self.assertEqual(server.connections, 1)

    def test_half_closed_connections(self):
        program = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
print(s.makefile().read(), end="")
"""
        data = b"\x00raw" + os.urandom(3_000_000)
        with servers.Server(digest) as server:
            output = self.python(program, "www.example.com", server.port, input=data)
            self.assertEqual(output.decode().strip(), hashlib.sha256(data).hexdigest())

    def test_a_port_where_nobody_listens(self):
        program = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.settimeout(10)
try:
    print(s.recv(1))
except ConnectionResetError:
    print("reset")
"""
        free = socket.create_server((WEB4, 0))
        port = free.getsockname()[1]
        free.close()
        self.assertEqual(self.python(program, "www.example.com", port), b"reset\n")
        failed = [e for e in self.events(self.sid) if e["type"] == "net_error"]
        self.assertEqual(failed[0]["fields"]["failure"], "upstream_unreachable")

    def test_an_address_that_was_given_for_no_name(self):
        program = """
import socket, sys
s = socket.socket()
s.settimeout(5)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    print(s.recv(100))
except OSError as error:
    print("refused")
"""
        with servers.Server(banner, address=OTHER4) as server:
            output = self.python(program, OTHER4, server.port)
            self.assertIn(output, (b"refused\n", b"b''\n"))
            self.assertEqual(server.connections, 0)

    def test_both_ends_at_once(self):
        # Both send without waiting for the other: neither fills up the relay.
        def handler(connection):
            import threading
            writer = threading.Thread(target=lambda: connection.sendall(bytes(20_000_000)))
            writer.start()
            left = 20_000_000
            while left:
                left -= len(connection.recv(min(left, 65536)))
            writer.join()

        program = """
import socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
writer = threading.Thread(target=lambda: s.sendall(bytes(20_000_000)))
writer.start()
total = 0
while data := s.recv(65536): total += len(data)
writer.join()
print(total)
"""
        with servers.Server(handler) as server:
            self.assertEqual(self.python(program, "www.example.com", server.port), b"20000000\n")


if __name__ == "__main__":
    harness.main()
