"""Commands in a session behave as without us: streams, exit codes, terminals, signals, several at once."""

import contextlib
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import threading
import time
import unittest

import harness


def raise_stack_limit():
    """Then the client may be started with more than its commands may be."""
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class QuickStart(harness.ApplianceTest):
    """The five commands of the README, one after the other."""

    policies = {"e2e": harness.POLICY}

    def test_verbatim(self):
        workspace = self.appliance.workspace()
        session = self.appliance.json("session", "create", "--workspace", ".", "--json", cwd=workspace)
        sid = session["id"]
        self.assertEqual(session["workspace"], str(workspace))

        uname = self.appliance.cli("exec", sid, "--", "uname", "-a", cwd=workspace)
        self.assertEqual(uname.returncode, 0, uname.stderr)
        self.assertIn(b"Linux", uname.stdout)

        document = self.appliance.json("exec", "--output", "json", "--events", "summary", sid, "--", "curl", "-s",
                                       "https://example.com", cwd=workspace)
        self.assertEqual(document["exit_code"], 0, document)
        self.assertEqual(document["stdout"], "hello\n")
        self.assertEqual(document["result"]["exit_code"], 0)
        connects = [e for e in document["events"] if e["type"] == "net_connect"]
        self.assertTrue(connects, document["events"])
        self.assertEqual(connects[0]["policy"]["decision"], "allow")
        self.assertEqual(connects[0]["policy"]["rule"], "example")
        self.assertEqual(connects[0]["domain"], "example.com")
        self.assertGreaterEqual(connects[0]["count"], 1)

        (workspace / "tmp").mkdir()
        refused = self.appliance.cli("exec", sid, "--", "rm", "-rf", "./tmp", cwd=workspace)
        self.assertEqual(refused.returncode, 126)
        self.assertIn(b"denied by rule no-rm-rf: Use git clean instead.", refused.stderr)
        self.assertTrue((workspace / "tmp").exists())

        listing = self.appliance.json("exec", "--output", "json", "--events", "all", sid, "--", "ls", cwd=workspace)
        self.assertEqual(listing["stdout"], "tmp\n")
        types = [e["type"] for e in listing["events"]]
        self.assertIn("command_policy", types)
        self.assertIn("command_finished", types)
        for event in listing["events"]:
            self.assertEqual(event["session_id"], sid)
            self.assertEqual(event["command_id"], listing["command_id"])


