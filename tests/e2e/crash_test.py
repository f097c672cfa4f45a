"""kill -9 of the daemon at random moments under traffic: what ran in its sessions loses the network, not the
confinement; the next start ends what is left, and the audit trail is whole.

AGENTSH_LONG=1: 200 kills instead of 10.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time
import unittest

import harness
from capture import Capture

KILLS = 200 if os.environ.get("AGENTSH_LONG") == "1" else 10
CANARY4, CANARY6 = "11.22.33.77", "2600:11:22::77"
MARKER = b"marker-" + os.urandom(8).hex().encode()

# Sends the marker by every way there is, as fast as it can, until it is ended. What is allowed goes to WEB4 in clear
# text, so that a capture can tell it; everything else is for the canary.
TRAFFIC = r"""
import os, socket, struct, sys
marker, canary4, canary6, web, resolver = sys.argv[1].encode(), *sys.argv[2:6]
open(sys.argv[6], "w").close()
def attempt(what):
    try: what()
    except OSError: pass
def tcp(family, address, port, data):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(0.3)
        s.connect((address, port))
        s.sendall(data)
        s.recv(100)
def udp(family, address, port, data):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.01)
        s.sendto(data, (address, port))
        s.recv(100)
def raw():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s: s.sendto(marker, (canary4, 0))
def packet():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s: s.sendto(b"\xff" * 12 + b"\x08\x00" + marker, ("lo", 0))
query = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0" + bytes([len(marker)]) + marker + b"\x07example\x03com\0\0\x01\0\x01"
request = b"GET / HTTP/1.1\r\nHost: www.example.com\r\nX-Marker: " + marker + b"\r\nConnection: close\r\n\r\n"
def allowed():
    tcp(socket.AF_INET, socket.getaddrinfo("www.example.com", 80, socket.AF_INET)[0][4][0], 80, request)
while os.fork() == 0:
    while True:
        attempt(allowed)
while True:
    attempt(lambda: tcp(socket.AF_INET, canary4, 80, request))
    attempt(lambda: tcp(socket.AF_INET, canary4, 9, marker))
    attempt(lambda: tcp(socket.AF_INET6, canary6, 443, marker))
    attempt(lambda: tcp(socket.AF_INET, web, 80, request))
    attempt(lambda: udp(socket.AF_INET, canary4, 53, query))
    attempt(lambda: udp(socket.AF_INET, canary4, 443, marker))
    attempt(lambda: udp(socket.AF_INET6, canary6, 4433, marker))
    attempt(lambda: udp(socket.AF_INET, resolver, 5353, query))
    attempt(raw)
    attempt(packet)
"""


class Canaries:
    """Listeners where nothing may ever arrive."""

    def __init__(self):
        harness.run("ip", "addr", "add", CANARY4 + "/24", "dev", "internet")
        harness.run("ip", "-6", "addr", "add", CANARY6 + "/64", "dev", "internet", "nodad")
        self.sockets = []
        for family, address in ((socket.AF_INET, CANARY4), (socket.AF_INET6, CANARY6)):
            for kind, port in ((socket.SOCK_STREAM, 80), (socket.SOCK_STREAM, 9), (socket.SOCK_STREAM, 443),
                               (socket.SOCK_DGRAM, 53), (socket.SOCK_DGRAM, 443), (socket.SOCK_DGRAM, 4433)):
                listener = socket.socket(family, kind)
                listener.setblocking(False)
                listener.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    listener.listen()
                self.sockets.append(listener)

    def heard(self):
        """What arrived since the last call."""
        arrived = []
        for listener in self.sockets:
            try:
                if listener.type == socket.SOCK_STREAM:
                    connection, peer = listener.accept()
                    connection.close()
                    arrived.append((listener.getsockname(), peer))
                else:
                    arrived.append((listener.getsockname(), listener.recv(1000)))
            except BlockingIOError:
                pass
        return arrived

    def close(self):
        for listener in self.sockets:
            listener.close()


def processes_with(text):
    """Processes whose command line has the text, of any PID namespace; not the dead ones."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            pass
    return found


