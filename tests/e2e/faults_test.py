"""Servers that misbehave, clients that stop, and resources that run out: the appliance lives and says what happened."""

import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

import faulty_server
import harness
import raw_client
from faulty_server import ADDRESS, NAME

LONG = os.environ.get("AGENTSH_LONG") == "1"
harness.CLIENT_NAMES[NAME] = (ADDRESS, None)

# Asks for one path after another, each on a connection of its own, and prints what came as JSON lines:
# {"path", "answer" (as latin-1), "end": "close" | "reset" | "timeout", "seconds"}.
CLIENT = r"""
import json, socket, sys, time
name, timeout = sys.argv[1], float(sys.argv[2])
for path in sys.argv[3:]:
    start, data, end = time.monotonic(), b"", "close"
    with socket.create_connection((name, 80), timeout=timeout) as s:
        s.sendall(("GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, name)).encode())
        try:
            while len(data) < 10_000_000:
                piece = s.recv(65536)
                if not piece: break
                data += piece
                if b"\r\n\r\ngood\n" in data: end = "complete"; break
        except TimeoutError: end = "timeout"
        except ConnectionResetError: end = "reset"
    print(json.dumps({"path": path, "answer": data.decode("latin-1"), "end": end,
                      "seconds": time.monotonic() - start}), flush=True)
"""


def resident_kilobytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class FaultTest(harness.ApplianceTest):
    network = ""

    @classmethod
    def setUpClass(cls):
        cls.world = harness.shared_world()
        cls.server = faulty_server.shared()
        cls.appliance = harness.Appliance(cls.world, harness.Arguments.user, cls.policies, cls.config, network=cls.network)

    def ask(self, session, *paths, timeout=5):
        result = self.run_in(session, "/usr/bin/python3", "-c", CLIENT, NAME, str(timeout), *paths)
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([a["path"] for a in answers], list(paths), result.stderr.decode())
        return answers

    def assert_serves(self, session):
        self.assertEqual(self.ask(session, "good")[0]["end"], "complete")


