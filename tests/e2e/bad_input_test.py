"""Malformed input from inside a session, and malformed policies and configurations: a clear answer, an event, nothing of
it upstream, and the next request is served."""

import base64
import json
import os
import pathlib
import socket
import struct
import subprocess
import unittest

import faulty_server
import harness
from faulty_server import ADDRESS, NAME

harness.CLIENT_NAMES[NAME] = (ADDRESS, None)

# Sends each of the messages on standard input over a connection of its own (or as a datagram) and prints what came back.
SENDER = r"""
import base64, json, socket, ssl, sys
for line in sys.stdin:
    case = json.loads(line)
    data, got, end = base64.b64decode(case["data"]), b"", "close"
    if case["kind"] == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(data, (case["host"], case["port"]))
                got = s.recv(65536)
            except OSError as error: end = type(error).__name__
    else:
        try:
            with socket.create_connection((case["host"], case["port"]), timeout=5) as s:
                if case["kind"] == "tls":
                    s = ssl.create_default_context().wrap_socket(s, server_hostname=case["host"])
                try: s.sendall(data)
                except OSError: pass
                if case.get("finish"): s.shutdown(socket.SHUT_WR)
                while piece := s.recv(65536): got += piece
        except OSError as error: end = type(error).__name__
    print(json.dumps({"name": case["name"], "got": base64.b64encode(got).decode(), "end": end}), flush=True)
"""


