"""The control API: who may ask what, how wrong requests are answered, and that no session reaches it."""

import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import unittest

import harness
import raw_client

KEYS = {
    "admin": "admin-key-0123456789abcdef0123456789abcdef",
    "approver": "approver-key-0123456789abcdef0123456789",
    "agent": "agent-key-0123456789abcdef0123456789abcd",
    "nameless": "nameless-key-0123456789abcdef0123456789",
}
PORT = 18080
ADDRESS = ("127.0.0.1", PORT)
API = "/api/v1"


class ControlApi(harness.ApplianceTest):
    """One appliance with both listeners."""

    config = ("auth: {type: api_key, api_key: {keys_file: KEYS}}\n")

    @classmethod
    def setUpClass(cls):
        cls.world = harness.shared_world()
        directory = cls.world.directory / "keys"
        directory.mkdir(exist_ok=True)
        keys = directory / "keys.yaml"
        lines = [f"- {{id: {role}, key: {key}" + ("" if role == "nameless" else f", role: {role}") + "}"
                 for role, key in KEYS.items()]
        keys.write_text("\n".join(lines) + "\n")
        keys.chmod(0o600)
        if harness.Arguments.user:
            owner = pwd.getpwnam(harness.Arguments.user)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            os.chown(keys, owner.pw_uid, owner.pw_gid)
        config = cls.config.replace("KEYS", str(keys))
        cls.appliance = harness.Appliance(cls.world, harness.Arguments.user, cls.policies, config,
                                          server=cls.server_options())

    @classmethod
    def server_options(cls):
        return f", http: {{addr: '127.0.0.1:{PORT}', max_request_size: 64KB}}"

    def unix(self, method, path, body=None, **options):
        return raw_client.request(self.appliance.socket, method, path, body, **options)

    def tcp(self, method, path, body=None, key=None, **options):
        return raw_client.request(ADDRESS, method, path, body, key=key, **options)


