"""The server that the first command starts, when several commands are the first.

Run: /usr/bin/python3 tests/e2e/auto_start_test.py --bin build/release/bin [--user nobody]
"""

import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

import harness

CLIENTS = 10


class AutoStart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.user = pwd.getpwnam(harness.Arguments.user) if harness.Arguments.user else None
        harness.run("mount", "--make-rprivate", "/")
        for directory in ("/run", "/var/lib"):
            harness.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)

    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="auto-start-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.home, True)
        for name in ("run", "project", ".config/agentsh"):
            (self.home / name).mkdir(parents=True)
        if self.user:
            harness.run("chown", "-R", str(self.user.pw_uid), self.home)
        self.socket = self.home / "run/agentsh/agentsh.sock" if self.user else pathlib.Path("/run/agentsh/agentsh.sock")
        self.addCleanup(self.end_the_server)

    def client(self, *arguments, **options):
        command = [str(harness.Arguments.bin / "agentsh"), *arguments]
        if self.user:
            command = ["setpriv", "--reuid", str(self.user.pw_uid), "--regid", str(self.user.pw_gid), "--clear-groups"] + command
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home / "run"),
                       **options.pop("env", {})}
        return subprocess.Popen(command, env=environment, cwd=self.home / "project", stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def server(self):
        """The process that listens, 0: none."""
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(self.socket)) != 0:
                return 0
            return struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def end_the_server(self, sig=signal.SIGTERM):
        pid = self.server()
        if pid:
            os.kill(pid, sig)
            harness.wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe") and self.server() != pid,
                               "the server ends", 20)

    def outcome(self, client):
        out, err = client.communicate(timeout=30)
        return client.returncode, out.decode(), err.decode()

    def run_at_once(self, arguments):
        clients = [self.client(*arguments(i)) for i in range(CLIENTS)]
        for client in clients:
            code, _, err = self.outcome(client)
            self.assertEqual(code, 0, err)

    def test_many_at_once_share_one(self):
        self.run_at_once(lambda i: ("session", "create", "--id", f"first-{i}"))
        code, out, err = self.outcome(self.client("session", "list"))
        self.assertEqual(code, 0, err)
        self.assertEqual({session["id"] for session in json.loads(out)}, {f"first-{i}" for i in range(CLIENTS)})

    def test_many_after_a_crash(self):
        self.assertEqual(self.outcome(self.client("session", "create"))[0], 0)
        self.end_the_server(signal.SIGKILL)
        self.run_at_once(lambda i: ("exec", f"second-{i}", "--", "true"))

    def test_one_that_is_just_ending_is_waited_for(self):
        for i in range(5):
            self.assertEqual(self.outcome(self.client("session", "create"))[0], 0)
            os.kill(self.server(), signal.SIGTERM)
            code, _, err = self.outcome(self.client("exec", f"third-{i}", "--", "true"))
            # It may have met the old server before that stopped listening; then it is told so.
            self.assertNotIn("could not be started", err)

    def log_file(self):
        code, out, err = self.outcome(self.client("config", "show", "--json"))
        self.assertEqual(code, 0, err)
        return next(row["value"] for row in json.loads(out)["keys"] if row["key"] == "logging.file")

    def test_its_messages_are_kept(self):
        self.assertEqual(self.outcome(self.client("session", "create"))[0], 0)
        log = pathlib.Path(self.log_file())
        self.assertIn(" info server: agentsh ", log.read_text())
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)

    def test_a_client_that_finds_it_dying_says_where_its_log_is(self):
        self.assertEqual(self.outcome(self.client("session", "create", "--id", "dying"))[0], 0)
        running = self.client("exec", "dying", "--", "sh", "-c", "echo running; sleep 60")
        self.assertEqual(running.stdout.readline(), b"running\n")
        server = self.server()
        # It answers nothing any more, then it is gone.
        os.kill(server, signal.SIGSTOP)
        asking = self.client("session", "list")
        waiting = self.client("session", "list", "--client-timeout", "300ms")
        self.assertEqual(self.outcome(waiting)[::2],
                         (1, "agentsh: the server has not answered within 300ms (--client-timeout)\n"))
        os.kill(server, signal.SIGKILL)
        for client in (running, asking):
            code, _, err = self.outcome(client)
            self.assertIn(code, (1, 127), err)
            self.assertIn(f"; its log is {self.log_file()}\n", err)
            self.assertEqual(err.count("\n"), 1, err)

    def test_global_options_stand_before_the_verb_too(self):
        self.assertEqual(self.outcome(self.client("session", "create", "--id", "here"))[0], 0)
        address = f"unix:{self.socket}"
        for options in (("--server", address), (f"--server={address}", "--client-timeout=20s")):
            code, out, err = self.outcome(self.client(*options, "session", "list"))
            self.assertEqual((code, [s["id"] for s in json.loads(out)]), (0, ["here"]), err)
        code, out, err = self.outcome(self.client("--server", address, "exec", "here", "--", "sh", "-c", "echo ${AGENTSH_SERVER-none}"))
        self.assertEqual((code, out), (0, "none\n"), err)
        code, _, err = self.outcome(self.client("--server", "unix:/nowhere/at-all", "session", "list"))
        self.assertEqual(code, 1)
        self.assertIn("/nowhere/at-all", err)
        # The one after the verb wins.
        code, _, err = self.outcome(self.client("--server", "unix:/nowhere", "session", "list", "--server", address))
        self.assertEqual(code, 0, err)
        for wrong, what in ((("--server",), "needs a value"), (("--bogus", "session"), "no such option"),
                            (("--grpc-addr", "x", "session"), "no gRPC"),
                            (("--client-timeout", "soon", "session", "list"), "is not a time")):
            code, _, err = self.outcome(self.client(*wrong))
            self.assertEqual(code, 1)
            self.assertIn(what, err)

    def test_a_bad_configuration_is_told_at_once(self):
        (self.home / "bad.yaml").write_text("server: {bogus: 1}\n")
        code, _, err = self.outcome(self.client("session", "list", "--config", str(self.home / "bad.yaml")))
        self.assertEqual(code, 1)
        self.assertIn("bogus", err)
        code, _, err = self.outcome(self.client("session", "list", env={"AGENTSH_NO_AUTO": "1"}))
        self.assertEqual(code, 1)
        self.assertIn("AGENTSH_NO_AUTO", err)


if __name__ == "__main__":
    harness.main()