class BadInput(harness.ApplianceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = faulty_server.shared()

    def setUp(self):
        self.sid = self.create_session()

    def send(self, cases):
        """`cases`: name -> (kind, host, port, data). Answers: name -> (bytes, how it ended)."""
        lines = [json.dumps({"name": name, "kind": kind, "host": host, "port": port,
                             "data": base64.b64encode(data).decode()}) for name, (kind, host, port, data) in cases.items()]
        result = self.run_in(self.sid, "/usr/bin/python3", "-c", SENDER, input="\n".join(lines).encode())
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([a["name"] for a in answers], list(cases), result.stderr.decode()[-2000:])
        return {a["name"]: (base64.b64decode(a["got"]), a["end"]) for a in answers}

    def assert_serves(self):
        self.assertEqual(self.run_in(self.sid, "curl", "-sS", f"http://{NAME}/good").stdout, b"good\n")
        self.assertIsNone(self.appliance.daemon.poll())


class Http(BadInput):
    @staticmethod
    def cases(host):
        post = b"POST /good?smuggled HTTP/1.1\r\nHost: " + host.encode() + b"\r\n"
        get = b"GET /good?smuggled HTTP/1.1\r\nHost: " + host.encode() + b"\r\n"
        tail = b"GET /good?smuggled HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"
        return {
            "both lengths": post + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + tail,
            "both lengths, other order": post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + tail,
            "two lengths": post + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + tail,
            "list of lengths": post + b"Content-Length: 0, 0\r\n\r\n" + tail,
            "signed length": post + b"Content-Length: +0\r\n\r\n" + tail,
            "hexadecimal length": post + b"Content-Length: 0x0\r\n\r\n" + tail,
            "length that overflows": post + b"Content-Length: 18446744073709551616\r\n\r\n" + tail,
            "chunked twice": post + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "chunked with a tab": post + b"Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n",
            "another coding": post + b"Transfer-Encoding: identity\r\n\r\n" + tail,
            "look-alike field": post + b"Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
            "named in Connection": post + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "folded": get + b"X: a\r\n\tb\r\n\r\n",
            "folded framing": post + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            "blank before the colon": post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "no colon": get + b"smuggled\r\n\r\n",
            "NUL in a value": get + b"X: a\0b\r\n\r\n",
            "NUL in the target": b"GET /good\0?smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
            "bare line feeds": b"GET /good?smuggled HTTP/1.1\nHost: x\n\n",
            "bare carriage return": get + b"X: a\rTransfer-Encoding: chunked\r\n\r\n",
            "huge field": get + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
            "huge target": b"GET /good?smuggled" + b"a" * 100_000 + b" HTTP/1.1\r\n",
            "a thousand fields": get + b"X: a\r\n" * 1000 + b"\r\n",
            "no host": b"GET /good?smuggled HTTP/1.1\r\n\r\n",
            "two hosts": get + b"Host: www.example.com\r\n\r\n",
            "host with a path": b"GET /good?smuggled HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "host with credentials": b"GET /good?smuggled HTTP/1.1\r\nHost: a@www.example.com\r\n\r\n",
            "other version": b"GET /good?smuggled HTTP/2.0\r\nHost: x\r\n\r\n",
            "version 1.9": b"GET /good?smuggled HTTP/1.9\r\nHost: x\r\n\r\n",
            "two blanks": b"GET  /good?smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
            "target of no kind": b"GET good?smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
            "CONNECT with a body": b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 4\r\n\r\nabcd",
            "HTTP/1.0 with chunks": b"POST /good?smuggled HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        }

    def check(self, kind, host, port):
        answers = self.send({name: (kind, host, port, data) for name, data in self.cases(host).items()})
        for name, (got, end) in answers.items():
            with self.subTest(name):
                self.assertRegex(got[:16], rb"^HTTP/1\.1 (400|411|414|421|431|501|505) ", (got, end))
                self.assertEqual(got.count(b"HTTP/1.1 "), 1, got)
                self.assertTrue(json.loads(got.partition(b"\r\n\r\n")[2])["error"]["message"])
                self.assertEqual(end, "close")
        events = self.events(self.sid, "--type", "net_http_request")
        failures = [e["fields"].get("failure") for e in events]
        self.assertEqual(len(failures), len(answers))
        self.assertTrue(all(failures), events)
        self.assertTrue(all(e["fields"]["status"] >= 400 for e in events))

    def test_in_clear_text(self):
        self.check("tcp", NAME, 80)
        self.assertNotIn(b"smuggled", self.server.all_received())
        self.assert_serves()

    def test_inside_tls(self):
        self.check("tls", "www.example.com", 443)
        self.assertFalse([line for line in self.world.requests_seen() if "smuggled" in line])
        self.assert_serves()

    def test_bodies_that_turn_bad_on_the_way(self):
        """The head is upstream already: what follows never is a whole request there."""
        start = b"POST /good?begun HTTP/1.1\r\nHost: " + NAME.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        rest = b"GET /good?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        answers = self.send({name: ("tcp", NAME, 80, start + data) for name, data in {
            "letters": b"ZZ\r\n" + rest, "minus": b"-1\r\n" + rest, "hexadecimal mark": b"0x5\r\nabcde\r\n" + rest,
            "overflow": b"FFFFFFFFFFFFFFFFF\r\n" + rest, "blank": b"5 5\r\nabcde\r\n" + rest, "longer": b"1\r\nabc\r\n" + rest,
            "bare line feed": b"5\nabcde\n0\n\n" + rest, "extension without end": b"5;" + b"a" * 100_000,
            "forbidden trailer": b"0\r\nContent-Length: 5\r\n\r\n" + rest, "trailers without end": b"0\r\n" + b"X: a\r\n" * 5000,
        }.items()})
        for name, (got, end) in answers.items():
            with self.subTest(name):
                self.assertTrue(got.startswith(b"HTTP/1.1 4") or end != "close" or not got, (got[:200], end))
                self.assertNotIn(b"HTTP/1.1 200", got)
        received = self.server.all_received()
        self.assertNotIn(b"smuggled", received)
        self.assert_serves()


