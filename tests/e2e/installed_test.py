"""The quick start of the README, word for word, from an installation and with no daemon started beforehand."""

import json
import os
import pathlib
import pwd
import signal
import socket
import struct
import subprocess
import unittest

import harness

QUICK_START = """
set -u
SID=$(agentsh session create --workspace . --json | jq -r .id)
echo "$SID" >sid
agentsh exec "$SID" -- uname -a >uname; echo $? >>codes
agentsh exec --output json --events summary "$SID" -- curl -s https://example.com >curl; echo $? >>codes
agentsh exec "$SID" -- rm -rf ./tmp 2>rm; echo $? >>codes
agentsh exec --output json --events all "$SID" -- ls >ls; echo $? >>codes
"""


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = harness.shared_world()
        cls.prefix = cls.world.directory / "installed"
        harness.run("cmake", "--install", harness.Arguments.build, "--prefix", cls.prefix)
        cls.user = pwd.getpwnam(harness.Arguments.user) if harness.Arguments.user else None
        cls.home = cls.world.directory / "home"
        cls.home.mkdir()
        if cls.user:
            os.chown(cls.home, cls.user.pw_uid, cls.user.pw_gid)
        cls.stand_in_for_the_machine()

    @classmethod
    def stand_in_for_the_machine(cls):
        """In this test's mount namespace the machine has the test's resolver and trusts its authority."""
        harness.run("mount", "--make-rprivate", "/")
        resolv, bundle = cls.world.directory / "resolv.conf", cls.world.directory / "bundle.pem"
        resolv.write_text(f"nameserver {harness.RESOLVER4}\n")
        bundle.write_text(pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_text() +
                          cls.world.authority.certificate.read_text())
        harness.run("mount", "--bind", resolv, "/etc/resolv.conf")
        harness.run("mount", "--bind", bundle, "/etc/ssl/certs/ca-certificates.crt")
        for directory, mode in (("/run", 755), ("/var/lib", 755), ("/etc/agentsh", 755), ("/tmp", 1777)):
            if os.path.isdir(directory):
                harness.run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", directory)

    def environment(self):
        home = str(self.home) if self.user else "/root"
        return {"PATH": f"{self.prefix}/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}

    def as_user(self, *command):
        if not self.user:
            return command
        return ["setpriv", "--reuid", str(self.user.pw_uid), "--regid", str(self.user.pw_gid), "--clear-groups", *command]

    def end_the_daemon(self):
        shown = subprocess.run(self.as_user("agentsh", "config", "show", "--json"), env=self.environment(), check=True,
                               capture_output=True).stdout
        path = next(row["value"] for row in json.loads(shown)["keys"] if row["key"] == "server.unix_socket.path")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        os.kill(pid, signal.SIGTERM)
        harness.wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), "the daemon ends", 20)

    def test_the_quick_start(self):
        workspace = self.home / "project"
        workspace.mkdir()
        (workspace / "tmp").mkdir()
        harness.run("git", "init", "-q", workspace)
        if self.user:
            harness.run("chown", "-R", str(self.user.pw_uid), workspace)
        result = subprocess.run(self.as_user("bash", "-c", QUICK_START), env=self.environment(), cwd=workspace, timeout=60,
                                capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.addCleanup(self.end_the_daemon)
        read = lambda name: (workspace / name).read_text()
        self.assertEqual(read("codes").split(), ["0", "0", "126", "0"], (result.stderr, read("rm"), read("curl")))
        self.assertTrue(read("uname").startswith("Linux "))
        self.assertIn("agentsh approve list", read("rm"))
        self.assertTrue((workspace / "tmp").is_dir())
        curl = json.loads(read("curl"))
        self.assertEqual((curl["exit_code"], curl["stdout"]), (0, "hello\n"))
        decisions = {event["type"]: event.get("policy", {}).get("decision") for event in curl["events"]}
        self.assertEqual(decisions["net_http_request"], "allow")
        self.assertIn("tls_intercept", decisions)
        self.assertIn("tmp\n", json.loads(read("ls"))["stdout"])

    def test_everything_is_there(self):
        for name in ("bin/agentsh", "bin/agentshd", "libexec/agentsh/agentsh-init", "share/agentsh/policies/default.yaml",
                     "share/man/man1/agentsh.1", "share/bash-completion/completions/agentsh",
                     "share/zsh/site-functions/_agentsh", "share/fish/vendor_completions.d/agentsh.fish",
                     "lib/systemd/system/agentshd.service"):
            self.assertTrue((self.prefix / name).is_file(), name)
        self.assertIn(str(self.prefix), (self.prefix / "lib/systemd/system/agentshd.service").read_text())

    def test_completions_are_of_their_shells(self):
        script = f"source {self.prefix}/share/bash-completion/completions/agentsh; COMP_WORDS=(agentsh ses); COMP_CWORD=1; " \
                 "_agentsh; echo ${COMPREPLY[@]}"
        result = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
        self.assertEqual(result.stdout, b"session\n")


if __name__ == "__main__":
    harness.main()
