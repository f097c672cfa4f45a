"""security.mode landlock-only and minimal: sessions without namespaces of their own, as in a container that allows none.

Landlock and seccomp hold them; connect(2) is done by the daemon. What such a session cannot do (datagrams, Unix sockets,
servers) is refused, and nothing goes out another way.
"""

import pathlib
import subprocess

import harness
from capture import Capture
from crash_test import CANARY4, CANARY6, MARKER, Canaries, TRAFFIC, processes_with

# Runs the statement and prints what came of it.
ATTEMPT = """
import errno, os, socket, struct, sys
try:
    {}
    print("done")
except OSError as error:
    print(errno.errorcode.get(error.errno, error.errno))
"""

STATEMENTS = {
    "udp": ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "EPERM"),
    "udp6": ("socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)", "EPERM"),
    "unix": ("socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)", "EPERM"),
    "raw": ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", "EPERM"),
    "packet": ("socket.socket(17, socket.SOCK_RAW, 0)", "EAFNOSUPPORT"),
    "mptcp": ("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)", "EPROTONOSUPPORT"),
    "server": ("s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen(1)", "EPERM"),
    "server without bind": ("socket.socket().listen(1)", "EPERM"),
    "fast open": (f"socket.socket().sendto(b'x', 0x20000000, ('{CANARY4}', 9))", "EPERM"),
    "fast open by message": (f"socket.socket().sendmsg([b'x'], [], 0x20000000, ('{CANARY4}', 9))", "EPERM"),
    "not connected": ("socket.socket().send(b'x')", "EPIPE"),
    "bad address": ("__import__('ctypes').CDLL(None, use_errno=True).connect(socket.socket().detach(), 8, 16) and "
                    "(_ for _ in ()).throw(OSError(__import__('ctypes').get_errno(), ''))", "EFAULT"),
    "bad descriptor": ("__import__('ctypes').CDLL(None, use_errno=True).connect(999, b'x' * 16, 16) and "
                       "(_ for _ in ()).throw(OSError(__import__('ctypes').get_errno(), ''))", "EBADF"),
    "user namespace": ("__import__('ctypes').CDLL(None, use_errno=True).unshare(0x10000000) and "
                       "(_ for _ in ()).throw(OSError(__import__('ctypes').get_errno(), ''))", "EPERM"),
    "/tmp": ("open('/tmp/agentsh-test-file', 'w')", "EACCES"),
    "/dev/shm": ("open('/dev/shm/agentsh-test-file', 'w')", "EACCES"),
    "home": ("open(os.path.expanduser('~/agentsh-test-file'), 'w')", "EACCES"),
    "/etc": ("open('/etc/agentsh-test-file', 'w')", "EACCES"),
}


class ModeTest(harness.ApplianceTest):
    def python(self, sid, program, *arguments, **options):
        return self.run_in(sid, "/usr/bin/python3", "-c", program, *arguments, **options)


