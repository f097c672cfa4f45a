"""Clients that insist on a proxy: CONNECT and absolute form are judged like everything else."""

import json
import shutil
import unittest

import harness
import servers
from harness import OTHER4

FETCH = "import requests, sys; r = requests.get(sys.argv[1], timeout=20); print(r.status_code); print(r.text, end='')"

RAW = """
import socket, sys
proxy, request = sys.argv[1:3]
host, port = proxy.removeprefix("http://").split(":")
s = socket.create_connection((host, int(port)), timeout=20)
s.sendall(request.encode().decode("unicode_escape").encode())
f = s.makefile("rb")
head = []
while (line := f.readline().decode().strip()):
    head.append(line)
length = [int(h.split(":")[1]) for h in head if h.lower().startswith("content-length:")]
print(head[0])
print(f.read(length[0] if length else 0).decode())
"""


class ProxyClients(harness.ApplianceTest):
    def setUp(self):
        self.sid = self.create_session()
        self.proxy = self.appliance.json("session", "info", self.sid)["proxy_url"]
        self.variables = [f"{name}={self.proxy}" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")]

    def with_proxy(self, *command, **options):
        return self.run_in(self.sid, "env", *self.variables, *command, **options)

    def raw(self, request):
        """Status line and body of what the proxy answers to these bytes."""
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", RAW, self.proxy,
                                  request.encode("unicode_escape").decode())
        status, _, body = output.decode().partition("\n")
        return status, body

    def denials(self, rule):
        return [e for e in self.events(self.sid) if e.get("policy", {}).get("rule") == rule]

    def test_variables_are_followed(self):
        for url in ("http://www.example.com/", "https://www.example.com/"):
            for command in (("curl", "-sS", url), ("wget", "-q", "-O", "-", url)):
                result = self.with_proxy(*command)
                self.assertEqual((result.returncode, result.stdout), (0, b"hello\n"), (command, result))
            result = self.with_proxy("/usr/bin/python3", "-c", FETCH, url)
            self.assertEqual(result.stdout, b"200\nhello\n", result)
            program = f"import urllib.request; print(urllib.request.urlopen('{url}').read())"
            self.assertEqual(self.with_proxy("/usr/bin/python3", "-c", program).stdout, b"b'hello\\n'\n")
        # Each of them asked us, not the site's address.
        self.assertGreaterEqual(sum(e["fields"].get("method") == "CONNECT" for e in self.events(self.sid)
                                    if e["type"] == "net_http_request"), 4)

    def test_denied_hosts_are_told_why(self):
        result = self.with_proxy("curl", "-sS", "https://denied.example.org/")
        self.assertEqual(result.returncode, 56, result)
        self.assertIn(b"403", result.stderr)
        result = self.with_proxy("wget", "-O", "-", "https://denied.example.org/")
        self.assertIn(b"Forbidden", result.stderr)
        result = self.with_proxy("/usr/bin/python3", "-c", FETCH, "https://denied.example.org/")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"403", result.stderr)
        # In absolute form the page itself arrives, over every client.
        for command in (("curl", "-sS"), ("/usr/bin/python3", "-c", FETCH)):
            result = self.with_proxy(*command, "http://denied.example.org/")
            self.assertIn(b"This host is off limits.", result.stdout, result)
        denied = self.denials("no-denied")
        self.assertTrue(denied)
        self.assertEqual(denied[0]["domain"], "denied.example.org")
        self.assertNotIn("denied.example.org", "".join(self.world.requests_seen()))

    def test_connect_answers_with_the_rule(self):
        status, body = self.raw("CONNECT denied.example.org:443 HTTP/1.1\r\nHost: denied.example.org:443\r\n\r\n")
        self.assertEqual(status.split()[1], "403")
        error = json.loads(body)["error"]
        self.assertEqual(error["rule"], "no-denied")
        self.assertIn("off limits", body)

    def test_addresses_that_a_name_must_not_lead_to(self):
        for target in ("private.example.com:80", "rebind.example.com:80", "metadata.example.com:80", "127.0.0.1:22",
                       "[::1]:22", "169.254.169.254:80", "10.1.2.3:80", f"{OTHER4}:80", "localhost:22"):
            status, _ = self.raw(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
            self.assertEqual(status.split()[1], "403", target)
            status, _ = self.raw(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n")
            self.assertEqual(status.split()[1], "403", target)

    def test_names_that_do_not_exist(self):
        status, body = self.raw("CONNECT nowhere.example.com:443 HTTP/1.1\r\nHost: nowhere.example.com:443\r\n\r\n")
        self.assertEqual(status.split()[1], "502", body)

    def test_requests_that_are_for_no_proxy(self):
        status, _ = self.raw("GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        self.assertEqual(status.split()[1], "400")
        # Two names in one request.
        status, _ = self.raw("GET http://www.example.com/ HTTP/1.1\r\nHost: denied.example.org\r\n\r\n")
        self.assertIn(status.split()[1], ("200", "400", "421"))
        self.assertNotIn("denied.example.org", "".join(self.world.requests_seen()))
        status, _ = self.raw("CONNECT www.example.com HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        self.assertEqual(status.split()[1], "400")

    def test_one_connection_for_several_hosts(self):
        program = """
import http.client, sys
host, port = sys.argv[1].removeprefix("http://").split(":")
c = http.client.HTTPConnection(host, int(port), timeout=20)
for name in ("www.example.com", "other.example.net", "denied.example.org", "www.example.com"):
    c.request("GET", f"http://{name}/echo", headers={"Host": name})
    r = c.getresponse()
    text = r.read().decode()
    print(r.status, text.split()[2] if r.status == 200 else "")
"""
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", program, self.proxy)
        self.assertEqual(output.decode().split(), ["200", "www.example.com", "200", "other.example.net", "403", "200",
                                                   "www.example.com"])

    def test_what_is_meant_for_the_proxy_goes_no_further(self):
        heads = []

        def handler(connection):
            heads.append(servers.read_head(connection))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        with servers.Server(handler) as server:
            for tunnel in ((), ("--proxytunnel",)):
                self.assert_runs(self.sid, "curl", "-sS", "--proxy", self.proxy, "--proxy-user", "me:secret", *tunnel,
                                 f"http://stream.example.com:{server.port}/x")
        self.assertEqual(len(heads), 2)
        for head in heads:
            self.assertTrue(head.startswith("GET /x HTTP/1.1\r\n"), head)
            self.assertNotIn("proxy-", head.lower())
            self.assertIn(f"Host: stream.example.com:{server.port}\r\n", head)

    def test_a_tunnel_may_carry_anything_to_an_allowed_host(self):
        def banner(connection):
            connection.sendall(b"220 ready\r\n")
            connection.sendall(b"250 " + connection.makefile("rb").readline())

        with servers.Server(banner) as server:
            output = self.shell(self.sid, f"echo HELO | nc -N -X connect -x {self.proxy.removeprefix('http://')}"
                                          f" stream.example.com {server.port}").stdout
        self.assertEqual(output.splitlines(), [b"220 ready", b"250 HELO"])

    def test_the_certificate_in_a_tunnel_is_judged_too(self):
        for host, reason in (("selfsigned", "self-signed"), ("wronghost", "hostname"), ("expired", "expired")):
            result = self.with_proxy("curl", "-sS", "-w", "%{http_code}", f"https://{host}.example.com/")
            self.assertIn(b"502", result.stdout, result)
            self.assertIn(reason, result.stdout.decode().lower())

    def test_the_name_inside_a_tunnel_must_be_the_tunnels(self):
        program = """
import socket, ssl, sys
host, port = sys.argv[1].removeprefix("http://").split(":")
s = socket.create_connection((host, int(port)), timeout=20)
s.sendall(b"CONNECT www.example.com:443 HTTP/1.1\\r\\nHost: www.example.com:443\\r\\n\\r\\n")
assert b" 200 " in s.recv(4096)
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    t = context.wrap_socket(s, server_hostname="denied.example.org")
    t.sendall(b"GET / HTTP/1.1\\r\\nHost: denied.example.org\\r\\n\\r\\n")
    print(t.recv(4096).decode().split()[1])
except (OSError, IndexError): print("closed")
"""
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", program, self.proxy)
        self.assertIn(output, (b"403\n", b"421\n", b"closed\n"))
        self.assertNotIn("denied.example.org", "".join(self.world.requests_seen()))

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node_with_a_tunnel_of_its_own(self):
        program = f"""
const http = require('http'), https = require('https'), url = new URL('{self.proxy}');
http.request({{host: url.hostname, port: url.port, method: 'CONNECT', path: 'www.example.com:443'}})
  .on('connect', (response, socket) => https.get({{host: 'www.example.com', socket, agent: false}},
      r => r.pipe(process.stdout))).end();
"""
        self.assertEqual(self.assert_runs(self.sid, shutil.which("node"), "-e", program), b"hello\n")


if __name__ == "__main__":
    harness.main()
