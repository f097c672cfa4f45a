"""The audit trail: what events carry, how they are found, that no change of the log goes unseen, and a full disk."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import harness


def verify(appliance, directory=None, *options):
    state = appliance.home / "state"
    return appliance.cli("audit", "verify", "--dir", directory or state / "audit", "--key-file", state / "audit.key",
                         "--json", *options)


class Events(harness.ApplianceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.workspace = cls.appliance.workspace()
        created = cls.appliance.cli("session", "create", "--workspace", cls.workspace)
        cls.sid = created.stdout.decode().strip()
        script = ("curl -sS -d 12345 https://www.example.com/echo; curl -s http://denied.example.org/;"
                  "curl -s http://11.22.33.11/; curl -s http://www.example.com/; exit 3")
        cls.document = cls.appliance.json("exec", "--output", "json", "--events", "all", cls.sid, "--", "sh", "-c", script,
                                          cwd=cls.workspace)
        cls.refused = cls.appliance.json("exec", "--output", "json", cls.sid, "--", "rm", "-rf", "x", cwd=cls.workspace)
        cls.appliance.cli("session", "update", cls.sid, "--cwd", "/tmp", "--set-env", "TOKEN=secret")
        cls.appliance.cli("session", "destroy", cls.sid)
        cls.all = cls.appliance.events(cls.sid)

    def of_type(self, kind, **wanted):
        found = [e for e in self.all if e["type"] == kind and all(e.get(k) == v for k, v in wanted.items())]
        self.assertTrue(found, (kind, wanted, [e["type"] for e in self.all]))
        return found

    def test_network_events_name_session_command_and_program(self):
        for kind in ("dns_query", "net_connect", "net_close", "net_http_request", "tls_intercept"):
            for event in self.of_type(kind):
                self.assertEqual(event["session_id"], self.sid)
                self.assertEqual(event["command_id"], self.document["command_id"], event)
                self.assertEqual(event["program"], "curl", event)
                self.assertGreater(event["pid"], 1, event)

    def test_command_events_name_session_command_and_program(self):
        for kind in ("command_policy", "command_started", "command_finished"):
            event = self.of_type(kind, command_id=self.document["command_id"])[0]
            self.assertEqual((event["session_id"], event["program"]), (self.sid, "sh"), event)
            self.assertEqual(event["fields"]["command"], "sh")
            if kind != "command_policy":  # Then it does not run yet.
                self.assertGreater(event["pid"], 1, event)
        finished = self.of_type("command_finished", command_id=self.document["command_id"])[0]
        self.assertEqual(finished["fields"]["exit_code"], 3)
        refused = self.of_type("command_policy", command_id=self.refused["command_id"])[0]
        self.assertEqual((refused["policy"]["decision"], refused["policy"]["rule"], refused["program"]),
                         ("deny", "no-rm-rf", "rm"))

    def test_session_events(self):
        self.assertEqual(self.of_type("session_created")[0]["path"], str(self.workspace))
        updated = self.of_type("session_updated")[0]
        self.assertEqual((updated["fields"]["cwd"], updated["fields"]["env"]), ("/tmp", ["TOKEN"]))
        self.assertNotIn("secret", json.dumps(self.all))
        self.of_type("session_destroyed")

    def test_what_the_network_events_say(self):
        upload = self.of_type("net_http_request", domain="www.example.com", operation="POST")[0]
        self.assertEqual((upload["fields"]["status"], upload["fields"]["bytes_sent"]), (200, 5))
        close = [e for e in self.of_type("net_close") if e["pid"] == upload["pid"]][0]
        self.assertGreater(close["fields"]["bytes_sent"], 5)
        self.assertGreater(close["fields"]["bytes_received"], upload["fields"]["bytes_received"])
        intercept = self.of_type("tls_intercept")[0]
        self.assertEqual(intercept["fields"]["sni"], "www.example.com")
        denied_name = self.of_type("dns_query", domain="denied.example.org")[0]
        self.assertEqual(denied_name["policy"]["rule"], "no-denied")
        denied_address = [e for e in self.all if e.get("remote", "").startswith("11.22.33.11:")]
        self.assertIn("deny", [e["policy"]["decision"] for e in denied_address if "policy" in e])

    def test_the_document_of_exec_has_the_same_events(self):
        mine = [e["id"] for e in self.all if e.get("command_id") == self.document["command_id"]]
        document = [e["id"] for e in self.document["events"]]
        self.assertLessEqual(set(document), set(mine))
        self.assertEqual(len(document), len(set(document)))

    def query(self, *filters):
        result = self.appliance.cli("events", "query", "--session", self.sid, *filters)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_filters(self):
        everything = self.all
        self.assertEqual({e["type"] for e in self.query("--type", "dns_query,net_close")}, {"dns_query", "net_close"})
        self.assertEqual({e["policy"]["decision"] for e in self.query("--decision", "deny")}, {"deny"})
        self.assertEqual({e["domain"] for e in self.query("--domain-like", "denied%")}, {"denied.example.org"})
        self.assertTrue(all("11.22.33.11" in e.get("remote", "") + e.get("domain", "")
                            for e in self.query("--domain-like", "11.22.33.11")))
        self.assertEqual({e["path"] for e in self.query("--path-like", self.workspace.name)}, {str(self.workspace)})
        self.assertEqual({e["command_id"] for e in self.query("--text-like", "clean instead")},
                         {self.refused["command_id"]})
        newest = self.query("--order", "desc", "--limit", "3")
        self.assertEqual(newest, everything[:-4:-1])
        self.assertEqual(self.query("--offset", "2", "--limit", "3"), everything[2:5])
        moment = everything[4]["timestamp"]
        self.assertEqual(self.query("--since", moment), [e for e in everything if e["timestamp"] >= moment])
        self.assertEqual(self.query("--until", moment), [e for e in everything if e["timestamp"] <= moment])
        self.assertEqual(self.query("--since", "1h"), everything)
        self.assertEqual(self.query("--type", "no_such_type"), [])
        for wrong in (("--since", "noon"), ("--limit", "many"), ("--order", "sideways"), ("--offset", "-1")):
            result = self.appliance.cli("events", "query", *wrong)
            self.assertNotEqual(result.returncode, 0, wrong)
            self.assertIn(wrong[0][2:].encode(), result.stderr, wrong)

    def test_offline(self):
        result = self.appliance.cli("events", "query", "--direct-db", "--dir", self.appliance.home / "state/audit",
                                    "--session", self.sid, "--order", "asc", "--limit", "10000", "--output", "json")
        self.assertEqual([json.loads(line) for line in result.stdout.splitlines()], self.all, result.stderr)

    def test_tail(self):
        sid = self.create_session()
        process = self.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "events", "tail", sid]),
            env=self.appliance.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        other = self.create_session()

        # A tail that has not begun yet misses what happens before: so until it says something.
        def heard():
            import select
            self.assertEqual(self.appliance.cli("exec", sid, "--", "true").returncode, 0)
            self.appliance.cli("exec", other, "--", "true")
            return select.select([process.stdout], [], [], 0.2)[0]

        harness.wait_until(heard, "the tail hears something")
        lines = []
        while not lines or lines[-1]["type"] != "command_finished":
            lines.append(json.loads(process.stdout.readline()))
        self.assertEqual({e["session_id"] for e in lines}, {sid})
        process.terminate()
        process.stdout.close()


class Tampering(harness.ApplianceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        workspace = cls.appliance.workspace()
        sid = cls.appliance.cli("session", "create", "--workspace", workspace).stdout.decode().strip()
        for _ in range(4):
            cls.appliance.cli("exec", sid, "--", "true", cwd=workspace)
        cls.appliance.cli("session", "destroy", sid)

    def tampered(self, change):
        """A copy of the log whose lines `change` has changed, as `audit verify` sees it."""
        copy = pathlib.Path(tempfile.mkdtemp(dir=self.appliance.home))
        shutil.copytree(self.appliance.home / "state/audit", copy / "audit")
        segment = copy / "audit/audit-000001.jsonl"
        lines = segment.read_bytes().splitlines(keepends=True)
        self.assertGreater(len(lines), 8)
        change(lines)
        segment.write_bytes(b"".join(lines))
        if self.appliance.user:
            harness.run("chown", "-R", str(self.appliance.user.pw_uid), copy)
        result = verify(self.appliance, copy / "audit")
        shutil.rmtree(copy)
        report = json.loads(result.stdout)
        self.assertEqual(result.returncode, 0 if report["ok"] else 1)
        return report

    def test_the_log_as_it_is(self):
        report = self.tampered(lambda lines: None)
        self.assertTrue(report["ok"], report)
        self.assertGreater(report["entries"], 8)
        self.assertTrue(json.loads(verify(self.appliance).stdout)["ok"], "while it is written")

    def test_every_change_is_found(self):
        def change(old, new):
            def edit(lines):
                position = next(n for n, line in enumerate(lines) if old in line)
                lines[position] = lines[position].replace(old, new, 1)
            return edit

        def swap(lines):
            lines[2], lines[3] = lines[3], lines[2]

        changes = {
            "another rule": change(b'"everything"', b'"somethings"'),
            "another time": change(b'"timestamp":"20', b'"timestamp":"19'),
            "a field more": change(b'"source":', b'"x":1,"source":'),
            "a line removed": lambda lines: lines.pop(3),
            "the first line removed": lambda lines: lines.pop(0),
            "the last line removed": lambda lines: lines.pop(),
            "half of the last line": lambda lines: lines.append(lines.pop()[:40]),
            "the end cut off": lambda lines: lines.__delitem__(slice(4, None)),
            "all of it": lambda lines: lines.clear(),
            "lines swapped": swap,
            "a line twice": lambda lines: lines.insert(3, lines[3]),
            "a line of its own": lambda lines: lines.insert(3, b'{"type":"session_created"}\n'),
            "no JSON": lambda lines: lines.insert(3, b"\x00\xff{\n"),
        }
        for name, edit in changes.items():
            report = self.tampered(edit)
            self.assertFalse(report["ok"], name)
            finding = report["findings"][0]
            self.assertTrue(finding["what"] and finding["kind"], name)

    def test_another_key_and_no_key(self):
        key = self.appliance.home / "other.key"
        key.write_bytes(b"k" * 64)
        key.chmod(0o600)
        if self.appliance.user:
            harness.run("chown", str(self.appliance.user.pw_uid), key)
        result = self.appliance.cli("audit", "verify", "--dir", self.appliance.home / "state/audit", "--key-file", key)
        self.assertEqual(result.returncode, 1)
        result = self.appliance.cli("audit", "verify", "--dir", self.appliance.home / "state/audit", "--key-file", "/none")
        self.assertEqual((result.returncode, b"/none" in result.stderr), (2, True), result)


class Restart(harness.ApplianceTest):
    def test_the_index_is_made_again_from_the_log(self):
        sid = self.create_session()
        self.assert_runs(sid, "curl", "-sS", "http://www.example.com/")
        self.appliance.cli("session", "destroy", sid)
        before = self.events(sid)
        self.assertGreater(len(before), 6)
        self.appliance.daemon.terminate()
        self.assertEqual(self.appliance.daemon.wait(20), 0)
        removed = list((self.appliance.home / "state/audit").glob("audit-index.sqlite*"))
        self.assertTrue(removed)
        for path in removed:
            path.unlink()
        self.appliance.start()
        harness.wait_until(lambda: self.events(sid) == before, "the index has caught up", 10)

    def test_a_damaged_index_is_made_again(self):
        sid = self.create_session()
        self.appliance.cli("session", "destroy", sid)
        before = self.events(sid)
        self.appliance.daemon.terminate()
        self.assertEqual(self.appliance.daemon.wait(20), 0)
        for path in (self.appliance.home / "state/audit").glob("audit-index.sqlite*"):
            path.write_bytes(b"no database at all" * 1000)
        self.appliance.start()
        harness.wait_until(lambda: self.events(sid) == before, "the index has caught up", 10)

    def test_a_log_that_was_tampered_with_is_not_written_on(self):
        sid = self.create_session()
        self.appliance.cli("session", "destroy", sid)
        self.appliance.daemon.terminate()
        self.appliance.daemon.wait(20)
        segment = sorted((self.appliance.home / "state/audit").glob("audit-*.jsonl"))[-1]
        content = segment.read_bytes()
        lines = content.splitlines(keepends=True)
        segment.write_bytes(b"".join(lines[:-2]))
        try:
            with self.assertRaises(RuntimeError) as refused:
                self.appliance.start()
            self.assertRegex(str(refused.exception), r"audit")
            self.assertIn("audit verify", self.appliance.log_text())
        finally:
            segment.write_bytes(content)
        self.appliance.start()


class FullDisk(unittest.TestCase):
    """The audit directory on a filesystem that is full."""

    def appliance(self, on_write_error):
        world = harness.shared_world()
        place = pathlib.Path(tempfile.mkdtemp(dir=world.directory))
        place.chmod(0o755)
        harness.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", place)
        self.addCleanup(harness.run, "umount", "-l", place)
        appliance = harness.Appliance(world, harness.Arguments.user, None,
                                      f"audit: {{dir: {place}/audit, on_write_error: {on_write_error}, ring_size: 64KB}}\n")
        self.addCleanup(appliance.stop)
        self.key = appliance.home / "state/audit.key"
        return appliance, place

    def fill(self, place):
        filler = place / "filler"
        with open(filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        return filler

    def use_up_the_last_page(self, appliance, place, workspace, sid):
        """Events go where the last page of the log still has room, and that of what the index gives back; then none is."""
        def failing():
            self.fill(place)
            appliance.cli("exec", sid, "--", "true", cwd=workspace)
            return b"agentsh_audit_writing 0" in self.metrics(appliance)
        harness.wait_until(failing, "the disk refuses", 30)

    def metrics(self, appliance):
        import raw_client
        return raw_client.request(appliance.socket, "GET", "/metrics").body

    def session(self, appliance):
        workspace = appliance.workspace()
        created = appliance.cli("session", "create", "--workspace", workspace)
        self.assertEqual(created.returncode, 0, created.stderr)
        return workspace, created.stdout.decode().strip()

    def verified(self, appliance, place):
        result = appliance.cli("audit", "verify", "--dir", place / "audit", "--key-file", self.key)
        self.assertEqual(result.returncode, 0, result.stdout.decode())

    def test_deny(self):
        appliance, place = self.appliance("deny")
        workspace, sid = self.session(appliance)
        get = ("exec", sid, "--", "curl", "-sS", "-m", "10", "http://www.example.com/")
        self.assertEqual(appliance.cli(*get, cwd=workspace).stdout, b"hello\n")
        filler = self.fill(place)
        self.use_up_the_last_page(appliance, place, workspace, sid)
        ran = 0
        while ran < 20:
            refused = appliance.cli("exec", sid, "--", "echo", "ran", cwd=workspace)
            if refused.returncode != 0:
                break
            ran += 1
            self.fill(place)
        self.assertEqual((refused.returncode, refused.stdout), (126, b""), refused)
        self.assertIn(b"audit", refused.stderr)
        self.assertIn("No space left", appliance.log_text())
        filler.unlink()
        harness.wait_until(lambda: b"agentsh_audit_writing 1" in self.metrics(appliance), "the trail is written again", 20)
        harness.wait_until(lambda: appliance.cli(*get, cwd=workspace).stdout == b"hello\n", "everything works again", 20)
        kinds = [e["type"] for e in appliance.events("")]
        self.assertIn("audit_write_failed", kinds)
        started = [e for e in appliance.events(sid) if e["type"] == "command_started" and e["fields"]["command"] == "echo"]
        self.assertEqual(len(started), ran, "no command ran without its event")
        self.verified(appliance, place)

    def test_deny_holds_for_programs_that_run_already(self):
        appliance, place = self.appliance("deny")
        workspace, sid = self.session(appliance)
        # A name that is leased already, and a connection on which a request was answered already.
        script = ("import http.client, os, time\n"
                  "c = http.client.HTTPConnection('www.example.com', timeout=10)\n"
                  "c.connect(); address = c.sock.getpeername()[0]\n"
                  "c.request('GET', '/'); print(c.getresponse().read(), flush=True)\n"
                  "open('ready', 'w').close()\n"
                  "while not os.path.exists('go'): time.sleep(0.05)\n"
                  "def again(c):\n"
                  "  try: c.request('GET', '/', headers={'Host': 'www.example.com'}); r = c.getresponse(); print(r.status, r.read())\n"
                  "  except OSError as e: print(e)\n"
                  "again(c)\n"
                  "again(http.client.HTTPConnection(address, timeout=10))\n")
        process = harness.shared_world().processes.start(
            *appliance.as_user([harness.Arguments.bin / "agentsh", "exec", sid, "--", "/usr/bin/python3", "-c",
                                  script]),
            env=appliance.environment(), cwd=workspace, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        harness.wait_until((workspace / "ready").exists, "it runs")
        seen = len(harness.shared_world().requests_seen())
        self.fill(place)
        self.use_up_the_last_page(appliance, place, workspace, sid)
        (workspace / "go").touch()
        answers = process.communicate(timeout=30)[0].decode().splitlines()
        self.assertEqual(answers[0], "b'hello\\n'")
        self.assertEqual(len(answers), 3, answers)
        for answer in answers[1:]:
            self.assertTrue(answer.startswith("403") and "audit log" in answer, answers)
        self.assertEqual(len(harness.shared_world().requests_seen()), seen)

    def test_continue(self):
        appliance, place = self.appliance("continue")
        workspace, sid = self.session(appliance)
        filler = self.fill(place)
        self.use_up_the_last_page(appliance, place, workspace, sid)
        ran = appliance.cli("exec", sid, "--", "echo", "ran", cwd=workspace)
        self.assertEqual((ran.returncode, ran.stdout), (0, b"ran\n"), ran)
        self.assertIn("No space left", appliance.log_text())
        filler.unlink()
        harness.wait_until(lambda: b"agentsh_audit_writing 1" in self.metrics(appliance), "the trail is written again", 20)
        harness.wait_until(lambda: "audit_write_failed" in [e["type"] for e in appliance.events("")], "it tells so", 20)
        started = [e for e in appliance.events(sid) if e["type"] == "command_started" and e["fields"]["command"] == "echo"]
        self.assertEqual(len(started), 1, "what happened meanwhile is there")
        self.verified(appliance, place)


if __name__ == "__main__":
    harness.main()