class ClientHellos(BadInput):
    @staticmethod
    def hello(extensions=b"", version=b"\x03\x03", session=b"", suites=b"\x13\x01\x13\x02\x13\x03\xc0\x2f\xc0\x2b"):
        body = version + os.urandom(32) + bytes([len(session)]) + session
        body += struct.pack("!H", len(suites)) + suites + b"\x01\x00" + struct.pack("!H", len(extensions)) + extensions
        return b"\x01" + len(body).to_bytes(3, "big") + body

    @staticmethod
    def record(content, version=b"\x03\x01"):
        return b"\x16" + version + struct.pack("!H", len(content)) + content

    @staticmethod
    def extension(kind, data):
        return struct.pack("!HH", kind, len(data)) + data

    def sni(self, name, kind=0):
        entry = bytes([kind]) + struct.pack("!H", len(name)) + name
        return self.extension(0, struct.pack("!H", len(entry)) + entry)

    def test_refused_and_served_on(self):
        hello, record, sni = self.hello, self.record, self.sni
        whole = record(hello(sni(b"www.example.com")))
        cases = {
            "record of 64 KB": b"\x16\x03\x01\xff\xff" + b"\0" * 1000,
            "empty record": b"\x16\x03\x01\0\0" * 100,
            "hello of 16 MB": record(b"\x01\xff\xff\xff" + b"\0" * 1000),
            "another message": record(b"\x02" + hello()[1:]),
            "no hello in it": record(b"GET / HTTP/1.1\r\n\r\n"),
            "lengths that lie": record(b"\x01\0\0\x40\x03\x03" + b"\xff" * 60),
            "session id too long": record(hello(session=b"a" * 200)),
            "odd suites": record(hello(suites=b"\x13\x01\x13")),
            "extension beyond the end": record(hello(b"\0\0\xff\xff")),
            "server_name twice": record(hello(sni(b"www.example.com") + sni(b"denied.example.org"))),
            "two names in one": record(hello(self.extension(0, b"\x00\x18\x00\x00\x09a.example\x00\x00\x09b.example"))),
            "name with NUL": record(hello(sni(b"www.example.com\0.denied.example.org"))),
            "name with blanks": record(hello(sni(b"www.example.com denied"))),
            "empty name": record(hello(sni(b""))),
            "name of 60 KB in many records": b"".join(
                record(part) for part in [hello(sni(b"a" * 60000))[i:i + 16000] for i in range(0, 60000, 16000)]),
            "cut short": whole[:40],
            "other version of the record": record(hello(sni(b"www.example.com")), b"\x09\x09"),
            "SSL 2": b"\x80\x2e\x01\x03\x03\x00\x15\x00\x00\x00\x10" + b"\x01\x00\x80" * 7 + os.urandom(16),
            "alert first": b"\x15\x03\x01\x00\x02\x01\x5a" + whole,
            "change cipher spec first": b"\x14\x03\x01\x00\x01\x01" + whole,
            "old TLS only": record(hello(sni(b"www.example.com"), b"\x03\x01")),
        }
        lines = [json.dumps({"name": name, "kind": "tcp", "host": "www.example.com", "port": 443, "finish": True,
                             "data": base64.b64encode(data).decode()}) for name, data in cases.items()]
        result = self.run_in(self.sid, "/usr/bin/python3", "-c", SENDER, input="\n".join(lines).encode())
        answers = {a["name"]: a for a in map(json.loads, result.stdout.splitlines())}
        self.assertEqual(list(answers), list(cases), result.stderr)
        for name, answer in answers.items():
            with self.subTest(name):
                got = base64.b64decode(answer["got"])
                # Nothing, or an alert: never a handshake that goes on.
                self.assertTrue(got == b"" or got[0] == 0x15, (got[:100], answer["end"]))
                self.assertIn(answer["end"], ("close", "ConnectionResetError"))
        denied = [e for e in self.events(self.sid) if e.get("policy", {}).get("decision") == "deny" or
                  e["type"] == "tls_intercept" and "error" in json.dumps(e["fields"])]
        self.assertGreaterEqual(len(denied), len(cases), [e["type"] for e in self.events(self.sid)])
        self.assertIn("malformed-client-hello", {e.get("policy", {}).get("rule") for e in denied})
        self.assertEqual(self.run_in(self.sid, "curl", "-sS", "https://www.example.com/").stdout, b"hello\n")

    def test_a_hello_byte_by_byte(self):
        program = ("import socket, ssl\n"
                   "class Slow(socket.socket):\n"
                   "  pass\n"
                   "context = ssl.create_default_context()\n"
                   "incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()\n"
                   "tls = context.wrap_bio(incoming, outgoing, server_hostname='www.example.com')\n"
                   "s = socket.create_connection(('www.example.com', 443), timeout=10)\n"
                   "s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
                   "while True:\n"
                   "  try: tls.do_handshake(); break\n"
                   "  except ssl.SSLWantReadError:\n"
                   "    for byte in outgoing.read(): s.send(bytes([byte]))\n"
                   "    incoming.write(s.recv(65536))\n"
                   "print(tls.version(), tls.getpeercert()['subjectAltName'])\n")
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", program)
        self.assertIn(b"www.example.com", output)