class Roles(ControlApi):
    # Method, path, body, the least role (None: anybody may).
    TABLE = [
        ("GET", "/health", None, None),
        ("GET", "/ready", None, None),
        ("GET", "/metrics", None, None),
        ("GET", "/openapi.json", None, None),
        ("GET", f"{API}/sessions", None, "agent"),
        ("POST", f"{API}/sessions", {"workspace": "relative"}, "agent"),
        ("GET", f"{API}/sessions/none", None, "agent"),
        ("PATCH", f"{API}/sessions/none", {}, "agent"),
        ("DELETE", f"{API}/sessions/none", None, "agent"),
        ("POST", f"{API}/sessions/none/exec", {"command": "true"}, "agent"),
        ("POST", f"{API}/sessions/none/kill/cmd-1", None, "agent"),
        ("GET", f"{API}/sessions/none/output/cmd-1", None, "agent"),
        ("GET", f"{API}/sessions/none/history", None, "agent"),
        ("GET", f"{API}/sessions/none/events", None, "agent"),
        ("GET", f"{API}/sessions/none/stats", None, "agent"),
        ("GET", f"{API}/events/search?limit=1", None, "agent"),
        ("POST", f"{API}/policy/test", {"operation": "dns", "path": "example.com"}, "agent"),
        ("GET", f"{API}/ca", None, "agent"),
        ("POST", f"{API}/sessions/none/publish", {"port": 1}, "approver"),
        ("GET", f"{API}/approvals", None, "approver"),
        ("POST", f"{API}/approvals/none", {"decision": "deny"}, "approver"),
        ("GET", f"{API}/policies", None, "admin"),
        ("GET", f"{API}/policies/e2e", None, "admin"),
        ("POST", f"{API}/policies/validate", b"version: 1\nname: x\n", "admin"),
    ]
    RANK = {None: 0, "nameless": 1, "agent": 1, "approver": 2, "admin": 3}

    def test_every_path_asks_for_its_role(self):
        for method, path, body, least in self.TABLE:
            for holder in (None, "nameless", "agent", "approver", "admin"):
                answer = self.tcp(method, path, body, key=KEYS.get(holder))
                name = f"{method} {path} by {holder}: {answer}"
                if self.RANK[holder] >= self.RANK[least]:
                    self.assertNotIn(answer.status, (401, 403, 405), name)
                elif holder is None:
                    self.assertEqual(answer.status, 401, name)
                else:
                    self.assertEqual(answer.status, 403, name)
                    self.assertIn("role", answer.json()["error"], name)

    def test_the_table_is_complete(self):
        """What the server says it serves is what is tested here."""
        served = set()
        for path, methods in self.tcp("GET", "/openapi.json").json()["paths"].items():
            for method, about in methods.items():
                if "x-role" in about:
                    served.add((method.upper(), path.count("/"), about["x-role"]))
        tested = {(method, path.partition("?")[0].count("/"), least or "none") for method, path, _, least in self.TABLE}
        self.assertLessEqual(tested, served | {("GET", 1, "none")})

    def test_wrong_keys_are_nobody(self):
        for key in ("wrong", KEYS["admin"][:-1], KEYS["admin"] + "x", "a" * 5000):
            self.assertEqual(self.tcp("GET", f"{API}/sessions", key=key).status, 401)
        twice = self.tcp("GET", f"{API}/sessions", key="wrong", headers=[f"X-API-Key: {KEYS['admin']}"])
        self.assertEqual(twice.status, 401, "the first of two keys counts")

    def test_what_documented_paths_answer(self):
        self.assertEqual(self.tcp("GET", "/health").body, b"ok\n")
        self.assertEqual(self.tcp("GET", "/ready").body, b"ready\n")
        metrics = self.tcp("GET", "/metrics")
        self.assertIn(b"agentsh_sessions_active ", metrics.body)
        self.assertTrue(metrics.fields["content-type"].startswith("text/plain; version=0.0.4"))

        workspace = str(self.appliance.workspace())
        created = self.unix("POST", f"{API}/sessions", {"workspace": workspace, "policy": "e2e"})
        self.assertEqual(created.status, 201, created)
        session = created.json()
        for field in ("id", "state", "created_at", "workspace", "policy", "cwd", "proxy_url"):
            self.assertIn(field, session)
        self.assertEqual((session["state"], session["workspace"], session["cwd"]), ("ready", workspace, workspace))
        path = f"{API}/sessions/{session['id']}"
        self.assertIn(session["id"], [s["id"] for s in self.unix("GET", f"{API}/sessions").json()])
        patched = self.unix("PATCH", path, {"cwd": "/tmp", "env": {"COLOUR": "blue"}, "unset": ["PAGER"]})
        self.assertEqual(patched.json()["cwd"], "/tmp")
        ran = self.unix("POST", path + "/exec", {"command": "sh", "args": ["-c", "echo $COLOUR; pwd; exit 3"]})
        self.assertEqual(ran.status, 200, ran)
        document = ran.json()
        self.assertEqual((document["exit_code"], document["stdout"]), (3, "blue\n/tmp\n"))
        self.assertEqual(document["result"]["exit_code"], 3)
        self.assertEqual(document["session_id"], session["id"])
        denied = self.unix("POST", path + "/exec", {"command": "rm", "args": ["-rf", "x"]})
        self.assertEqual(denied.status, 403, denied)
        self.assertEqual(denied.json()["result"]["error"]["code"], "E_POLICY_DENIED")
        self.assertEqual(denied.json()["guidance"]["policy_rule"], "no-rm-rf")
        page = self.unix("GET", f"{path}/output/{document['command_id']}?stream=stdout&offset=1&limit=3").json()
        self.assertEqual((page["data"], page["offset"], page["has_more"]), ("lue", 1, True))
        history = self.unix("GET", path + "/history?type=command_started").json()
        self.assertEqual([e["type"] for e in history["events"]], ["command_started"])
        verdict = self.unix("POST", f"{API}/policy/test", {"session_id": session["id"], "operation": "connect",
                                                           "path": "www.example.com:443"}).json()
        self.assertEqual((verdict["decision"], verdict["rule"]), ("allow", "example"))
        killed = self.unix("POST", f"{path}/kill/none")
        self.assertEqual((killed.status, killed.json()["error"]), (404, "command not found: none"))
        self.assertEqual(self.unix("DELETE", path).status, 204)
        gone = self.unix("GET", path)
        self.assertEqual((gone.status, gone.json()["error"]), (404, "session not found: " + session["id"]))
        missing = self.unix("POST", path + "/exec", {"command": "true"})
        self.assertEqual((missing.status, missing.json()["error"]), (404, "session not found: " + session["id"]))

    def test_events_are_streamed(self):
        session = self.create_session()
        with raw_client.connect(self.appliance.socket) as client:
            client.sendall(f"GET {API}/sessions/{session}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            data = b""
            while b"event: ready" not in data:
                data += client.recv(4096)
            self.assertIn(b"content-type: text/event-stream", data.lower())
            self.run_in(session, "true")
            while b"command_finished" not in data:
                piece = client.recv(4096)
                self.assertTrue(piece, data)
                data += piece


class Malformed(ControlApi):
    def answer(self, data):
        return raw_client.send_raw(self.appliance.socket, data)

    def test_bad_framing_is_refused(self):
        start = f"POST {API}/sessions HTTP/1.1\r\nHost: x\r\n".encode()
        table = {
            "both lengths": start + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": start + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            "signed length": start + b"Content-Length: +5\r\n\r\nabcde",
            "huge length": start + b"Content-Length: 99999999999999999999999\r\n\r\n",
            "folded line": start + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
            "blank before colon": start + b"Content-Length : 2\r\n\r\n{}",
            "NUL": start + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
            "bare CR": start + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
            "bad chunk size": start + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
            "chunk too long": start + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
            "unknown coding": start + b"Transfer-Encoding: gzip\r\n\r\n",
            "no version": b"GET /health\r\n\r\n",
            "version 2": b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n",
            "no host": b"GET /health HTTP/1.1\r\n\r\n",
            "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,
            "endless header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 300_000,
            "many fields": b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
            "escaped NUL": b"GET /health%00 HTTP/1.1\r\nHost: x\r\n\r\n",
            "half an escape": b"GET /health%2 HTTP/1.1\r\nHost: x\r\n\r\n",
        }
        for name, data in table.items():
            answer = self.answer(data)
            self.assertIsNotNone(answer, name)
            self.assertIn(answer.status, (400, 411, 413, 414, 431, 501, 505), f"{name}: {answer}")
            self.assertTrue(answer.body, name)
        self.assertEqual(self.unix("GET", "/health").body, b"ok\n")

    def test_wrong_methods_and_paths(self):
        for method, path, status in (("PUT", f"{API}/sessions", 405), ("DELETE", "/health", 405),
                                     ("GET", f"{API}/nothing", 404), ("GET", "/", 404), ("GET", f"{API}/sessions/", 404),
                                     ("GET", f"{API}/../api/v1/sessions", 404), ("GET", "//health", 404),
                                     ("GET", f"{API}/sessions/..%2f..%2fetc", 404), ("BREW", "/health", 405)):
            answer = self.unix(method, path)
            self.assertEqual(answer.status, status, f"{method} {path}: {answer}")
            self.assertTrue(answer.json()["error"], path)

    def test_bodies_that_are_too_large(self):
        answer = self.unix("POST", f"{API}/sessions", b"x" * 100_000)
        self.assertEqual(answer.status, 413, answer)
        self.assertIn("65536 bytes", answer.json()["error"])
        chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
        answer = self.answer(f"POST {API}/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() +
                             chunk * 20)
        self.assertEqual(answer.status, 413, answer)

    def test_bad_json_and_bad_values(self):
        session = self.create_session()
        workspace = str(self.workspace)
        sessions, execute = f"{API}/sessions", f"{API}/sessions/{session}/exec"
        table = [
            (sessions, b"{", "JSON"), (sessions, b"[]", "object"), (sessions, b"\xff\xfe", ""),
            (sessions, b"[" * 60_000, ""), (sessions, b'{"a":' * 10_000, ""), (sessions, b"{} x", ""),
            (sessions, {}, "workspace"), (sessions, {"workspace": "relative"}, "absolute"),
            (sessions, {"workspace": workspace + "/../" + os.path.basename(workspace)}, "in truth"),
            (sessions, {"workspace": "/proc/self/cwd"}, "in truth"),
            (sessions, {"workspace": 5}, "workspace"), (sessions, {"workspace": workspace, "polizy": "x"}, "polizy"),
            (sessions, {"workspace": workspace, "policy": 5}, "policy"),
            (sessions, {"workspace": workspace, "id": "../../x"}, "id"),
            (sessions, {"workspace": workspace, "id": "a" * 129}, "id"),
            (sessions, {"workspace": workspace + "\0x"}, "NUL"),
            (sessions, {"workspace": workspace, "policy": "../../etc/passwd"}, "policy"),
            (sessions, {"workspace": workspace, "policy": "absent"}, "absent"),
            (sessions, {"workspace": "/nonexistent"}, "/nonexistent"),
            (sessions, {"workspace": workspace, "host_ports": [70000]}, "host_ports"),
            (sessions, {"workspace": workspace, "host_ports": "80"}, "host_ports"),
            (sessions, {"workspace": workspace, "real_paths": "yes"}, "real_paths"),
            (execute, {}, "command"), (execute, {"command": "a\0b"}, "NUL"), (execute, {"command": ["ls"]}, "command"),
            (execute, {"command": "ls", "args": "x"}, "args"), (execute, {"command": "ls", "args": [1]}, "args"),
            (execute, {"command": "ls", "timeout": "soon"}, "timeout"), (execute, {"command": "ls", "env": {"A=B": "c"}}, "env"),
            (execute, {"command": "ls", "timeout": 5}, "timeout"),
            (execute, {"command": "ls", "env": []}, "env"),
            (execute, {"command": "ls", "include_events": "loud"}, "include_events"),
            (execute, {"command": "ls", "unknown": 1}, "unknown"),
            (f"{API}/approvals/none", {"decision": "maybe"}, "decision"),
            (f"{API}/policy/test", {"operation": "fly", "path": "x"}, "operation"),
        ]
        for path, body, word in table:
            answer = self.unix("POST", path, body)
            self.assertIn(answer.status, (400, 403, 404), f"{path} {str(body)[:60]}: {answer}")
            self.assertIn(word, answer.json()["error"], f"{path} {str(body)[:60]}")
        for query in ("limit=x", "since=yesterday", "offset=-1", "limit=99999999999999999999999"):
            self.assertEqual(self.unix("GET", f"{API}/events/search?{query}").status, 400, query)
        self.assertEqual(self.shell(session, "echo alive").stdout, b"alive\n")

    def test_descriptors_that_nobody_asked_for(self):
        """Sent along with a request, they are closed again."""
        before = len(os.listdir(f"/proc/{self.appliance.daemon.pid}/fd"))
        for count in (1, 3, 60):
            with raw_client.connect(self.appliance.socket) as client, open("/dev/null") as null:
                data = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                socket.send_fds(client, [data], [null.fileno()] * count)
                answer = raw_client.read_answer(client)
                self.assertTrue(answer is None or answer.status == 400, answer)
        harness.wait_until(lambda: len(os.listdir(f"/proc/{self.appliance.daemon.pid}/fd")) <= before,
                           "the descriptors are closed")

    def test_a_request_that_never_ends_does_not_keep_others_waiting(self):
        with raw_client.connect(self.appliance.socket) as slow:
            slow.sendall(b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            self.assertEqual(self.unix("GET", "/health").status, 200)


class OtherUsers(ControlApi):
    def call_as(self, uid, path, method="GET"):
        program = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]);"
                   "s.sendall(('%s %s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n'"
                   " % (sys.argv[3], sys.argv[2])).encode());"
                   "print(b''.join(iter(lambda: s.recv(65536), b'')).decode())")
        return subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "/usr/bin/python3",
                               "-c", program, self.appliance.socket, path, method],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)

    def test_another_user_is_refused_by_the_socket(self):
        refused = self.call_as(12345, "/health")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"Permission", refused.stderr)

    def test_another_user_that_the_socket_lets_in_sees_nothing_of_ours(self):
        """permissions: 0666, for this test by chmod: the peer's uid decides what it may see and do."""
        session = self.create_session()
        run_directory = self.appliance.socket.parent
        os.chmod(run_directory, 0o711)
        os.chmod(self.appliance.home, 0o711)
        os.chmod(self.appliance.socket, 0o666)
        try:
            sessions = self.call_as(12345, f"{API}/sessions").stdout
            self.assertIn(b" 200 ", sessions)
            self.assertNotIn(session.encode(), sessions)
            for path, method in ((f"{API}/sessions/{session}", "GET"), (f"{API}/sessions/{session}", "DELETE"),
                                 (f"{API}/sessions/{session}/history", "GET"), (f"{API}/sessions/{session}/exec", "POST")):
                answer = self.call_as(12345, path, method).stdout
                self.assertRegex(answer, rb"HTTP/1.1 (404|400) ", (path, method))
            events = self.call_as(12345, f"{API}/events/search?limit=1000").stdout
            self.assertNotIn(session.encode(), events)
            for path, method in ((f"{API}/policies", "GET"), (f"{API}/events", "GET"), (f"{API}/ca/rotate", "POST")):
                self.assertIn(b"HTTP/1.1 403 ", self.call_as(12345, path, method).stdout)
        finally:
            os.chmod(self.appliance.socket, 0o600)
        self.assertIn(session, [s["id"] for s in self.unix("GET", f"{API}/sessions").json()])