class Upstreams(FaultTest):
    def setUp(self):
        self.sid = self.create_session()

    def failure_of(self, path):
        events = [e for e in self.events(self.sid, "--type", "net_http_request") if e["fields"]["path"] == "/" + path]
        self.assertTrue(events, path)
        return events[-1]["fields"]

    def test_answers_that_are_none_become_a_readable_502(self):
        paths = ("close_at_once", "reset_at_once", "endless_headers", "endless_line", "endless_interim", "both_lengths",
                 "two_lengths", "garbage", "tls_alert", "bad_status", "unasked_upgrade", "bad_chunk")
        before = resident_kilobytes(self.appliance.daemon.pid)
        for answer in self.ask(self.sid, *paths):
            with self.subTest(path=answer["path"]):
                answer["answer"] = "HTTP/1.1 " + answer["answer"].rpartition("HTTP/1.1 ")[2]  # After interim ones.
                self.assertTrue(answer["answer"].startswith("HTTP/1.1 502 "), answer)
                head, _, body = answer["answer"].partition("\r\n\r\n")
                self.assertEqual(len(body), int(head.lower().partition("content-length:")[2].split()[0]))
                error = json.loads(body)["error"]
                self.assertTrue(error["message"], answer)
                self.assertIn("faulty.example.com", body)
                self.assertLess(answer["seconds"], 3, answer)
                failure = self.failure_of(answer["path"])
                self.assertEqual(failure["status"], 502)
                self.assertTrue(failure["failure"] and failure["detail"], failure)
        self.assertLess(resident_kilobytes(self.appliance.daemon.pid) - before, 8000, "what is endless is not kept")
        self.assert_serves(self.sid)

    def test_a_body_that_breaks_off_is_never_taken_for_a_whole_one(self):
        for answer in self.ask(self.sid, "short_body", "short_chunks", "reset_in_body", "endless_trailers"):
            with self.subTest(path=answer["path"]):
                # Or what was wrong came together with the head.
                refused = answer["answer"].startswith("HTTP/1.1 502 ")
                self.assertEqual(answer["end"], "close" if refused else "reset", answer)
                self.assertNotIn("\r\n0\r\n\r\n", answer["answer"])
                self.assertTrue(self.failure_of(answer["path"])["failure"])
        self.assert_serves(self.sid)

    def test_programs_see_that_it_broke_off(self):
        for path, codes in (("short_body", (18, 56)), ("short_chunks", (18, 56)), ("bad_chunk", (22,))):
            result = self.run_in(self.sid, "curl", "-sS", "--fail", f"http://{NAME}/{path}")
            self.assertIn(result.returncode, codes, (path, result))

    def test_more_than_was_announced_goes_to_nobody(self):
        script = (f"curl -sS http://{NAME}/long_body http://{NAME}/good http://{NAME}/good;"
                  f"curl -sS http://{NAME}/good")
        result = self.shell(self.sid, script)
        self.assertEqual(result.stdout, b"begingood\ngood\ngood\n", result.stderr)
        other = self.create_session()
        self.assertEqual(self.run_in(other, "curl", "-sS", f"http://{NAME}/good").stdout, b"good\n")

    def test_a_client_that_gives_up_takes_the_server_connection_along(self):
        for path in ("stall_head", "stall_in_head", "stall_body"):
            with self.subTest(path=path):
                answer = self.ask(self.sid, path, timeout=0.5)[0]
                self.assertEqual(answer["end"], "timeout", answer)
                harness.wait_until(lambda: self.server.waiting == 0, f"{path}: the server's connection ends", 10)
        self.assertEqual(self.ask(self.sid, "stall_body", timeout=0.3)[0]["answer"][-5:], "begin", "sent as it came")
        self.assert_serves(self.sid)

    def test_nobody_listens_and_nobody_answers(self):
        result = self.run_in(self.sid, "curl", "-sS", "-w", "%{http_code}", f"http://{NAME}:8080/")
        self.assertTrue(result.stdout.endswith(b"502"), result)
        self.assertIn(b"refused", result.stdout.lower())

    def test_a_server_without_tls_where_tls_is_expected(self):
        result = self.run_in(self.sid, "curl", "-sS", "-m", "15", "-w", "%{http_code}", f"https://{NAME}/")
        self.assertTrue(result.stdout.endswith(b"502"), result)
        failures = [e for e in self.events(self.sid, "--type", "tls_intercept") if "error" in json.dumps(e)]
        self.assertTrue(failures, self.events(self.sid))


class SlowClients(FaultTest):
    # Its scanner would be loaded while memory is measured.
    config = "dlp: {mode: disabled}\n"
    network = ", timeouts: {idle: 2s, request_head: 1s}"

    def setUp(self):
        self.sid = self.create_session()

    def test_a_client_that_stops_reading_costs_no_memory(self):
        """Several ask for an endless body and read nothing of it."""
        count = 40
        program = ("import socket, sys, time\n"
                   f"all = [socket.create_connection(('{NAME}', 80)) for _ in range({count})]\n"
                   f"for s in all: s.sendall(b'GET /endless_body HTTP/1.1\\r\\nHost: {NAME}\\r\\n\\r\\n')\n"
                   "for s in all: s.recv(10)\n"
                   "open('stopped', 'w').close()\n"
                   "time.sleep(600)\n")
        self.assert_serves(self.sid)
        before = resident_kilobytes(self.appliance.daemon.pid)
        client = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", "/usr/bin/python3", "-c",
                                     program]), env=self.appliance.environment(), cwd=self.workspace,
            stdin=subprocess.DEVNULL)
        harness.wait_until((self.workspace / "stopped").exists, "all wait", 20)
        highest, deadline = 0, time.monotonic() + 2
        while time.monotonic() < deadline:  # What is to be shown is that nothing grows in this time.
            highest = max(highest, resident_kilobytes(self.appliance.daemon.pid))
            harness.select_nap()
        self.assert_serves(self.sid)
        grown = (highest - before) / count
        print(f"\n{count} clients that read nothing of an endless body: {grown:.0f} KB each in the daemon", flush=True)
        self.assertLess(grown, 300)
        client.terminate()
        client.wait(10)
        harness.wait_until(lambda: self.server.waiting == 0, "the server's connections end", 10)

    def test_slow_heads_and_idle_connections_end(self):
        program = ("import socket, time\n"
                   "def ends(data):\n"
                   f"  s = socket.create_connection(('{NAME}', 80)); s.settimeout(10)\n"
                   "  s.sendall(data); start = time.monotonic(); got = b''\n"
                   "  while piece := s.recv(1000): got += piece\n"
                   "  print(got.split(b'\\r\\n')[0].decode(), '%.1f' % (time.monotonic() - start), sep='|')\n"
                   "ends(b'GET / HTTP/1.1\\r\\nHost: ')\n"
                   f"ends(b'GET /good HTTP/1.1\\r\\nHost: {NAME}\\r\\n\\r\\n')\n"
                   "ends(b'')\n")
        result = self.run_in(self.sid, "/usr/bin/python3", "-c", program)
        lines = [line.split("|") for line in result.stdout.decode().splitlines()]
        self.assertEqual(len(lines), 3, result)
        self.assertIn(lines[0][0], ("HTTP/1.1 408 Request Timeout", ""))
        self.assertEqual(lines[1][0], "HTTP/1.1 200 OK")
        for (_, seconds), limit in zip(lines, (1, 2, 1)):
            self.assertLess(float(seconds), limit + 1.5, lines)
            self.assertGreater(float(seconds), limit - 0.2, lines)
        self.assert_serves(self.sid)