class Dns(BadInput):
    def test_malformed_queries(self):
        resolver = self.shell(self.sid, "sed -n 's/^nameserver //p' /etc/resolv.conf | head -1").stdout.decode().strip()
        self.assertTrue(resolver)
        name = b"\x03www\x07example\x03com\0"
        header = lambda flags=0x0100, counts=(1, 0, 0, 0): struct.pack("!HHHHHH", 0x1234, flags, *counts)
        question = name + b"\0\x01\0\x01"
        cases = {
            "empty": b"", "one byte": b"\0", "half a header": b"\x12\x34\x01\0\0\x01", "no question": header(),
            "no question announced": header(counts=(0, 0, 0, 0)), "65535 questions": header(counts=(65535, 0, 0, 0)) + question,
            "two questions": header(counts=(2, 0, 0, 0)) + question * 2,
            "pointer to itself": header() + b"\xc0\x0c\0\x01\0\x01", "pointer beyond": header() + b"\xff\xff\0\x01\0\x01",
            "pointer chain": header() + b"\xc0\x0e\xc0\x0c\0\x01\0\x01", "label of 64": header() + b"\x40" + b"a" * 64 + b"\0\0\x01\0\x01",
            "reserved label": header() + b"\x80abc\0\0\x01\0\x01", "name of 300": header() + (b"\x3f" + b"a" * 63) * 5 + b"\0\0\x01\0\x01",
            "name without end": header() + b"\x03www", "NUL in a label": header() + b"\x05ww\0ww\x07example\x03com\0\0\x01\0\x01",
            "no class": header() + name + b"\0\x01", "bytes behind": header() + question + b"x" * 50,
            "an answer": header(0x8180) + question, "opcode update": header(0x2800) + question,
            "opcode 15": header(0x7800) + question, "class chaos": header() + name + b"\0\x01\0\x03",
            "type any": header() + name + b"\0\xff\0\x01", "zone transfer": header() + name + b"\0\xfc\0\x01",
            "records that are none": header(counts=(1, 9, 9, 9)) + question, "garbage": os.urandom(500), "64 KB": os.urandom(60000),
        }
        answers = self.send({n: ("udp", resolver, 53, data) for n, data in cases.items()})
        for n, (got, end) in answers.items():
            with self.subTest(n):
                if got:
                    self.assertGreaterEqual(len(got), 12)
                    self.assertEqual(got[:2], cases[n][:2], "the same id")
                    self.assertTrue(got[2] & 0x80, "an answer")
                    # No addresses; RFC 8482 answers a question for anything with a record that says nothing.
                    self.assertTrue(got[3] & 15 or got[6:8] == b"\0\0" or b"RFC8482" in got, (n, got))
        prefixed = {n: ("tcp", resolver, 53, data) for n, data in {
            "length 0": b"\0\0", "half a length": b"\0", "length 65535 and nothing": b"\xff\xff",
            "length too short": struct.pack("!H", 5) + header() + question, "garbage": b"\x01\xf4" + os.urandom(500)}.items()}
        lines = [json.dumps({"name": n, "kind": kind, "host": host, "port": port, "finish": True,
                             "data": base64.b64encode(data).decode()}) for n, (kind, host, port, data) in prefixed.items()]
        result = self.run_in(self.sid, "/usr/bin/python3", "-c", SENDER, input="\n".join(lines).encode())
        self.assertEqual(len(result.stdout.splitlines()), len(prefixed), result.stderr)
        self.assertIn("dns_malformed", [e["type"] for e in self.events(self.sid)])
        self.assert_serves()