class LandlockOnly(ModeTest):
    config = "security: {mode: landlock-only}\n"

    def setUp(self):
        self.sid = self.create_session()

    def test_programs_go_through_the_proxy(self):
        self.assertEqual(self.assert_runs(self.sid, "curl", "-s", "https://www.example.com/"), b"hello\n")
        self.assertEqual(self.assert_runs(self.sid, "curl", "-s", "http://www.example.com/"), b"hello\n")
        self.assertEqual(self.assert_runs(self.sid, "wget", "-qO-", "https://www.example.com/"), b"hello\n")
        fetched = self.python(self.sid, "import urllib.request as r; print(r.urlopen('https://www.example.com/').read())")
        self.assertEqual(fetched.stdout, b"b'hello\\n'\n", fetched.stderr)
        events = [e for e in self.events(self.sid, "--type", "net_connect") if e["policy"]["decision"] == "allow"]
        self.assertEqual({e["domain"] for e in events}, {"www.example.com"})
        self.assertTrue({"curl", "wget"} <= {e["program"] for e in events}, events)
        self.assertTrue(all(e["pid"] > 0 and e["command_id"] for e in events), events)

    def test_what_is_denied_is_denied(self):
        refused = self.run_in(self.sid, "curl", "-s", "-w", "%{http_code}", "http://denied.example.org/")
        self.assertIn(b"403", refused.stdout)
        refused = self.run_in(self.sid, "curl", "-s", "https://denied.example.org/")
        self.assertNotEqual(refused.returncode, 0)
        denied = [e for e in self.events(self.sid) if e.get("policy", {}).get("decision") == "deny"]
        self.assertTrue(denied)

    def test_addresses_are_taken_up_without_a_proxy_variable(self):
        """By number, which no rule allows; by the loopback of the host, which is not the session's."""
        for address in (harness.WEB4, "127.0.0.1"):
            self.run_in(self.sid, "env", "-i", "curl", "-s", "-m", "3", f"http://{address}/")
        remotes = {e["remote"]: e["policy"]["decision"] for e in self.events(self.sid, "--type", "net_connect")}
        self.assertEqual(remotes.get(f"{harness.WEB4}:80"), "deny", remotes)
        self.assertEqual(remotes.get("127.0.0.1:80"), "deny", remotes)

    def test_other_ways_out_are_closed(self):
        for name, (statement, expected) in STATEMENTS.items():
            with self.subTest(name):
                result = self.python(self.sid, ATTEMPT.format(statement))
                self.assertEqual(result.stdout.decode().strip(), expected, result.stderr.decode())

    def test_files(self):
        self.assert_runs(self.sid, "sh", "-ec", "echo x > here; echo y > $TMPDIR/there; cat here $TMPDIR/there >/dev/null")
        state = self.appliance.home / "state"
        for path in (state / "ca", state, self.appliance.socket.parent, self.appliance.config):
            result = self.run_in(self.sid, "sh", "-c", f"ls {path} && cat {path}")
            self.assertNotEqual(result.returncode, 0, path)
        if not self.appliance.user:
            for device in ("/dev/kmsg", "/dev/mem", "/dev/loop-control"):
                self.assertNotEqual(self.run_in(self.sid, "sh", "-c", f"head -c1 {device}").returncode, 0)
        self.assertEqual(self.run_in(self.sid, "sh", "-c", "cat /proc/1/environ").returncode, 1)

    def test_its_directory_goes_with_it(self):
        place = pathlib.Path(self.assert_runs(self.sid, "sh", "-c", "echo -n $TMPDIR").decode())
        self.assertTrue(place.is_dir())
        self.assertEqual(place.stat().st_mode & 0o777, 0o700)
        self.appliance.cli("session", "destroy", self.sid)
        harness.wait_until(lambda: not place.exists(), "its directory goes")

    def test_what_cut_itself_loose_ends_with_it(self):
        program = ("import os, sys, time\n"
                   "if os.fork(): sys.exit()\n"
                   "os.setsid(); os.closerange(0, 3)\n"
                   "if os.fork(): os._exit(0)\n"
                   "open('loose', 'w').write(str(os.getpid())); time.sleep(600)\n")
        self.python(self.sid, program, stdin=subprocess.DEVNULL)
        written = self.workspace / "loose"
        harness.wait_until(lambda: written.exists() and written.read_text(), "it runs")
        loose = pathlib.Path("/proc") / (self.workspace / "loose").read_text()
        self.assertTrue(loose.exists())
        self.appliance.cli("session", "destroy", self.sid)
        harness.wait_until(lambda: not loose.exists(), "it ends")

    def test_terminal_and_streams(self):
        copied = self.run_in(self.sid, "cat", input=b"\x00\xff" * 50000)
        self.assertEqual(copied.stdout, b"\x00\xff" * 50000)
        result = self.run_in(self.sid, "sh", "-c", "kill -TERM $$")
        self.assertEqual(result.returncode, 143)

    def test_not_blocking_and_many(self):
        """An event loop's connects, many at a time."""
        program = ("import asyncio\n"
                   "async def one(number):\n"
                   "  reader, writer = await asyncio.open_connection('198.18.0.54', 3128)\n"
                   "  writer.write(b'GET http://www.example.com/ HTTP/1.1\\r\\nHost: www.example.com\\r\\nConnection: close\\r\\n\\r\\n')\n"
                   "  text = await reader.read(); assert text.endswith(b'hello\\n'), text\n"
                   "async def main(): await asyncio.gather(*[one(i) for i in range(50)])\n"
                   "asyncio.run(main()); print('all')\n")
        result = self.python(self.sid, program)
        self.assertEqual(result.stdout, b"all\n", result.stderr.decode())

    def test_publish_is_refused(self):
        result = self.appliance.cli("session", "publish", self.sid, "8080")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"no network of its own", result.stderr)


class Minimal(ModeTest):
    config = "security: {mode: minimal}\n"

    def test_it_runs(self):
        sid = self.create_session()
        self.assertEqual(self.assert_runs(sid, "curl", "-s", "https://www.example.com/"), b"hello\n")
        self.assertIn("no namespaces", self.appliance.log_text())


class NothingGoesAnotherWay(ModeTest):
    config = "security: {mode: landlock-only}\n"

    def test_nor_when_the_daemon_is_killed(self):
        canaries = Canaries()
        self.addCleanup(canaries.close)
        sid = self.create_session()
        capture = Capture(lambda frame: MARKER in frame.data or frame.destination in (CANARY4, CANARY6))
        client = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", sid, "--", "/usr/bin/python3", "-c",
                                     TRAFFIC, MARKER.decode(), CANARY4, CANARY6, harness.WEB4, harness.RESOLVER4,
                                     self.workspace / "running"]),
            env=self.appliance.environment(), cwd=self.workspace, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        harness.wait_until((self.workspace / "running").exists, "it runs")

        def denied():
            return [e for e in self.events(sid, "--type", "net_connect") if e["policy"]["decision"] == "deny"]

        harness.wait_until(lambda: len(denied()) > 20, "attempts are denied")
        self.appliance.kill()
        client.wait(20)
        harness.wait_until(lambda: not processes_with(MARKER), "everything ends")
        frames = capture.stop()
        self.assertGreater(capture.seen, 0)
        self.assertEqual(capture.lost, 0)
        self.assertEqual([f for f in frames if f.destination not in ("127.0.0.1", "::1")], [])
        self.assertEqual(canaries.heard(), [])


if __name__ == "__main__":
    harness.main()
