"""git over https and http from git http-backend behind nginx: clone, fetch, push."""

import os
import subprocess

import harness
import servers

harness.SITES.append(servers.git_site)

POLICY = harness.POLICY.replace("command_rules:", """command_rules:
  - {name: no-force-push, commands: [git], args_patterns: ["^push .*--force"], decision: deny,
     message: "Force pushes rewrite what others have. Push to a new branch."}""")


class Git(harness.ApplianceTest):
    policies = {"e2e": POLICY}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.big = os.urandom(6_000_000)
        files = {"README": b"read me\n", "src/big": cls.big}
        files.update({f"src/file{n}": b"%d\n" % n for n in range(200)})
        cls.origin = servers.git_repository(cls.world, "project", files)
        cls.shared = servers.git_repository(cls.world, "shared", {"README": b"shared\n"}, writable=True)

    def setUp(self):
        self.sid = self.create_session()

    def git(self, *arguments, **options):
        who = ("-c", "user.name=Agent", "-c", "user.email=agent@example.com")
        return self.assert_runs(self.sid, "git", *who, *arguments, **options)

    def test_clone_and_fetch(self):
        self.git("clone", "-q", "https://git.example.com/project.git", "clone")
        clone = self.workspace / "clone"
        self.assertEqual((clone / "src/big").read_bytes(), self.big)
        self.assertEqual(len(list((clone / "src").iterdir())), 201)
        self.git("-C", "clone", "fsck", "--strict")

        (self.origin / "later").write_text("later\n")
        servers.git("add", ".", cwd=self.origin)
        servers.git("commit", "-q", "-m", "second", cwd=self.origin)
        servers.git("push", "-q", "origin", "main", cwd=self.origin)
        self.git("-C", "clone", "fetch", "-q")
        self.assertEqual(self.git("-C", "clone", "rev-parse", "origin/main").decode().strip(),
                         servers.git("rev-parse", "main", cwd=self.origin))
        self.git("-C", "clone", "pull", "-q", "--ff-only")
        self.assertEqual((clone / "later").read_text(), "later\n")

    def test_clone_over_plain_http_and_shallow(self):
        self.git("clone", "-q", "http://git.example.com/project.git", "plain")
        self.assertEqual((self.workspace / "plain/src/big").read_bytes(), self.big)
        self.git("clone", "-q", "--depth", "1", "https://git.example.com/project.git", "shallow")
        self.assertEqual(self.git("-C", "shallow", "rev-list", "--count", "HEAD"), b"1\n")

    def test_push(self):
        self.git("clone", "-q", "https://git.example.com/shared.git", "work")
        work = self.workspace / "work"
        # More than http.postBuffer, so git sends it chunked without knowing its length.
        big = os.urandom(4_000_000)
        result = self.run_in(self.sid, "dd", f"of={work}/pushed", "status=none", input=big)
        self.assertEqual(result.returncode, 0, result)
        self.git("-C", "work", "add", ".")
        self.git("-C", "work", "commit", "-q", "-m", "from the sandbox")
        branch = f"agent-{self.sid}"
        self.git("-C", "work", "push", "-q", "origin", f"HEAD:{branch}")
        pushed = subprocess.run(["git", "-C", self.world.git / "shared.git", "cat-file", "blob", f"{branch}:pushed"],
                                stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(pushed, big)

    def test_a_server_that_refuses_a_push_is_heard(self):
        self.git("clone", "-q", "--depth", "1", "https://git.example.com/project.git", "work")
        self.git("-C", "work", "commit", "-q", "--allow-empty", "-m", "unwanted")
        result = self.run_in(self.sid, "git", "-C", "work", "push", "origin", "HEAD:unwanted")
        self.assertEqual(result.returncode, 128, result)
        self.assertIn(b"403", result.stderr)

    def test_what_policy_refuses_is_told(self):
        result = self.run_in(self.sid, "git", "push", "--force", "origin", "main")
        self.assertEqual(result.returncode, 126)
        self.assertIn(b"denied by rule no-force-push: Force pushes rewrite", result.stderr)
        result = self.run_in(self.sid, "git", "clone", "https://denied.example.org/project.git")
        self.assertEqual(result.returncode, 128)
        denied = [e for e in self.events(self.sid) if e.get("policy", {}).get("rule") == "no-denied"]
        self.assertTrue(denied)
        self.assertEqual(denied[0]["domain"], "denied.example.org")
        # An address says which host was meant by nothing but its certificate; the page says what to do.
        result = self.run_in(self.sid, "git", "clone", f"http://{harness.OTHER4}/project.git")
        self.assertIn(b"403", result.stderr)

    def test_events_name_each_request(self):
        self.git("clone", "-q", "--depth", "1", "https://git.example.com/project.git", "work")
        requests = [e for e in self.events(self.sid) if e["type"] == "net_http_request"]
        self.assertEqual([(e["fields"]["method"], e["fields"]["path"], e["fields"]["status"]) for e in requests][:2],
                         [("GET", "/project.git/info/refs", 200), ("POST", "/project.git/git-upload-pack", 200)])
        self.assertGreater(sum(e["fields"]["bytes_received"] for e in requests), len(self.big))


if __name__ == "__main__":
    harness.main()