class PoliciesAndConfigurations(harness.ApplianceTest):
    def test_policies_are_refused_with_file_line_and_key(self):
        cases = {
            "tabs": ("version: 1\n\tname: x\n", "2"), "no map": ("- a\n", ""), "unknown key": ("version: 1\nname: x\nfile_rulez: []\n", "file_rules"),
            "duplicate key": ("version: 1\nname: x\nname: y\n", "3"), "unknown decision": (
                "version: 1\nname: x\nnetwork_rules:\n  - {name: a, domains: [a.example], decision: alow}\n", "allow"),
            "bad CIDR": ("version: 1\nname: x\nnetwork_rules:\n  - {name: a, cidrs: [10.0.0.0/33], decision: allow}\n", "10.0.0.0/33"),
            "bad port": ("version: 1\nname: x\nnetwork_rules:\n  - {name: a, domains: [a], ports: [70000], decision: allow}\n", "70000"),
            "binary": ("\x00\x01\x02", ""), "deep": ("a: " + "[" * 5000, ""), "anchors": (
                "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n", ""),
        }
        for name, (text, word) in cases.items():
            with self.subTest(name):
                path = self.appliance.policies / "bad.yaml"
                path.write_text(text)
                result = self.appliance.cli("policy", "validate", path)
                said = (result.stdout + result.stderr).decode()
                self.assertIn(result.returncode, (1, 2), said)
                self.assertIn("bad.yaml", said)
                self.assertIn(word, said)
                created = self.appliance.cli("session", "create", "--workspace", self.appliance.workspace(), "--policy", "bad")
                self.assertNotEqual(created.returncode, 0)
                self.assertIn(b"bad.yaml", created.stderr)
                path.unlink()
        # Variables have values only in a session.
        path = self.appliance.policies / "bad.yaml"
        path.write_text("version: 1\nname: bad\nfile_rules:\n"
                        "  - {name: a, paths: ['${NOWHERE}/x'], operations: [read], decision: allow}\n")
        created = self.appliance.cli("session", "create", "--workspace", self.appliance.workspace(), "--policy", "bad")
        self.assertNotEqual(created.returncode, 0)
        self.assertIn(b"NOWHERE", created.stderr)
        path.unlink()
        self.create_session()

    def test_a_bad_new_policy_keeps_the_old_one(self):
        path = self.appliance.policies / "changing.yaml"
        path.write_text(harness.POLICY.replace("name: e2e", "name: changing"))
        sid = self.create_session("--policy", "changing")
        denied = self.run_in(sid, "rm", "-rf", "x")
        self.assertEqual(denied.returncode, 126)
        path.write_text("version: 1\nname: changing\ncommand_rulez: []\n")
        self.appliance.daemon.send_signal(1)
        harness.wait_until(lambda: "keeps its old text" in self.appliance.log_text(), "the daemon says so")
        self.assertIn("command_rulez", self.appliance.log_text())
        self.assertEqual(self.run_in(sid, "rm", "-rf", "x").returncode, 126)
        self.assertEqual(self.shell(sid, "echo works").stdout, b"works\n")

    def test_configurations_are_refused_with_file_line_and_key(self):
        cases = {
            "server: {state_dirr: /x}\n": "state_dir", "server: [\n": "", "security: {mode: landlock}\n": "landlock-only",
            "security: {mode: minimal, minimum_mode: landlock-only}\n": "security.minimum_mode", "server: {tls: {enabled: true}}\n": "cert_file",
            "dlp: {mode: shred}\n": "dlp.mode", "dlp: {detectors: {emial: audit}}\n": 'did you mean "email"',
            "dlp: {custom_patterns: [{name: a, regex: '('}]}\n": "custom_patterns", "proxy: {providers: {x: ftp://y}}\n": "providers",
            "server: {http: {addr: '127.0.0.1:1'}}\n": "auth.type", "audit: {on_write_error: shrug}\n": "on_write_error",
            "auth: {type: api_key, api_key: {keys_file: /none}}\n": "/none", "server: {state_dir: /a}\nserver: {state_dir: /b}\n": "server",
            "sandbox: {network: {intercept_mode: magic}}\n": "intercept_mode", "sandbox: {network: {resolvers: ['no address']}}\n": "resolvers",
            "sandbox: {network: {upstream_ca_files: [/no/such/file]}}\n": "/no/such/file",
        }
        for text, word in cases.items():
            with self.subTest(text):
                path = self.appliance.home / "bad-config.yaml"
                state = self.appliance.home / "bad-state"
                path.write_text(text)
                environment = dict(self.appliance.environment(), AGENTSH_DATA_DIR=str(state))
                result = subprocess.run(
                    self.appliance.as_user([harness.Arguments.bin / "agentshd", "server", "--config", path]),
                    env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
                self.assertNotEqual(result.returncode, 0, result.stdout)
                self.assertGreater(result.returncode, 0, "no signal")
                self.assertIn(word, result.stdout.decode())


class WithoutNamespaces(unittest.TestCase):
    """Hosts that lack what a session is made of: refused with a sentence, never run without it unless asked to."""

    def start(self, user, prefix, config=""):
        appliance = harness.Appliance(harness.shared_world(), user, config=config, prefix=prefix)
        self.addCleanup(appliance.stop)
        if user:  # Clients come from the same user namespace, or the daemon cannot see who they are.
            as_user = appliance.as_user
            appliance.as_user = lambda command: ["nsenter", "--user", "--target", str(appliance.daemon.pid),
                                                 *as_user(command)]
        return appliance

    def refused(self, user, prefix, words):
        appliance = self.start(user, prefix)
        created = appliance.cli("session", "create", "--workspace", appliance.workspace())
        self.assertNotEqual(created.returncode, 0, created.stdout)
        for word in words:
            self.assertIn(word, created.stderr.decode())
        self.assertEqual(appliance.json("session", "list"), [])
        ran = appliance.cli("exec", "fresh", "--", "echo", "ran", cwd=appliance.workspace())
        self.assertNotEqual(ran.returncode, 0)
        self.assertNotIn(b"ran", ran.stdout)
        self.assertIsNone(appliance.daemon.poll())

    def runs_in_mode(self, mode, user, prefix):
        appliance = self.start(user, prefix, config=f"security: {{mode: {mode}}}\n")
        created = appliance.cli("session", "create", "--workspace", appliance.workspace())
        self.assertEqual(created.returncode, 0, created.stderr.decode())
        sid = created.stdout.decode().strip()
        fetched = appliance.cli("exec", sid, "--", "curl", "-s", "https://www.example.com/")
        self.assertEqual(fetched.stdout, b"hello\n", fetched.stderr.decode() + appliance.log_text()[-2000:])
        self.assertEqual(appliance.cli("session", "destroy", sid).returncode, 0)

    NO_USER_NAMESPACES = ["/usr/bin/python3", pathlib.Path(__file__).with_name("no_user_namespaces.py")]
    FEW_RIGHTS = ["setpriv", "--bounding-set", "-sys_admin,-bpf", "--inh-caps", "-sys_admin,-bpf"]

    def test_no_user_namespaces(self):
        self.refused("nobody", self.NO_USER_NAMESPACES,
                     ["does not allow unprivileged user namespaces", "user.max_user_namespaces",
                      "security.mode: landlock-only"])
        for mode in ("landlock-only", "minimal"):
            with self.subTest(mode):
                self.runs_in_mode(mode, "nobody", self.NO_USER_NAMESPACES)

    def test_root_without_the_right_to_make_namespaces(self):
        self.refused(None, self.FEW_RIGHTS, ["CAP_SYS_ADMIN", "ordinary user", "security.mode: landlock-only"])
        for mode in ("landlock-only", "minimal"):
            with self.subTest(mode):
                self.runs_in_mode(mode, None, self.FEW_RIGHTS)

    def test_ebpf_is_required_and_missing(self):
        world = harness.shared_world()
        with self.assertRaises(RuntimeError) as refused:
            harness.Appliance(world, None, intercept="ebpf", prefix=[
                "setpriv", "--bounding-set", "-sys_admin,-bpf,-net_admin", "--inh-caps", "-sys_admin,-bpf,-net_admin"])
        self.assertIn("eBPF is required by the configuration", str(refused.exception))


if __name__ == "__main__":
    harness.main()
