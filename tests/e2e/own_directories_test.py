"""What a session has of its own whatever its policy opens: temporary directories, and our programs kept as they are.

Run: /usr/bin/python3 tests/e2e/own_directories_test.py --bin build/release/bin [--user nobody]
"""

import contextlib
import os
import pathlib
import shutil
import socket
import tempfile
import unittest

import harness

PACKS = ["agent-default", "agent-sandbox", "default", "dev-safe", "observe"]  # ci-strict names its tools.


class TemporaryDirectories(harness.ApplianceTest):
    def host_directory(self, parent):
        """A directory beneath `parent` that the session's user could change outside of a session."""
        directory = tempfile.mkdtemp(prefix="own-directories-", dir=parent)
        self.addCleanup(shutil.rmtree, directory, True)
        if self.appliance.user:
            os.chown(directory, self.appliance.user.pw_uid, self.appliance.user.pw_gid)
        return directory

    def test_with_every_pack(self):
        for pack in PACKS:
            sid = self.create_session("--policy", pack)
            for parent in ("/tmp", "/var/tmp"):
                with self.subTest(pack=pack, parent=parent):
                    host = self.host_directory(parent)
                    mine = os.path.basename(host) + "-mine"
                    result = self.run_in(sid, "sh", "-c", f"touch {host}/x {parent}/{mine}; ls -a {parent}")
                    names = result.stdout.decode().split()
                    self.assertIn(mine, names)
                    self.assertNotIn(os.path.basename(host), names)
                    self.assertFalse(os.path.exists(f"{parent}/{mine}"))
                    self.assertEqual(os.listdir(host), [])

    def test_sockets_that_come_later_are_not_met(self):
        sid = self.create_session("--policy", "default")
        host = self.host_directory("/tmp")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(host + "/agent.sock")
            os.chmod(host + "/agent.sock", 0o777)
            listener.listen()
            program = f"import socket; socket.socket(socket.AF_UNIX).connect('{host}/agent.sock')"
            result = self.run_in(sid, "/usr/bin/python3", "-c", program)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"No such file or directory", result.stderr)


class OurPrograms(harness.ApplianceTest):
    def test_are_read_only_in_a_workspace_that_holds_them(self):
        """Whoever works on a build of this appliance with itself."""
        home = pathlib.Path(tempfile.mkdtemp(prefix="own-programs-", dir=self.world.directory))
        shutil.copytree(harness.Arguments.bin, home / "build/bin")
        share = harness.Arguments.bin.parent / "share"
        if share.is_dir():
            shutil.copytree(share, home / "build/share")
        home.chmod(0o755)
        original, harness.Arguments.bin = harness.Arguments.bin, home / "build/bin"
        try:
            appliance = harness.Appliance(self.world, user=harness.Arguments.user)
        finally:
            harness.Arguments.bin = original
        self.addCleanup(appliance.stop)
        if appliance.user:
            harness.run("chown", "-R", f"{appliance.user.pw_uid}:{appliance.user.pw_gid}", home)
        sid = appliance.json("session", "create", "--workspace", home, "--json")["id"]
        script = ("cp /bin/true bin/agentsh-init; rm -f bin/agentshd; mv bin elsewhere; mv ../build ../other;"
                  " touch bin/new && echo workspace is writable; bin/agentsh --version")
        result = appliance.cli("exec", sid, "--", "sh", "-c", script, cwd=home / "build")
        said = result.stderr.decode()
        for refused in ("agentsh-init", "agentshd", "'bin'", "'../build'"):
            self.assertIn(refused, said)
        self.assertEqual(result.stdout.decode().splitlines()[0], "workspace is writable")
        self.assertIn(b"agentsh 0", result.stdout)
        for name in ("agentsh", "agentshd", "agentsh-init"):
            self.assertEqual((home / "build/bin" / name).read_bytes(), (original / name).read_bytes(), name)


if __name__ == "__main__":
    harness.main()