def cgroups_of(appliance):
    """Directories of sessions in any hierarchy, of this appliance's daemon."""
    instance = "at" + str((appliance.home / "state").resolve()).replace("/", "-")
    return [p for p in pathlib.Path("/sys/fs/cgroup").glob(f"**/agentsh/{instance}/*") if p.is_dir()]


def bpf_links(cgroup_ids):
    """Links attached to these cgroups, by their ids."""
    tool = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin")
    links = json.loads(subprocess.run([tool, "-j", "link", "show"], stdout=subprocess.PIPE, check=True).stdout or "[]")
    return [link["id"] for link in links if link.get("cgroup_id") in cgroup_ids]


class KillNine(harness.ApplianceTest):
    policies = {"e2e": harness.POLICY}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.canaries = Canaries()

    @classmethod
    def tearDownClass(cls):
        cls.canaries.close()
        super().tearDownClass()

    def start_traffic(self, session, number):
        ready = self.workspace / f"ready-{number}"
        process = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", session, "--", "/usr/bin/python3", "-c",
                                     TRAFFIC, MARKER.decode(), CANARY4, CANARY6, harness.WEB4, harness.RESOLVER4, ready]),
            env=self.appliance.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        harness.wait_until(ready.exists, "traffic runs")
        return process

    def verify_trail(self, when):
        result = self.appliance.cli("audit", "verify", "--dir", self.appliance.home / "state/audit", "--key-file",
                                    self.appliance.home / "state/audit.key")
        self.assertEqual(result.returncode, 0, f"{when}: {result.stdout.decode()} {result.stderr.decode()}")

    def test_kill_at_random_moments(self):
        seed = int.from_bytes(os.urandom(4), "big")
        moments = random.Random(seed)
        mounts = pathlib.Path("/proc/self/mountinfo").read_text().count("\n")
        starts, endings, self.allowed = [], [], 0
        for round_number in range(KILLS):
            try:
                ended, started = self.one_kill(moments, round_number)
            except AssertionError as error:
                raise AssertionError(f"in round {round_number} with seed {seed}") from error
            endings.append(ended)
            starts.append(started)
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text().count("\n"), mounts)
        self.assertGreater(self.allowed, KILLS, "requests that the policy allows flowed meanwhile")
        print(f"\n{KILLS} kills amid {self.allowed} frames of allowed requests: everything of the session ended at most {max(endings) * 1000:.0f} ms after, "
              f"the next start took at most {max(starts) * 1000:.0f} ms", flush=True)

    def one_kill(self, moments, number):
        session = self.create_session()
        capture = Capture(lambda frame: MARKER in frame.data or frame.begins_connection or
                          frame.protocol == socket.IPPROTO_UDP)
        clients = [self.start_traffic(session, 1), self.start_traffic(session, 2)]
        groups = cgroups_of(self.appliance)
        ids = [os.stat(group).st_ino for group in groups]
        if not self.appliance.user:
            self.assertTrue(groups)
        answered, creating = [], None
        if number % 3 == 1:  # While a session is made.
            creating = self.world.processes.start(
                *self.appliance.as_user([harness.Arguments.bin / "agentsh", "session", "create", "--workspace",
                                         self.workspace]), env=self.appliance.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        elif number % 3 == 2:  # With commands that came to an end before.
            answered = [self.appliance.json("exec", "--output", "json", session, "--", "true")["command_id"]]
        time.sleep(moments.uniform(0, 0.4))  # The moment of the kill, not a wait for something.
        self.appliance.kill()
        killed = time.time()
        harness.wait_until(lambda: not processes_with(MARKER), "everything in the session has ended", 10)
        ended = time.time() - killed
        for client in clients:
            self.assertNotEqual(client.wait(10), 0)
        if creating:
            creating.wait(10)  # It may have come to its end just before.
        self.assertEqual(bpf_links(ids), [])
        frames = capture.stop()
        self.assertGreater(capture.seen, 0)
        self.assertEqual(capture.lost, 0)
        # Before the kill, only what the daemon sends to those that the policy allows.
        self.assertEqual([f for f in frames if f.destination in (CANARY4, CANARY6)], [])
        self.allowed += sum(MARKER in f.data and f.destination == harness.WEB4 for f in frames)
        self.assertEqual([f for f in frames if MARKER in f.data and f.destination not in
                          (harness.WEB4, harness.RESOLVER4)], [])
        # After it, nothing at all.
        self.assertEqual([f for f in frames if f.seconds > killed and (MARKER in f.data or f.source != harness.RESOLVER4)],
                         [])
        self.assertEqual(self.canaries.heard(), [])
        self.verify_trail("after the kill")
        start = time.time()
        self.appliance.start()
        started = time.time() - start
        self.assertEqual(cgroups_of(self.appliance), [])
        self.assertEqual(self.appliance.json("session", "list"), [])
        self.verify_trail("after the next start")
        events = self.events(session)
        types = [event["type"] for event in events]
        self.assertIn("session_created", types)
        if groups:
            self.assertIn("session_destroyed", types)
        for command in answered:
            self.assertIn("command_finished", [e["type"] for e in events if e.get("command_id") == command])
        return ended, started

    def test_the_capture_sees_what_there_is(self):
        """The same programs in the open reach the canaries: the measurement works."""
        capture = Capture(lambda frame: MARKER in frame.data)
        ready = self.world.directory / "ready-unconfined"
        process = self.world.processes.start("/usr/bin/python3", "-c", TRAFFIC, MARKER.decode(), CANARY4, CANARY6,
                                             harness.WEB4, harness.RESOLVER4, ready, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        expected = {(CANARY4, 80), (CANARY4, 9), (CANARY6, 443), (CANARY4, 53), (CANARY4, 443), (CANARY6, 4433)}
        harness.wait_until(lambda: expected <= {(f.destination, f.destination_port) for f in list(capture.frames)},
                           "the capture sees each way")
        for pid in processes_with(MARKER):  # It and its child.
            os.kill(pid, signal.SIGKILL)
        process.wait()
        capture.stop()
        while self.canaries.heard():
            pass


class AfterTheKill(harness.ApplianceTest):
    """A session whose daemon is gone, and the sockets of it."""

    def test_another_daemon_on_the_machine_keeps_its_sessions(self):
        session = self.create_session()
        other = harness.Appliance(self.world, harness.Arguments.user)
        try:
            self.assertEqual(self.shell(session, "echo alive").stdout, b"alive\n")
            other.kill()
            other.start()
            self.assertEqual(self.shell(session, "echo alive").stdout, b"alive\n")
        finally:
            other.stop()

    def test_a_second_daemon_with_the_same_state_is_refused(self):
        result = subprocess.run(
            self.appliance.as_user([harness.Arguments.bin / "agentshd", "server", "--config", self.appliance.config]),
            env=self.appliance.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=20)
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stdout, rb"another|already|running")
        self.assertEqual(self.appliance.json("session", "list") is not None, True)

    def test_an_init_that_is_killed_ends_its_session(self):
        session = self.create_session()
        ready = self.workspace / "ready"
        client = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", session, "--", "sh", "-c",
                                     f"touch {ready}; exec sleep 1000"]), env=self.appliance.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_until(ready.exists, "the command runs")
        inits = [int(pid) for pid in pathlib.Path(f"/proc/{self.appliance.daemon.pid}/task").glob("*/children")
                 for pid in pid.read_text().split()]
        self.assertTrue(inits)
        for pid in inits:
            os.kill(pid, signal.SIGKILL)
        self.assertNotEqual(client.wait(10), 0)
        harness.wait_until(lambda: self.appliance.json("session", "list") == [], "the session is gone")
        self.assertIn("session_destroyed", [e["type"] for e in self.events(session)])


if __name__ == "__main__":
    harness.main()
