"""Real programs through the proxy: what is allowed works, what is denied says why, and nothing gets past."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

import harness
from harness import OTHER4, WEB4, WEB6


class Curl(harness.ApplianceTest):
    def setUp(self):
        self.sid = self.create_session()

    def test_https_over_both_families(self):
        for flag in ("-4", "-6"):
            self.assertEqual(self.assert_runs(self.sid, "curl", "-sS", flag, "https://www.example.com/"), b"hello\n")
        self.assertEqual(self.assert_runs(self.sid, "curl", "-sS", "http://www.example.com/"), b"hello\n")

    def test_large_transfers(self):
        source = self.workspace / "big"
        source.write_bytes(os.urandom(40_000_000))
        self.assert_runs(self.sid, "curl", "-sS", "--fail", "-T", str(source), "https://www.example.com/upload/big")
        self.assert_runs(self.sid, "curl", "-sS", "--fail", "-o", "back", "https://www.example.com/upload/big")
        self.assertEqual((self.workspace / "back").read_bytes(), source.read_bytes())

    def test_a_denied_host_is_told_why(self):
        result = self.run_in(self.sid, "curl", "-sS", "-w", "%{http_code}", "https://denied.example.org/")
        # The name itself does not resolve: DNS is judged by the same rules.
        self.assertNotEqual(result.returncode, 0)
        denied = [e for e in self.events(self.sid) if e.get("policy", {}).get("decision") == "deny"]
        self.assertTrue(any(e["policy"]["rule"] == "no-denied" for e in denied), denied)

    def test_a_literal_address_needs_a_cidr_rule(self):
        result = self.run_in(self.sid, "curl", "-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}",
                             f"https://{OTHER4}/")
        self.assertEqual(result.stdout.decode()[-3:] in ("403", "000"), True, result)
        result = self.run_in(self.sid, "curl", "-sS", f"http://{OTHER4}/")
        self.assertIn(b"agentsh", result.stdout)
        self.assertEqual(json.loads(result.stdout)["error"]["status"], 403)

    def test_names_must_agree(self):
        # The right address for an allowed name, but another name asked for inside.
        result = self.run_in(self.sid, "curl", "-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}", "--connect-to",
                             "denied.example.org:443:www.example.com:443", "https://denied.example.org/")
        self.assertIn(result.stdout, (b"403", b"000"), result)
        result = self.run_in(self.sid, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                             "Host: denied.example.org", "https://www.example.com/")
        self.assertIn(result.stdout, (b"421", b"403"), result)
        result = self.run_in(self.sid, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                             "Host: denied.example.org", "http://www.example.com/")
        self.assertIn(result.stdout, (b"421", b"403"), result)

    def test_upstream_certificates_are_verified(self):
        for host, reason in (("selfsigned", "self-signed"), ("wronghost", "hostname"), ("expired", "expired")):
            result = self.run_in(self.sid, "curl", "-sS", "-w", "%{http_code}", f"https://{host}.example.com/")
            self.assertIn(b"502", result.stdout, (host, result))
            self.assertIn(reason, result.stdout.decode().lower())

    def test_addresses_that_a_name_must_not_lead_to(self):
        for name in ("private", "rebind", "metadata"):
            result = self.run_in(self.sid, "curl", "-sS", "--max-time", "5", f"http://{name}.example.com/")
            self.assertNotIn(b"hello", result.stdout)

    def test_explicit_proxy_clients(self):
        # A client that insists on a proxy finds one in the session and is treated the same.
        session = self.appliance.json("session", "info", self.sid)
        proxy = session["proxy_url"]
        for url in ("http://www.example.com/", "https://www.example.com/"):
            self.assertEqual(self.assert_runs(self.sid, "curl", "-sS", "--proxy", proxy, url), b"hello\n")
        result = self.run_in(self.sid, "curl", "-sS", "--proxy", proxy, "http://denied.example.org/")
        self.assertIn(b"no-denied", result.stdout + result.stderr)

    def test_events_tell_the_whole_story(self):
        self.assert_runs(self.sid, "curl", "-sS", "https://www.example.com/echo?x=1")
        events = self.events(self.sid)
        by_type = {e["type"]: e for e in events}
        for kind in ("command_started", "command_finished", "dns_query", "net_connect", "tls_intercept",
                     "net_http_request", "net_close"):
            self.assertIn(kind, by_type)
        request = by_type["net_http_request"]
        self.assertEqual(request["domain"], "www.example.com")
        self.assertEqual(request["fields"]["method"], "GET")
        self.assertEqual(request["fields"]["status"], 200)
        connect = by_type["net_connect"]
        self.assertEqual(connect["program"], "curl")
        self.assertGreater(connect["pid"], 1)
        self.assertTrue(connect["command_id"].startswith("cmd-"))
        self.assertGreater(by_type["net_close"]["fields"]["bytes_received"], 0)


class Programs(harness.ApplianceTest):
    """Other clients, with no option given."""

    def setUp(self):
        self.sid = self.create_session()

    def test_wget(self):
        self.assertEqual(self.assert_runs(self.sid, "wget", "-q", "-O", "-", "https://www.example.com/"), b"hello\n")

    def test_openssl(self):
        output = self.shell(self.sid, "echo | openssl s_client -connect www.example.com:443 -servername www.example.com "
                                      "-verify_return_error 2>&1").stdout
        self.assertIn(b"Verify return code: 0 (ok)", output)

    def test_python(self):
        program = "import urllib.request; print(urllib.request.urlopen('https://www.example.com/').read())"
        self.assertEqual(self.assert_runs(self.sid, "/usr/bin/python3", "-c", program), b"b'hello\\n'\n")
        program = "import requests; print(requests.get('https://www.example.com/').text)"
        self.assertEqual(self.assert_runs(self.sid, "/usr/bin/python3", "-c", program), b"hello\n\n")

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node(self):
        program = "fetch('https://www.example.com/').then(r => r.text()).then(t => process.stdout.write(t))"
        self.assertEqual(self.assert_runs(self.sid, shutil.which("node"), "-e", program), b"hello\n")


if __name__ == "__main__":
    harness.main()