class ManyConnections(FaultTest):
    COUNT = 8000

    def test_idle_connections(self):
        """8 000 in one session, each after one request; new ones are served beside them."""
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < self.COUNT + 2000:
            self.skipTest("a process may not have that many descriptors here")
        sid = self.create_session()
        program = ("import resource, socket, sys, time\n"
                   f"resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)\n"
                   f"address = socket.getaddrinfo('www.example.com', 80, socket.AF_INET)[0][4]\n"
                   "request = b'GET / HTTP/1.1\\r\\nHost: www.example.com\\r\\n\\r\\n'\n"
                   "all = []\n"
                   f"while len(all) < {self.COUNT}:\n"
                   "  batch = []\n"
                   "  for _ in range(100):\n"
                   "    s = socket.create_connection(address, timeout=20); s.sendall(request); batch.append(s)\n"
                   "  for s in batch:\n"
                   "    data = b''\n"
                   "    while not data.endswith(b'hello\\n'): data += s.recv(4096)\n"
                   "  all += batch\n"
                   "open('idle', 'w').close()\n"
                   "sys.stdin.read()\n"
                   "for s in all[::100]:\n"
                   "  s.sendall(request); data = b''\n"
                   "  while not data.endswith(b'hello\\n'): data += s.recv(4096)\n"
                   "print('all alive')\n")
        self.assert_runs(sid, "curl", "-sS", "http://www.example.com/")
        before = resident_kilobytes(self.appliance.daemon.pid)
        client = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", sid, "--", "/usr/bin/python3", "-c",
                                     program]), env=self.appliance.environment(), cwd=self.workspace,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        start = time.monotonic()
        try:
            harness.wait_until(lambda: (self.workspace / "idle").exists() or client.poll() is not None,
                               "the connections stand", 50)
        except TimeoutError:
            raise AssertionError(self.appliance.log_text()[-2000:]) from None
        self.assertIsNone(client.poll(), client.stderr.read() if client.poll() is not None else "")
        opened = time.monotonic() - start
        # The server's side goes to the pool or ends after two seconds; what stays is the client's.
        harness.wait_until(lambda: len(os.listdir(f"/proc/{self.appliance.daemon.pid}/fd")) < self.COUNT + 1000,
                           "server connections are not kept for idle clients", 15)
        # What the burst of server connections had is given back a few seconds later.
        grown = lambda: (resident_kilobytes(self.appliance.daemon.pid) - before) / self.COUNT
        harness.wait_until(lambda: grown() < 20, "20 KB are enough for an idle connection", 20)
        print(f"\n{self.COUNT} idle connections, opened in {opened:.1f} s: {grown():.1f} KB each in the daemon",
              flush=True)
        start = time.monotonic()
        self.assert_runs(sid, "curl", "-sS", "http://www.example.com/")
        self.assertLess(time.monotonic() - start, 2)
        output, errors = client.communicate(b"", timeout=30)
        self.assertEqual(output, b"all alive\n", errors)
        self.assertEqual(self.appliance.daemon.poll(), None)


