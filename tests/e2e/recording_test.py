"""Output is recorded where the policy asks for it, and the command does not notice."""

import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import time

import harness

RECORDED = harness.POLICY + "audit: {include_stdout: true, include_stderr: true}\n"


class Recording(harness.ApplianceTest):
    policies = {"e2e": RECORDED, "quiet": harness.POLICY.replace("name: e2e", "name: quiet")}

    def recordings(self, session):
        finished = [e for e in self.events(session, "--type", "command_finished")]
        return {pathlib.Path(p).suffix: pathlib.Path(p) for p in finished[-1]["fields"].get("recordings", [])}

    def test_streams_pass_unchanged_and_are_kept(self):
        session = self.create_session()
        data = os.urandom(3_000_000)
        result = self.run_in(session, "sh", "-c", "cat; echo told >&2; exit 3", input=data)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (3, data, b"told\n"))
        kept = self.recordings(session)
        self.assertEqual(kept[".stdout"].read_bytes(), data)
        self.assertEqual(kept[".stderr"].read_bytes(), b"told\n")
        self.assertEqual(kept[".stdout"].stat().st_mode & 0o777, 0o600)

    def test_captured_output_is_kept_as_well(self):
        session = self.create_session()
        document = self.appliance.json("exec", "--output", "json", session, "--", "sh", "-c", "echo out; echo err >&2",
                                       cwd=self.workspace)
        self.assertEqual((document["stdout"], document["stderr"]), ("out\n", "err\n"))
        self.assertEqual(self.recordings(session)[".stdout"].read_text(), "out\n")

    def test_a_reader_that_stops_ends_the_writer(self):
        session = self.create_session()
        client = subprocess.Popen(self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", session, "--", "yes"]),
                                  env=self.appliance.environment(), cwd=self.workspace, stdout=subprocess.PIPE)
        self.assertEqual(client.stdout.read(4), b"y\ny\n")
        client.stdout.close()
        self.assertEqual(client.wait(20), 128 + 13)

    def test_nothing_is_kept_where_the_policy_does_not_ask(self):
        session = self.create_session("--policy", "quiet")
        self.assert_runs(session, "echo", "hello")
        self.assertEqual(self.recordings(session), {})

    def test_a_terminal_is_recorded_as_a_cast(self):
        import fcntl
        import termios

        session = self.create_session()
        pid, master = pty.fork()
        if pid == 0:
            argv = self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", session, "--", "sh", "-c",
                                           "trap 'stty size; exit 4' WINCH; tty; printf 'gr\\303\\274n\\n'; read a; echo \"<$a>\";"
                                           " while :; do sleep 0.1; done"])
            os.execvpe(argv[0], argv, self.appliance.environment())
        self.read_until(master, rb"/dev/pts/\d+\s+gr\xc3\xbcn")
        os.write(master, b"typed\n")
        self.read_until(master, rb"<typed>")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        self.read_until(master, rb"33 111")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 4)
        os.close(master)
        lines = [json.loads(line) for line in self.recordings(session)[".cast"].read_text().splitlines()]
        self.assertEqual(lines[0]["version"], 2)
        self.assertIn("r", [line[1] for line in lines[1:]])
        text = "".join(line[2] for line in lines[1:] if line[1] == "o")
        for shown in ("/dev/pts/", "grün", "<typed>", "33 111"):
            self.assertIn(shown, text)

    def read_until(self, master, pattern, seconds=10):
        data, deadline = b"", time.monotonic() + seconds
        while not re.search(pattern, data):
            readable, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(readable, f"nothing more came than {data!r}")
            data += os.read(master, 4096)

    def test_a_command_that_cannot_be_recorded_does_not_start(self):
        session = self.create_session()
        self.assert_runs(session, "true")
        folder = next(iter(self.recordings(session).values())).parent
        folder.rename(folder.with_suffix(".away"))
        folder.write_text("in the way")
        result = self.run_in(session, "touch", "started")
        self.assertEqual(result.returncode, 127)
        self.assertIn(b"recorded", result.stderr)
        self.assertFalse((self.workspace / "started").exists())


if __name__ == "__main__":
    harness.main()
