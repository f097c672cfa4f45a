"""The shell shim: a shell in whose place it stands starts in a session, or not at all."""

import json
import os
import pathlib
import pty
import shutil
import subprocess
import time

import harness


class ShimTest(harness.ApplianceTest):
    """A root directory of its own, in the workspace so that sessions see it, with copies of the host's shells."""

    def setUp(self):
        self.sid = self.create_session()
        self.root = self.workspace / "root"
        (self.root / "usr/bin").mkdir(parents=True)
        (self.root / "bin").symlink_to("usr/bin")
        shutil.copy("/bin/bash", self.root / "bin/bash")
        shutil.copy("/bin/dash", self.root / "bin/dash")
        (self.root / "bin/sh").symlink_to("dash")
        self.sh, self.bash = self.root / "usr/bin/sh", self.root / "usr/bin/bash"

    def shim(self, *arguments, code=0):
        result = subprocess.run([harness.Arguments.bin / "agentsh", "shim", *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20)
        self.assertEqual(result.returncode, code, result.stderr.decode())
        return result

    def install(self):
        self.shim("install-shell", "--root", str(self.root), "--bash")

    def states(self):
        document = json.loads(self.shim("status", "--root", str(self.root), "--output", "json").stdout)
        return [shell["state"] for shell in document["shells"]]

    def environment(self):
        return dict(self.appliance.environment(), AGENTSH_SESSION_ID=self.sid,
                    AGENTSH_BIN=str(harness.Arguments.bin / "agentsh"))

    def run_shell(self, *command, env=None, **options):
        environment = self.environment() | (env or {})
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        return subprocess.run(self.appliance.as_user(command), env=environment, cwd=self.workspace, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


class Replacement(ShimTest):
    def test_there_and_back(self):
        before = self.bash.read_bytes()
        self.assertEqual(self.states(), ["original", "original"])
        self.shim("install-shell", "--root", str(self.root), "--bash", "--dry-run")
        self.assertEqual(self.states(), ["original", "original"])
        self.install()
        self.assertEqual(self.states(), ["shim", "shim"])
        self.assertEqual(os.readlink(str(self.sh) + ".real"), "dash")
        self.assertEqual((self.root / "usr/bin/bash.real").read_bytes(), before)
        self.install()  # Once more changes nothing.
        self.assertEqual((self.root / "usr/bin/bash.real").read_bytes(), before)
        self.shim("uninstall-shell", "--root", str(self.root), "--bash")
        self.assertEqual(self.states(), ["original", "original"])
        self.assertEqual(self.bash.read_bytes(), before)
        self.assertEqual(os.readlink(self.sh), "dash")

    def test_a_package_put_its_shell_back(self):
        self.install()
        self.bash.unlink()
        shutil.copy("/bin/bash", self.bash)
        self.assertEqual(self.states(), ["shim", "replaced"])
        self.assertIn(b"--force", self.shim("install-shell", "--root", str(self.root), "--bash-only", code=1).stderr)
        self.shim("install-shell", "--root", str(self.root), "--bash-only", "--force")
        self.assertEqual(self.states(), ["shim", "shim"])

    def test_without_its_shell(self):
        self.install()
        os.unlink(str(self.bash) + ".real")
        self.assertEqual(self.states(), ["shim", "broken"])
        self.shim("uninstall-shell", "--root", str(self.root), "--bash-only", code=1)
        result = self.run_shell(self.bash, "-c", "echo ran")
        self.assertEqual((result.stdout, result.returncode), (b"", 127), result.stderr)

    def test_the_host_is_not_changed_by_accident(self):
        refused = self.shim("install-shell", code=1)
        self.assertIn(b"--i-understand-this-modifies-the-host", refused.stderr)
        self.shim("install-shell", "--dry-run")
        self.shim("frobnicate", code=1)


class Shells(ShimTest):
    def setUp(self):
        super().setUp()
        self.install()

    def test_commands_run_in_the_session(self):
        result = self.run_shell(self.bash, "-c", 'echo "$AGENTSH_SESSION_ID $0 $*"; exit 3', "name", "a b")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(result.stdout.decode().strip(), f"{self.sid} name a b")
        started = [e for e in self.events(self.sid, "--type", "command_started")]
        self.assertTrue(any("usr/bin/bash" in json.dumps(e) for e in started), started)

    def test_a_policy_decides(self):
        self.assertEqual(self.run_shell(self.sh, "-c", "curl -s https://www.example.com/").stdout, b"hello\n")
        self.assertNotEqual(self.run_shell(self.sh, "-c", "curl -s https://denied.example.org/").returncode, 0)

    def test_shells_of_shells_are_in_it_already(self):
        result = self.run_shell(self.bash, "-lc", f"{self.sh} -c '{self.bash} -c \"echo deep\"'")
        self.assertEqual(result.stdout, b"deep\n", result.stderr)
        script = self.workspace / "script"
        script.write_text(f"#!{self.bash}\necho of a script: $1\n")
        script.chmod(0o755)
        self.assertEqual(self.run_shell(script, "x").stdout, b"of a script: x\n")

    def test_a_login_shell(self):
        command = self.appliance.as_user(["/usr/bin/python3", "-c",
                                          "import os, sys; os.execv(sys.argv[1], ['-bash', '-c', 'shopt -q login_shell && echo login'])",
                                          self.bash])
        result = subprocess.run(command, env=self.environment(), cwd=self.workspace, stdin=subprocess.DEVNULL, timeout=30,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(result.stdout, b"login\n", result.stderr)

    def test_binary_data_passes_as_it_is(self):
        data = os.urandom(300_000) + b"\x00\xff\r\n\x04"
        self.assertEqual(self.run_shell(self.sh, "-c", "cat", input=data).stdout, data)
        self.assertEqual(self.run_shell(self.sh, input=b"echo from stdin\n").stdout, b"from stdin\n")

    def test_the_variable_alone_does_not_get_past_it(self):
        result = self.run_shell(self.bash, "-c", "echo $AGENTSH_SESSION_ID", env={"AGENTSH_IN_SESSION": "1"})
        self.assertEqual(result.stdout.decode().strip(), self.sid, result.stderr)

    def test_without_a_server_or_a_client_it_does_not_start(self):
        for env in ({"AGENTSH_SERVER": "unix:/nonexistent"}, {"AGENTSH_BIN": "/nonexistent"}):
            result = self.run_shell(self.bash, "-c", "echo ran", env=env)
            self.assertNotEqual(result.returncode, 0)
            self.assertEqual(result.stdout, b"")
            self.assertTrue(result.stderr)

    def test_a_terminal(self):
        def run(arguments):
            main, terminal = pty.openpty()
            process = subprocess.Popen(self.appliance.as_user(arguments), env=self.environment(), cwd=self.workspace,
                                       stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
            os.close(terminal)
            output = b""
            try:
                while data := os.read(main, 4096):
                    output += data
            except OSError:
                pass  # EIO: everybody closed it.
            os.close(main)
            return process.wait(20), output

        code, output = run([self.bash, "-c", "test -t 0 && echo it is a terminal; exit 5"])
        self.assertEqual((code, output), (5, b"it is a terminal\r\n"))

    def test_it_costs_little(self):
        def median(command):
            times = []
            for _ in range(15):
                start = time.monotonic()
                self.assertEqual(self.run_shell(*command).returncode, 0)
                times.append(time.monotonic() - start)
            return sorted(times)[7] * 1000

        plain, shim = median([str(self.sh) + ".real", "-c", ":"]), median([self.sh, "-c", ":"])
        print(f"\na shell: {plain:.1f} ms plain, {shim:.1f} ms by the shim", flush=True)


if __name__ == "__main__":
    harness.main()