class Descriptors(FaultTest):
    """A daemon that may have few descriptors."""

    LIMIT = 200
    HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def setUp(self):
        # Only the daemon's: sessions that are there have what they had.
        self.sid = self.create_session()
        harness.run(*self.appliance.as_user(["prlimit", "--pid", self.appliance.daemon.pid,
                                             f"--nofile={self.LIMIT}:{self.HARD}"]))

    def test_exhaustion_is_survived(self):
        sid, workspace = self.sid, self.workspace
        self.assert_serves(sid)
        program = ("import select, socket, sys\n"
                   f"address = socket.getaddrinfo('{NAME}', 80, socket.AF_INET)[0][4]\n"
                   "all = []\n"
                   "for _ in range(300):\n"
                   "  s = socket.socket(); s.setblocking(False); s.connect_ex(address); all.append(s)\n"
                   "  select.select([], [s], [], 0.05)\n"
                   f"  try: s.send(b'GET /good HTTP/1.1\\r\\nHost: {NAME}\\r\\n\\r\\n')\n"
                   "  except OSError: pass\n"
                   "open('exhausted', 'w').close()\n"
                   "sys.stdin.read()\n"
                   "good = bad = 0\n"
                   "for s in all:\n"
                   "  s.settimeout(0.2)\n"
                   "  try: data = s.recv(65536)\n"
                   "  except OSError: data = b''\n"
                   "  good += data.endswith(b'good\\n'); bad += not data.endswith(b'good\\n')\n"
                   "  s.close()\n"
                   "print(good, bad)\n")
        client = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", sid, "--", "/usr/bin/python3", "-c",
                                     program]), env=self.appliance.environment(), cwd=self.workspace,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        harness.wait_until((self.workspace / "exhausted").exists, "the descriptors are used up", 30)
        harness.wait_until(lambda: "descriptors run out" in self.appliance.log_text(), "it says so", 10)
        # What a session uses up is not missing elsewhere.
        self.assertEqual(raw_client.request(self.appliance.socket, "GET", "/health").status, 200)
        other = self.create_session()
        self.assertEqual(self.shell(other, "echo works").stdout, b"works\n")
        output, _ = client.communicate(b"", timeout=60)
        good, bad = map(int, output.split())
        print(f"\nwith {self.LIMIT} descriptors, {good} of 300 connections that stay open were served", flush=True)
        self.assertGreater(good, 30)
        refused = [e for e in self.events(sid, "--decision", "deny") if e["policy"]["rule"] == "no-descriptors"]
        self.assertGreater(len(refused), 30)
        self.assertTrue(all(e["program"].startswith("python3") and e["remote"] == ADDRESS + ":80" for e in refused))

        def serves():
            result = self.appliance.cli("exec", sid, "--", "curl", "-sS", "-m", "5", f"http://{NAME}/good", cwd=workspace)
            return result.stdout == b"good\n"

        harness.wait_until(serves, "it serves again", 20)
        self.assertEqual(raw_client.request(self.appliance.socket, "GET", "/health").status, 200)
        self.assert_serves(self.create_session())

    def test_the_control_api_under_exhaustion(self):
        """Clients of the socket that hold on to it: they end by time, others are served then."""
        held = [raw_client.connect(self.appliance.socket) for _ in range(self.LIMIT + 50)]
        for client in held:
            client.close()
        harness.wait_until(lambda: raw_client.request(self.appliance.socket, "GET", "/health").status == 200,
                           "the socket answers again", 10)
        self.assert_serves(self.create_session())


if __name__ == "__main__":
    harness.main()
