"""What a policy can say about the network, and how it is changed and answered while programs run."""

import contextlib
import json
import signal
import socket
import subprocess
import threading
import time

import harness
import servers
from harness import OTHER4, WEB4

PATIENCE = 10


def policy(network, rest="", commands="  - {name: everything, decision: allow}"):
    return ("version: 1\nname: e2e\nfile_rules:\n"
            '  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}\n'
            f"network_rules:\n{network}\ncommand_rules:\n{commands}\n{rest}\n")


class FeatureTest(harness.ApplianceTest):
    def setUp(self):
        self.sid = self.create_session()

    def start(self, *command, **options):
        process = subprocess.Popen(
            self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", *map(str, command)]),
            cwd=self.workspace, env=self.appliance.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE)

    def status(self, url, *options):
        result = self.run_in(self.sid, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *options, url)
        return result.stdout.decode()


class NetworkRules(FeatureTest):
    policies = {"e2e": policy("""
  - {name: only-8443, domains: ["www.example.com"], ports: [8443, 80], decision: allow}
  - {name: by-address, cidrs: ["11.22.33.11/32", "2600:11:22::/48"], ports: [80], decision: allow}
  - {name: private, cidrs: ["10.9.0.0/16"], decision: allow}
  - {name: other-private, cidrs: ["10.8.0.0/16"], decision: deny}
  - {name: pinned, domains: ["stream.example.com"], tls: passthrough, decision: allow}
  - {name: opened, domains: ["ws.example.com", "v4.example.com"], decision: audit}
""")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with contextlib.suppress(subprocess.CalledProcessError):
            harness.run("ip", "addr", "add", "10.9.0.1/32", "dev", "internet")

    def reply(self, text):
        def handler(connection):
            servers.read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        return handler

    def test_ports(self):
        self.assertEqual(self.status("http://www.example.com/"), "200")
        with servers.Server(self.reply(b"hi"), port=8443, tls=self.world.good):
            self.assertEqual(self.status("https://www.example.com:8443/"), "200")
        self.assertEqual(self.status("https://www.example.com/"), "403")
        refused = self.run_in(self.sid, "curl", "-sS", "https://www.example.com/")
        self.assertIn(b"default-deny-network", refused.stdout)

    def test_networks(self):
        self.assertEqual(self.status(f"http://{OTHER4}/"), "200")
        self.assertEqual(self.status(f"http://[{harness.WEB6}]/"), "200")
        self.assertIn(self.status(f"https://{OTHER4}/", "-k"), ("000", "403"))
        self.assertIn(self.status(f"http://{WEB4}/"), ("000", "403"))
        with servers.Server(self.reply(b"hi"), address="10.9.0.1") as server:
            self.assertEqual(self.status(f"http://10.9.0.1:{server.port}/"), "200")
        self.assertIn(self.status("http://10.8.0.1/", "--max-time", "5"), ("000", "403"))

    def test_a_denied_network_is_answered_at_once(self):
        # With eBPF by the kernel, so connect() itself fails; else by the proxy, which ends the connection.
        program = """
import socket, time
start = time.monotonic()
s = socket.socket()
s.settimeout(5)
try:
    s.connect(("10.8.0.1", 5432))
    how = "accepted" if s.recv(1) else "ended"
except (PermissionError, ConnectionRefusedError):
    how = "refused"
except ConnectionResetError:
    how = "ended"
print(how, time.monotonic() - start < 2)
"""
        by_kernel = "redirect by ebpf" in self.appliance.log_text()
        self.assertEqual(self.assert_runs(self.sid, "/usr/bin/python3", "-c", program),
                         b"refused True\n" if by_kernel else b"ended True\n")
        harness.wait_until(lambda: "other-private" in [e.get("policy", {}).get("rule") for e in self.events(self.sid)],
                           "the refusal is recorded")

    def test_passed_through_the_client_sees_the_origins_certificate(self):
        def issuer(name, port=443):
            script = f"openssl s_client -connect {name}:{port} -servername {name} </dev/null"
            output = self.shell(self.sid, script).stdout
            return [line for line in output.decode().splitlines() if line.startswith("issuer=")][0]

        with servers.Server(self.reply(b"pinned"), tls=self.world.good) as server:
            self.assertIn("Test internet CA", issuer("stream.example.com", server.port))
            self.assertEqual(self.run_in(self.sid, "curl", "-sSk", f"https://stream.example.com:{server.port}/").stdout,
                             b"pinned")
            # Another name inside is not what the rule opened.
            other = self.run_in(self.sid, "curl", "-sSk", "--connect-to",
                                f"denied.example.org:{server.port}:stream.example.com:{server.port}",
                                f"https://denied.example.org:{server.port}/")
            self.assertNotIn(b"pinned", other.stdout)
        self.assertNotIn("Test internet CA", issuer("ws.example.com"))
        self.assertFalse([e for e in self.events(self.sid)
                          if e["type"] == "tls_intercept" and e.get("domain") == "stream.example.com"])

    def test_audit_allows_and_records(self):
        self.assertEqual(self.status("https://v4.example.com/"), "200")
        found = [e for e in self.events(self.sid, "--type", "net_connect") if e.get("domain") == "v4.example.com"]
        self.assertEqual((found[0]["policy"]["decision"], found[0]["policy"]["effective_decision"]), ("audit", "allow"))


class Redirects(FeatureTest):
    policies = {"e2e": policy("""
  - {name: example, domains: ["*.example.com", "api.vendor.example"], decision: allow}
  - {name: elsewhere, cidrs: ["11.22.33.11/32"], decision: allow}
""", """
dns_redirects:
  - {name: staging, match: '^api\\.vendor\\.example$', resolve_to: 11.22.33.11}
connect_redirects:
  - {name: mirror, match: '^v4\\.example\\.com:443$', redirect_to: "stream.example.com:8444",
     tls: {mode: rewrite_sni, sni: stream.example.com}}
  - {name: plain-mirror, match: '^registry\\.example\\.com:80$', redirect_to: "stream.example.com:8445", visibility: warn,
     message: "The registry is answered by the mirror."}
  - {name: nowhere, match: '^git\\.example\\.com:80$', redirect_to: "missing.example.com:80"}
""")}

    def reply(self, heads):
        def handler(connection):
            heads.append(servers.read_head(connection))
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nmirror")
        return handler

    def test_names(self):
        output = self.assert_runs(self.sid, "curl", "-sS", "http://api.vendor.example/echo")
        self.assertEqual(output.split()[2], b"api.vendor.example")
        answer = self.assert_runs(self.sid, "getent", "ahostsv4", "api.vendor.example")
        self.assertEqual(answer.split()[0], OTHER4.encode())
        redirected = [e for e in self.events(self.sid) if e["type"] == "dns_redirect"]
        self.assertEqual((redirected[0]["fields"]["original_host"], redirected[0]["fields"]["resolved_to"]),
                         ("api.vendor.example", OTHER4))

    def test_connections_under_another_name(self):
        heads = []
        with servers.Server(self.reply(heads), port=8444, tls=self.world.good):
            self.assertEqual(self.assert_runs(self.sid, "curl", "-sS", "https://v4.example.com/package"), b"mirror")
        self.assertTrue(heads[0].startswith("GET /package HTTP/1.1\r\n"))
        event = [e for e in self.events(self.sid) if e["type"] == "net_connect"][0]
        self.assertEqual(event["policy"]["rule"], "mirror")
        self.assertEqual(event["fields"]["redirect_to"], "stream.example.com:8444")

    def test_plain_connections(self):
        heads = []
        with servers.Server(self.reply(heads), port=8445):
            self.assertEqual(self.assert_runs(self.sid, "curl", "-sS", "http://registry.example.com/"), b"mirror")
            proxy = self.appliance.json("session", "info", self.sid)["proxy_url"]
            output = self.assert_runs(self.sid, "curl", "-sS", "--proxy", proxy, "http://registry.example.com/")
            self.assertEqual(output, b"mirror")

    def test_a_redirect_that_leads_nowhere_is_a_denial(self):
        result = self.run_in(self.sid, "curl", "-sS", "http://git.example.com/")
        self.assertEqual(json.loads(result.stdout)["error"]["status"], 403)
        self.assertIn(b"nowhere", result.stdout)


APPROVALS = policy("""
  - {name: ask, domains: ["www.example.com"], decision: approve, message: "May it?"}
  - {name: ask-briefly, domains: ["v4.example.com"], decision: approve, timeout: 1s}
  - {name: raw, domains: ["stream.example.com"], decision: approve}
""", commands="""
  - {name: ask-rm, commands: [rm], decision: approve, message: "rm {{.Args}}?"}
  - {name: everything, decision: allow}
""")


class Approvals(FeatureTest):
    policies = {"e2e": APPROVALS}
    config = "approvals: {enabled: true, timeout: 30s}\n"

    def pending(self):
        return [one for one in self.appliance.json("approve", "list", "--json")["approvals"]
                if one["session_id"] == self.sid]

    def wait_for_one(self):
        harness.wait_until(self.pending, "something waits for an approval")
        return self.pending()[0]

    def resolve(self, one, *answer):
        result = self.appliance.cli("approve", "resolve", one["id"], *answer)
        self.assertEqual(result.returncode, 0, result)

    def test_a_request_is_held_and_released(self):
        for url in ("https://www.example.com/", "http://www.example.com/"):
            before = len(self.world.requests_seen())
            client = self.start("curl", "-sS", url)
            one = self.wait_for_one()
            self.assertEqual((one["kind"], one["rule"], one["message"]), ("network", "ask", "May it?"))
            self.assertIn("www.example.com", one["target"])
            self.assertIsNone(client.poll())
            self.assertEqual(len(self.world.requests_seen()), before)
            listed = self.appliance.cli("approve", "list").stdout.decode()
            self.assertIn(one["id"], listed)
            self.resolve(one, "--allow")
            self.assertEqual(client.wait(PATIENCE), 0)
            self.assertEqual(client.stdout.read(), b"hello\n")
        events = self.events(self.sid)
        kinds = [e["type"] for e in events]
        self.assertEqual((kinds.count("approval_requested"), kinds.count("approval_resolved")), (2, 2))
        settled = [e for e in events if e["type"] == "net_connect"][0]["policy"]
        self.assertEqual((settled["decision"], settled["effective_decision"]), ("approve", "allow"))

    def test_a_refusal_carries_its_reason(self):
        client = self.start("curl", "-sS", "https://www.example.com/")
        self.resolve(self.wait_for_one(), "--deny", "--reason", "not today")
        client.wait(PATIENCE)
        error = json.loads(client.stdout.read())["error"]
        self.assertEqual((error["status"], error["rule"]), (403, "ask"))
        self.assertIn("not today", json.dumps(error))

    def test_a_connection_is_held_and_released(self):
        program = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
print(s.makefile().readline(), end="")
"""
        with servers.Server(lambda connection: connection.sendall(b"welcome\n")) as server:
            client = self.start("/usr/bin/python3", "-c", program, "stream.example.com", server.port)
            one = self.wait_for_one()
            self.assertEqual(server.connections, 0)
            self.resolve(one, "--allow")
            client.wait(PATIENCE)
            self.assertEqual(client.stdout.read(), b"welcome\n")

    def test_a_command_is_held_and_released(self):
        target = self.workspace / "file"
        for answer, left in (("--deny", True), ("--allow", False)):
            self.shell(self.sid, "touch file")
            client = self.start("rm", "file")
            one = self.wait_for_one()
            self.assertEqual((one["kind"], one["message"]), ("command", "rm file?"))
            self.assertTrue(target.exists())
            self.resolve(one, answer)
            self.assertEqual(client.wait(PATIENCE), 126 if left else 0)
            self.assertEqual(target.exists(), left)

    def test_nobody_answers_in_time(self):
        started = time.monotonic()
        result = self.run_in(self.sid, "curl", "-sS", "https://v4.example.com/")
        self.assertEqual(json.loads(result.stdout)["error"]["rule"], "ask-briefly")
        self.assertLess(time.monotonic() - started, 5)
        resolved = [e for e in self.events(self.sid) if e["type"] == "approval_resolved"][0]
        self.assertEqual(resolved["fields"]["outcome"], "timed_out")
        self.assertEqual(self.pending(), [])

    def test_a_requester_that_left_is_not_asked_for(self):
        client = self.start("curl", "-sS", "https://www.example.com/")
        self.wait_for_one()
        client.terminate()
        client.wait(PATIENCE)
        harness.wait_until(lambda: not self.pending(), "the request is withdrawn")

    def test_the_requester_cannot_answer(self):
        client = self.start("curl", "-sS", "https://www.example.com/")
        one = self.wait_for_one()
        inside = self.run_in(self.sid, "env", f"AGENTSH_SERVER=unix:{self.appliance.socket}",
                             harness.Arguments.bin / "agentsh", "approve", "resolve", one["id"], "--allow")
        self.assertNotEqual(inside.returncode, 0)
        program = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
    print("connected")
except OSError: print("no way")
"""
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", program, self.appliance.socket)
        self.assertEqual(output, b"no way\n")
        self.assertIsNone(client.poll())
        self.assertEqual(self.pending()[0]["id"], one["id"])
        self.resolve(one, "--deny")


class NobodyToAsk(FeatureTest):
    policies = {"e2e": APPROVALS}

    def test_denied_at_once(self):
        started = time.monotonic()
        result = self.run_in(self.sid, "curl", "-sS", "https://www.example.com/")
        self.assertEqual(json.loads(result.stdout)["error"]["rule"], "ask")
        self.assertEqual(self.run_in(self.sid, "rm", "file").returncode, 126)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(self.appliance.json("approve", "list", "--json")["approvals"], [])


OPEN = policy('  - {name: open, domains: ["*.example.com"], decision: allow}')
CLOSED = policy('  - {name: closed, domains: ["www.example.com"], decision: deny, message: "Closed now."}\n'
                '  - {name: open, domains: ["*.example.com"], decision: allow}')


class Reload(FeatureTest):
    policies = {"e2e": OPEN}

    def setUp(self):
        self.write(OPEN)
        super().setUp()
        # The file of the test before may still be the one that is loaded.
        self.wait_for_rule("www.example.com:443", "open")

    def write(self, text):
        # As editors save: a new file in the place of the old one.
        file = self.appliance.policies / "e2e.yaml"
        temporary = file.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(file)

    def updates(self):
        return len(self.events(self.sid, "--type", "policy_updated"))

    def wait_for_rule(self, target, rule):
        """Until `rule` is what decides connections of the session to `target`."""

        def decides():
            question = ("--op", "connect", "--path", target, "--session", self.sid, "--json")
            return self.appliance.json("debug", "policy-test", *question)["rule"] == rule

        harness.wait_until(decides, f"{rule} decides {target}")

    def test_a_change_takes_effect_and_drops_nothing(self):
        go_on = threading.Event()

        def handler(connection):
            servers.read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            if go_on.wait(PATIENCE):
                connection.sendall(b"other")

        with servers.Server(handler, tls=self.world.good) as server:
            client = self.start("curl", "-sSN", f"https://www.example.com:{server.port}/")
            self.assertEqual(client.stdout.read(5), b"first")
            self.write(CLOSED)
            self.wait_for_rule("www.example.com:443", "closed")
            self.assertEqual(self.status("https://v4.example.com/"), "200")
            self.assertNotEqual(self.status("https://www.example.com/"), "200")
            go_on.set()
            self.assertEqual(client.wait(PATIENCE), 0)
            self.assertEqual(client.stdout.read(), b"other")
        self.write(OPEN)
        self.wait_for_rule("www.example.com:443", "open")
        harness.wait_until(lambda: self.updates() >= 2, "both changes are recorded")
        self.assertEqual(self.status("https://www.example.com/"), "200")

    def test_a_kept_connection_is_judged_anew(self):
        program = """
import http.client, sys
c = http.client.HTTPSConnection("www.example.com", timeout=20)
for line in sys.stdin:
    c.request("GET", "/")
    r = c.getresponse()
    r.read()
    print(r.status, flush=True)
"""
        client = self.start("/usr/bin/python3", "-c", program, stdin=subprocess.PIPE)
        client.stdin.write(b"\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), b"200\n")
        self.write(CLOSED)
        self.wait_for_rule("www.example.com:443", "closed")
        client.stdin.write(b"\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), b"403\n")

    def test_networks_change_too(self):
        # What the kernel answers alone has to follow.
        network = '  - {name: %s, cidrs: ["11.22.33.11/32"], decision: %s}'
        for name, decision, expected in (("one", "allow", "200"), ("two", "deny", None), ("three", "allow", "200")):
            self.write(policy(network % (name, decision)))
            self.wait_for_rule(f"{OTHER4}:80", name)
            harness.wait_until(lambda: self.updates() >= ("one", "two", "three").index(name) + 1, "it is recorded")
            status = self.status(f"http://{OTHER4}/", "--max-time", "5")
            self.assertIn(status, [expected] if expected else ["000", "403"])

    def test_a_signal(self):
        file = self.appliance.policies / "e2e.yaml"
        self.appliance.daemon.send_signal(signal.SIGHUP)
        self.assertEqual(self.status("https://www.example.com/"), "200")
        file.write_text(CLOSED)
        self.appliance.daemon.send_signal(signal.SIGHUP)
        self.wait_for_rule("www.example.com:443", "closed")
        self.assertNotEqual(self.status("https://www.example.com/"), "200")

    def test_a_bad_file_changes_nothing_and_is_told(self):
        before, updates = len(self.appliance.log_text()), self.updates()
        self.write(OPEN.replace("decision: allow", "decison: allow"))
        harness.wait_until(lambda: "keeps its old text" in self.appliance.log_text()[before:], "it is told")
        told = self.appliance.log_text()[before:]
        self.assertIn("decison", told)
        self.assertIn("did you mean", told.lower())
        self.assertEqual(self.status("https://www.example.com/"), "200")
        harness.wait_until(lambda: self.events(self.sid, "--type", "policy_rejected"), "it is recorded")
        rejected = self.events(self.sid, "--type", "policy_rejected")
        self.assertIn("decison", rejected[0]["fields"]["reason"])
        self.assertEqual(self.updates(), updates)
        # It is a file like any other for what starts now.
        result = self.appliance.cli("policy", "validate", self.appliance.policies / "e2e.yaml")
        self.assertNotEqual(result.returncode, 0)


class Ports(FeatureTest):
    """Ports of a session for the host, and of the host for a session."""

    policies = {"e2e": OPEN}

    def test_publish(self):
        (self.workspace / "index.html").write_text("inside\n")
        self.start("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "8000")
        result = self.appliance.cli("session", "publish", self.sid, "8000")
        self.assertEqual(result.returncode, 0, result)
        host, _, port = result.stdout.decode().strip().partition(":")
        self.assertEqual(host, "127.0.0.1")

        def fetch():
            return subprocess.run(["curl", "-sS", "--max-time", "5", f"http://127.0.0.1:{port}/"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

        harness.wait_until(lambda: fetch() == b"inside\n", "the session's server answers")
        # It ends with the session.
        self.appliance.cli("session", "destroy", self.sid)
        self.assertFalse(harness.listening("127.0.0.1", int(port)))

    def test_publish_under_a_chosen_port(self):
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        result = self.appliance.cli("session", "publish", self.sid, "8000", "--as", str(port))
        self.assertEqual(result.stdout.decode().strip(), f"127.0.0.1:{port}")
        again = self.appliance.cli("session", "publish", self.sid, "8001", "--as", str(port))
        self.assertNotEqual(again.returncode, 0)

    def test_ports_of_the_host(self):
        def handler(connection):
            connection.sendall(b"database\n")

        program = """
import socket, sys
for port in sys.argv[1:]:
    try:
        s = socket.create_connection(("127.0.0.1", int(port)), timeout=10)
        print(s.makefile().readline().strip() or "nothing")
    except OSError: print("refused")
"""
        local = {"handler": handler, "address": "127.0.0.1"}
        with servers.Server(**local) as named, servers.Server(**local) as other:
            # A session that was not given it has only a loopback of its own.
            output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", program, str(named.port))
            self.assertEqual(output, b"refused\n")
            sid = self.create_session("--host-port", str(named.port))
            output = self.assert_runs(sid, "/usr/bin/python3", "-c", program, str(named.port), str(other.port))
            self.assertEqual(output, b"database\nrefused\n")
            self.assertEqual(other.connections, 0)


class AuditBlock(FeatureTest):
    policies = {"e2e": policy('  - {name: open, domains: ["*.example.com"], decision: allow}',
                              "audit: {log_allowed: false, log_denied: true}")}

    def test_only_denials_are_recorded(self):
        self.assertEqual(self.status("https://www.example.com/"), "200")
        self.run_in(self.sid, "curl", "-sS", f"http://{OTHER4}/")
        decisions = [e["policy"]["decision"] for e in self.events(self.sid) if "policy" in e]
        self.assertIn("deny", decisions)
        self.assertNotIn("allow", decisions)


class VirtualWorkspace(FeatureTest):
    policies = {"e2e": OPEN}

    def test_workspace_under_its_virtual_name(self):
        sid = self.create_session("--virtual-paths")
        (self.workspace / "sub").mkdir(mode=0o777)
        self.assertEqual(self.assert_runs(sid, "pwd"), b"/workspace\n")
        # Where the client stands, by the name that commands see.
        for directory, seen in ((self.workspace, b"/workspace\n"), (self.workspace / "sub", b"/workspace/sub\n")):
            result = self.appliance.cli("exec", sid, "--", "sh", "-c", "pwd", cwd=directory)
            self.assertEqual(result.stdout, seen, result)
        self.assert_runs(sid, "sh", "-c", "echo text > /workspace/file; cat file")
        self.assertEqual((self.workspace / "file").read_text(), "text\n")
        info = self.appliance.json("session", "info", sid)
        self.assertEqual((info["workspace"], info["virtual_root"], info["cwd"]),
                         (str(self.workspace), "/workspace", "/workspace"))
        self.assert_runs(sid, "cd", "sub")
        self.assertEqual(self.appliance.json("session", "info", sid)["cwd"], "/workspace/sub")
        self.assertEqual(self.assert_runs(sid, "sh", "-c", "pwd"), b"/workspace/sub\n")


if __name__ == "__main__":
    harness.main()