class Streams(harness.ApplianceTest):
    def setUp(self):
        self.sid = self.create_session()

    def test_binary_data_passes_unchanged(self):
        data = os.urandom(3_000_000)
        self.assertEqual(self.run_in(self.sid, "cat", input=data).stdout, data)
        packed = self.run_in(self.sid, "gzip", "-1", input=data).stdout
        self.assertEqual(subprocess.run(["gzip", "-d"], input=packed, stdout=subprocess.PIPE).stdout, data)

    def test_stdout_and_stderr_stay_apart(self):
        result = self.shell(self.sid, "echo out; echo err >&2; exit 3")
        self.assertEqual((result.stdout, result.stderr, result.returncode), (b"out\n", b"err\n", 3))

    def test_exit_codes(self):
        self.assertEqual(self.shell(self.sid, "exit 42").returncode, 42)
        self.assertEqual(self.shell(self.sid, "kill -TERM $$").returncode, 128 + signal.SIGTERM)
        missing = self.run_in(self.sid, "no-such-program")
        self.assertEqual((missing.returncode, b"command not found" in missing.stderr), (127, True), missing.stderr)
        timeout = self.appliance.cli("exec", "--timeout", "200ms", self.sid, "--", "sleep", "60")
        self.assertEqual(timeout.returncode, 124)
        self.assertIn(b"command timed out", timeout.stderr)
        directory = self.appliance.cli("exec", "--json", json.dumps({"command": "ls", "working_dir": "/nowhere"}), self.sid)
        self.assertEqual(directory.returncode, 2, directory.stderr)

    def test_large_environments_and_arguments(self):
        sid = self.create_session()
        variables = {f"LARGE_{i}": "x" * 1000 for i in range(1000)}
        self.assertEqual(self.run_in(sid, "sh", "-c", "env | grep -c ^LARGE_", env=variables).stdout, b"1000\n")
        arguments = ["y" * 1000] * 500
        self.assertEqual(self.run_in(sid, "sh", "-c", "echo $#", *arguments).stdout, b"499\n")
        too_large = {f"LARGE_{i}": "x" * 100_000 for i in range(25)}  # More than execve(2) takes here, as without us.
        self.assertEqual(self.run_in(sid, "true", env=too_large, preexec_fn=raise_stack_limit).returncode, 127)
        self.assertEqual(self.run_in(sid, "echo", "still here").stdout, b"still here\n")

    def test_closed_streams_are_nobodys(self):
        """The next descriptor that the client opens must not go to the command in their place."""
        sid = self.create_session()
        client = " ".join(self.appliance.as_user([str(harness.Arguments.bin / "agentsh"), "exec", sid, "--"]))
        look = "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >fds"
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            outcome = subprocess.run(["bash", "-c", f"{client} sh -c '{look}; cat; exit 3' {closed}"], cwd=self.workspace,
                                     env=self.appliance.environment(), stdin=subprocess.DEVNULL, timeout=20,
                                     capture_output=True)
            self.assertEqual(outcome.returncode, 3, (closed, outcome.stderr))
            self.assertNotIn("socket", (self.workspace / "fds").read_text(), closed)

    def test_a_reader_that_has_enough_ends_the_client(self):
        sid = self.create_session()
        for verb in (["session", "logs", sid], ["policy", "show", "e2e"], ["config", "show"]):
            reader, writer = os.pipe()
            os.close(reader)
            client = subprocess.run(
                self.appliance.as_user([harness.Arguments.bin / "agentsh", *verb]), stdin=subprocess.DEVNULL,
                env=self.appliance.environment() | {"AGENTSH_CONFIG": str(self.appliance.config)}, stdout=writer,
                stderr=subprocess.PIPE, timeout=20)
            os.close(writer)
            self.assertEqual((client.returncode, client.stderr), (128 + 13, b""), verb)

    def test_a_closed_pipe_ends_the_writer(self):
        script = f"{harness.Arguments.bin}/agentsh exec {self.sid} -- yes | head -n 1"
        result = subprocess.run(self.appliance.as_user(["bash", "-c", script + '; echo "${PIPESTATUS[0]}"']),
                                env=self.appliance.environment(), stdout=subprocess.PIPE, timeout=20)
        self.assertEqual(result.stdout, b"y\n%d\n" % (128 + signal.SIGPIPE))

    def test_json_carries_binary_output_as_base64(self):
        document = self.appliance.json("exec", "--output", "json", self.sid, "--", "printf", r"\377\376")
        self.assertEqual((document["stdout"], document["stdout_encoding"]), ("//4=", "base64"))

    def test_json_passes_stdin(self):
        document = self.appliance.json("exec", "--output", "json", self.sid, "--", "tr", "a-z", "A-Z", input=b"abc")
        self.assertEqual(document["stdout"], "ABC")

    def test_output_is_paged(self):
        document = self.appliance.json("exec", "--output", "json", self.sid, "--", "seq", "1", "10000")
        page = self.appliance.json("output", self.sid, document["command_id"], "--offset", "10", "--limit", "5")
        self.assertEqual(page["data"], document["stdout"][10:15])
        self.assertTrue(page["has_more"])

    def test_ctrl_c_ends_the_command(self):
        process = subprocess.Popen(
            self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", "sh", "-c",
                                    "echo started; exec sleep 60"]),
            env=self.appliance.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"started\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 128 + signal.SIGINT)
        process.stdout.close()

    def test_a_killed_client_takes_its_command_along(self):
        marker = self.workspace / "alive"
        process = subprocess.Popen(
            self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", "sh", "-c",
                                    f"while :; do date > {marker}; sleep 0.05; done"]),
            env=self.appliance.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        harness.wait_until(marker.exists, "the command runs")
        process.kill()
        process.wait()

        def ended():
            marker.unlink(missing_ok=True)
            time.sleep(0.3)
            return not marker.exists()

        harness.wait_until(ended, "the command ends")

    def test_several_commands_at_once(self):
        results = []

        def one(number):
            results.append(self.shell(self.sid, f"sleep 0.3; echo {number}").stdout)

        threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(results), [b"%d\n" % n for n in range(8)])
        self.assertLess(time.monotonic() - start, 2.4)

    def test_kill_by_id(self):
        def running():
            commands = self.appliance.json("session", "info", self.sid).get("commands", [])
            return [c["id"] for c in commands if c["command"] == "sleep" and c["args"] == ["61"]]

        process = subprocess.Popen(
            self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", "sleep", "61"]),
            env=self.appliance.environment(), stdin=subprocess.DEVNULL)
        harness.wait_until(running, "the command runs")
        self.assertEqual(self.appliance.cli("kill", self.sid, running()[0]).returncode, 0)
        self.assertEqual(process.wait(10), 128 + signal.SIGKILL)

    def test_builtins_change_later_commands(self):
        sid = self.create_session()
        (self.workspace / "sub").mkdir()
        if self.appliance.user:
            os.chown(self.workspace / "sub", self.appliance.user.pw_uid, self.appliance.user.pw_gid)
        self.assertEqual(self.appliance.cli("exec", sid, "--", "cd", "sub", cwd="/").returncode, 0)
        self.assertEqual(self.appliance.cli("exec", sid, "--", "export", "GREETING=hi there").returncode, 0)
        result = self.appliance.cli("exec", sid, "--", "sh", "-c", 'pwd; echo "$GREETING"', cwd="/")
        self.assertIn(b"hi there\n", result.stdout)
        self.assertEqual(self.appliance.json("session", "info", sid)["cwd"], str(self.workspace / "sub"))


    def test_an_unknown_id_is_created_and_one_that_has_ended_is_not(self):
        workspace = self.appliance.workspace()
        self.assertEqual(self.appliance.cli("exec", "mine", "--", "pwd", cwd=workspace).stdout.decode(), f"{workspace}\n")
        sid = self.create_session()
        for ended in (sid, "mine"):
            self.assertEqual(self.appliance.cli("session", "destroy", ended).returncode, 0)
        result = self.run_in(sid, "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"has ended", result.stderr)
        self.assertEqual(self.appliance.cli("session", "info", sid).returncode, 1)

    def test_a_directory_that_cannot_be_entered_is_no_ones_directory(self):
        sid = self.create_session()
        result = self.appliance.cli("exec", sid, "--", "cd", "/nonexistent")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No such file or directory", result.stderr)
        result = self.appliance.cli("session", "update", sid, "--cwd", "/etc/passwd")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"Not a directory", result.stderr)
        self.assertEqual(self.appliance.json("session", "info", sid)["cwd"], str(self.workspace))
        self.assertEqual(self.appliance.cli("exec", sid, "--", "true").returncode, 0)

    def test_what_requests_cannot_carry_is_refused_not_changed(self):
        sid = self.create_session()
        result = self.run_in(sid, "echo", "caf\udce9")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"UTF-8", result.stderr)
        result = self.run_in("", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"empty", result.stderr)

    def test_limits_are_those_of_whoever_started_the_daemon(self):
        sid = self.create_session()
        inherited = subprocess.run(["sh", "-c", "ulimit -Sn"], capture_output=True, check=True).stdout
        self.assertEqual(self.assert_runs(sid, "sh", "-c", "ulimit -Sn"), inherited)

    def test_a_directory_that_the_session_does_not_have(self):
        sid = self.create_session()
        hidden = self.appliance.home / "state" if self.appliance.user else "/root"
        result = self.appliance.cli("exec", sid, "--", "pwd", "-P", cwd=hidden)
        self.assertIn(result.stdout.decode().strip(), (str(self.workspace), str(hidden)))
        self.assertEqual(result.returncode, 0)
        gone = self.appliance.workspace()
        client = self.appliance.cli("exec", sid, "--", "sh", "-c", "pwd -P", cwd=gone,
                                    preexec_fn=lambda: os.rmdir(gone))
        self.assertEqual((client.returncode, client.stdout.decode().strip()), (0, str(self.workspace)))