class OverTls(ControlApi):
    """server.tls: the same API on the TCP port, and nothing but TLS there."""

    @classmethod
    def setUpClass(cls):
        world = harness.shared_world()
        cls.authority = world.authority.certificate
        directory = world.directory / "api-tls"
        directory.mkdir(exist_ok=True)
        cls.certificate, cls.key = directory / "cert.pem", directory / "key.pem"
        cls.put_certificate(world, "localhost")
        super().setUpClass()

    @classmethod
    def put_certificate(cls, world, name):
        certificate, key = world.authority.issue(f"api-{name}", [name])
        cls.certificate.write_bytes(certificate.read_bytes())
        cls.key.write_bytes(key.read_bytes())
        cls.key.chmod(0o600)
        if harness.Arguments.user:
            owner = pwd.getpwnam(harness.Arguments.user)
            for path in (cls.certificate, cls.key, cls.key.parent):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    @classmethod
    def server_options(cls):
        return super().server_options() + f", tls: {{enabled: true, cert_file: {cls.certificate}, key_file: {cls.key}}}"

    def curl(self, path, *options, name="localhost", key=KEYS["admin"]):
        return subprocess.run(["curl", "-sS", "--cacert", self.authority, "--resolve", f"{name}:{PORT}:127.0.0.1", "-H",
                               f"X-API-Key: {key}", *options, f"https://{name}:{PORT}{path}"], capture_output=True, timeout=20)

    def test_curl_with_the_authority(self):
        answer = self.curl("/health")
        self.assertEqual((answer.returncode, answer.stdout), (0, b"ok\n"), answer.stderr)
        session = self.create_session()
        self.assertIn(session, [s["id"] for s in json.loads(self.curl(f"{API}/sessions").stdout)])
        ran = self.curl(f"{API}/sessions/{session}/exec", "-d",
                        json.dumps({"command": "sh", "args": ["-c", "head -c 300000 /dev/zero | tr '\\0' x"]}))
        self.assertEqual(json.loads(ran.stdout)["exit_code"], 0, ran)
        large = self.curl(f"{API}/sessions", "--data-binary", "@/proc/self/exe")
        self.assertIn(b"65536 bytes", large.stdout)
        refused = self.curl(f"{API}/sessions", "-w", "%{http_code}", key="wrong")
        self.assertTrue(refused.stdout.endswith(b"401"), refused)

    def test_versions(self):
        for version, works in (("--tls-max=1.2", True), ("--tlsv1.3", True), ("--tls-max=1.1", False)):
            option, _, value = version.partition("=")
            answer = self.curl("/health", option, *([value] if value else []))
            self.assertEqual(answer.returncode == 0, works, (version, answer))

    def test_another_name_or_authority_is_the_clients_to_refuse(self):
        self.assertEqual(self.curl("/health", name="elsewhere.test").returncode, 60)
        self.assertEqual(subprocess.run(["curl", "-s", f"https://localhost:{PORT}/health"], timeout=20).returncode, 60)

    def test_a_plain_request_is_told(self):
        answer = self.tcp("GET", "/health")
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("TLS", answer.json()["error"])
        self.assertIn("https://", answer.json()["error"])
        for garbage in (b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x00" * 100, b"SSH-2.0-x\r\n"):
            with raw_client.connect(ADDRESS) as client:
                client.sendall(garbage)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
        self.assertEqual(self.curl("/health").stdout, b"ok\n")

    def test_events_are_streamed_and_a_slow_hello_keeps_nobody_waiting(self):
        session = self.create_session()
        with raw_client.connect(ADDRESS):
            stream = subprocess.Popen(["curl", "-sSN", "--cacert", self.authority, "-H", f"X-API-Key: {KEYS['admin']}",
                                       f"https://localhost:{PORT}{API}/sessions/{session}/events"], stdout=subprocess.PIPE)
            self.addCleanup(stream.stdout.close)
            self.addCleanup(stream.wait)
            self.addCleanup(stream.kill)
            self.assertTrue(any(b"ready" in line for line in iter(stream.stdout.readline, b"")))
            self.run_in(session, "true")
            self.assertTrue(any(b"command_finished" in line for line in iter(stream.stdout.readline, b"")))

    def test_a_renewed_certificate_is_read_on_sighup(self):
        self.put_certificate(self.world, "renewed.test")
        self.addCleanup(self.curl_until, "localhost")
        self.addCleanup(self.appliance.daemon.send_signal, signal.SIGHUP)
        self.addCleanup(self.put_certificate, self.world, "localhost")
        self.assertEqual(self.curl("/health").returncode, 0)
        self.appliance.daemon.send_signal(signal.SIGHUP)
        self.curl_until("renewed.test")
        # A bad one leaves the one before.
        self.key.write_text("no key")
        self.appliance.daemon.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: "the certificate before it stays" in self.appliance.log_text(), "the log says so")
        self.assertEqual(self.curl("/health", name="renewed.test").returncode, 0)

    def curl_until(self, name):
        harness.wait_until(lambda: self.curl("/health", name=name).returncode == 0, f"the certificate of {name}")