class Terminals(harness.ApplianceTest):
    def spawn(self, *command):
        """The client on a terminal of its own, as a person has it."""
        pid, master = pty.fork()
        if pid == 0:
            argv = self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", *command])
            os.execvpe(argv[0], argv, self.appliance.environment())
        return pid, master

    def setUp(self):
        self.sid = self.create_session()

    def read_until(self, master, pattern, seconds=10):
        data, deadline = b"", time.monotonic() + seconds
        while not re.search(pattern, data):
            readable, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(readable, f"nothing more came than {data!r}")
            try:
                data += os.read(master, 4096)
            except OSError:
                self.fail(f"the terminal closed after {data!r}")
        return data

    def finish(self, pid, master):
        # What it still prints has to be read, or it waits for that.
        data = b""
        with contextlib.suppress(OSError):
            while piece := os.read(master, 4096):
                data += piece
        _, status = os.waitpid(pid, 0)
        os.close(master)
        return os.waitstatus_to_exitcode(status)

    def test_a_shell_with_job_control(self):
        pid, master = self.spawn("bash", "--norc", "-i")
        self.read_until(master, rb"[#$] ")
        os.write(master, b"tty; test -t 0 && test -t 1 && test -t 2 && echo terminal\n")
        self.read_until(master, rb"/dev/pts/\d+[\r\n]+terminal[^#$]*[#$] ")
        os.write(master, b"sleep 60\n")
        self.read_until(master, rb"sleep 60")
        time.sleep(0.2)
        os.write(master, b"\x1a")  # Ctrl-Z
        self.read_until(master, rb"Stopped[^$]*\$? ?bash[^#$]*[#$] ")
        os.write(master, b"jobs\n")
        self.read_until(master, rb"Stopped[^$]*bash[^#$]*[#$] ")
        os.write(master, b"fg\n")
        self.read_until(master, rb"sleep 60")
        time.sleep(0.2)
        os.write(master, b"\x03")  # Ctrl-C
        self.read_until(master, rb"\^C[^#$]*[#$] ")
        os.write(master, b"echo status=$?\n")
        self.read_until(master, rb"status=130[^#$]*[#$] ")
        os.write(master, b"exit 5\n")
        self.assertEqual(self.finish(pid, master), 5)

    def test_the_window_size_follows(self):
        import fcntl
        import struct
        import termios

        pid, master = self.spawn("sh", "-c", "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.1; done")
        self.read_until(master, rb"\d+ \d+")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        self.read_until(master, rb"33 111")
        self.assertEqual(self.finish(pid, master), 0)

    def test_the_terminal_is_the_sessions_own(self):
        pid, master = self.spawn("sh", "-c", "readlink /proc/self/fd/0; ls /dev/pts")
        data = self.read_until(master, rb"ptmx")
        self.assertRegex(data, rb"/dev/pts/0")
        self.assertEqual(self.finish(pid, master), 0)


if __name__ == "__main__":
    harness.main()