class FromInside(ControlApi):
    """Nothing of the control API is reachable from inside a session."""

    def test_the_unix_socket_is_not_in_view(self):
        session = self.create_session()
        program = ("import socket,sys\n"
                   "s = socket.socket(socket.AF_UNIX)\n"
                   "try: s.connect(sys.argv[1])\n"
                   "except OSError as e: print('refused', e.errno)\n"
                   "else: print('connected')")
        for path in (self.appliance.socket, f"/proc/1/root{self.appliance.socket}"):
            result = self.run_in(session, "/usr/bin/python3", "-c", program, str(path))
            self.assertTrue(result.stdout.startswith(b"refused"), (path, result))

    def test_tcp_is_refused(self):
        session = self.create_session()
        program = ("import socket,sys\n"
                   "s = socket.socket(socket.AF_INET); s.settimeout(5)\n"
                   "try:\n"
                   f"  s.connect((sys.argv[1], {PORT}))\n"
                   "  s.sendall(b'GET /health HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
                   "  print(s.recv(1000))\n"
                   "except OSError as e: print('refused', e)")
        for address in ("127.0.0.1", harness.WEB4, "0.0.0.0"):
            result = self.run_in(session, "/usr/bin/python3", "-c", program, address)
            self.assertNotIn(b"ok\\n", result.stdout, (address, result))
            self.assertNotIn(b"200 OK", result.stdout, (address, result))

    def test_the_client_inside_says_so(self):
        session = self.create_session()
        result = self.run_in(session, harness.Arguments.bin / "agentsh", "session", "list")
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn(session.encode(), result.stdout)

    def test_keys_and_state_are_masked(self):
        session = self.create_session()
        for path in (self.appliance.home / "state", self.appliance.config, self.world.directory / "keys/keys.yaml",
                     self.appliance.home / "state/audit.key"):
            result = self.run_in(session, "sh", "-c", 'cat "$0" 2>/dev/null; ls "$0" 2>/dev/null', str(path))
            self.assertNotIn(b"key", result.stdout, path)
            self.assertNotIn(b"audit", result.stdout, path)


if __name__ == "__main__":
    harness.main()
