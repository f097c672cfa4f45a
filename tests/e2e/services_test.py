"""http_services: rules by method and path, secrets that stay outside, through /svc/NAME/ and on the real host name."""

import base64
import json
import os
import pathlib
import threading

import harness
import service_upstream
from harness import RESOLVER4

for _name in ("api.example.com", "files.example.com", "vault.example.com", "direct.example.com",
              "vaulted.example.com"):
    harness.CLIENT_NAMES[_name] = (RESOLVER4, None)

SECRET = "ghp_R3alSecretR3alSecretR3alSecretR3alSe"
OTHER = "sk-live-0th3rSecret0th3rSecret0th3rS"
INJECTED = "inj_" + "Zq9" * 8


def policy(secrets, extra=""):
    return f"""
version: 1
name: e2e
file_rules:
  - {{name: workspace, paths: ["${{PROJECT_ROOT}}/**"], operations: ["*"], decision: allow}}
network_rules:
  - {{name: example, domains: ["www.example.com", "direct.example.com"], decision: allow}}
command_rules:
  - {{name: everything, decision: allow}}
http_services:
  - name: github
    upstream: https://api.example.com/v3
    secret: {{ref: "file:{secrets}/github", format: "ghp_{{rand:36}}", expose_as: GITHUB_TOKEN}}
    rules:
      - {{name: no-admin, paths: ["/admin/**"], decision: deny, message: "Nobody administers from here."}}
      - {{name: ask-writes, methods: [PUT], decision: approve, message: "A person looks at writes.", timeout: 20s}}
      - {{name: watched, methods: [PATCH], decision: audit}}
      - {{name: reads, methods: [GET, POST, TRACE], decision: allow}}
  - name: other
    upstream: https://direct.example.com
    allow_direct: true
    secret: {{ref: "exec:{secrets}/print-other", format: "sk-live-{{rand:28}}"}}
    rules:
      - {{name: reads, methods: [GET, POST], paths: ["/echo", "/open/**"], decision: allow}}
  - name: injected
    upstream: https://files.example.com
    secret: {{ref: "env:AGENTSH_TEST_INJECTED", format: "inj_{{rand:24}}"}}
    inject: {{header: {{name: X-Api-Key, template: "Key {{{{secret}}}}"}}}}
{extra}
"""


class ServiceTest(harness.ApplianceTest):
    extra = ""

    @classmethod
    def setUpClass(cls):
        world = harness.shared_world()
        cls.secrets = world.directory / f"secrets-{cls.__name__}"
        cls.secrets.mkdir()
        cls.write_secrets(cls.secrets)
        cls.policies = {"e2e": policy(cls.secrets, cls.extra)}
        cls.config = "approvals: {enabled: true, timeout: 30s}\n"
        os.environ["AGENTSH_TEST_INJECTED"] = INJECTED
        environment = harness.Appliance.environment
        try:
            harness.Appliance.environment = lambda self: environment(self) | {"AGENTSH_TEST_INJECTED": INJECTED}
            cls.certificate = world.good
            cls.api = service_upstream.Server(service_upstream.Api, (RESOLVER4, 443), cls.certificate)
            cls.addClassCleanup(cls.api.close)
            super().setUpClass()
        finally:
            harness.Appliance.environment = environment

    @classmethod
    def write_secrets(cls, directory):
        (directory / "github").write_text(SECRET + "\n")
        script = directory / "print-other"
        script.write_text(f"#!/bin/sh\necho {OTHER}\n")
        script.chmod(0o700)
        (directory / "github").chmod(0o600)
        if harness.Arguments.user:
            harness.run("chown", "-R", harness.Arguments.user, directory)

    def setUp(self):
        self.sid = self.create_session()
        self.api.seen.clear()
        self.api.pause.clear()

    def curl(self, *arguments, shell=None):
        """Status and body of what curl gets; the arguments are a shell's words, so that variables are replaced."""
        result = self.shell(self.sid, 'curl -sS -w "\\n%{http_code}" --max-time 20 ' + " ".join(arguments))
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        body, _, status = result.stdout.decode().rpartition("\n")
        return int(status), body

    def error(self, *arguments):
        status, body = self.curl(*arguments)
        return status, json.loads(body)["error"]

    def types(self, kind):
        return [e for e in self.events(self.sid) if e["type"] == kind]

    def assert_nowhere(self, *texts):
        """Nothing that a person or the sandbox can read holds the secrets."""
        trail = json.dumps(self.events(self.sid))
        for secret in (SECRET, OTHER, INJECTED):
            for text in (*texts, trail, self.appliance.log_text()):
                self.assertNotIn(secret, text)


class Rules(ServiceTest):
    def test_the_sandbox_has_placeholders_of_the_same_look(self):
        lines = self.shell(self.sid, "env").stdout.decode().splitlines()
        variables = dict(line.split("=", 1) for line in lines if "=" in line)
        self.assertRegex(variables["GITHUB_API_URL"], r"^http://127\.0\.0\.1:\d+/svc/github/$")
        self.assertRegex(variables["GITHUB_TOKEN"], r"^ghp_[A-Za-z0-9]{36}$")
        self.assertRegex(variables["OTHER_API_KEY"], r"^sk-live-[A-Za-z0-9]{28}$")
        self.assertNotEqual(variables["GITHUB_TOKEN"], SECRET)
        again = self.shell(self.sid, 'printf %s "$GITHUB_TOKEN"').stdout.decode()
        self.assertEqual(again, variables["GITHUB_TOKEN"])
        self.assert_nowhere("\n".join(lines))

    def test_a_request_through_svc(self):
        status, body = self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', '"${GITHUB_API_URL}repos/a/b?x=1"')
        self.assertEqual(status, 200)
        seen = self.api.seen[-1]
        self.assertEqual(seen["path"], "/v3/repos/a/b?x=1")
        self.assertEqual(seen["host"], "api.example.com")
        self.assertIn(["Authorization", "Bearer " + SECRET], [list(h) for h in seen["headers"]])
        # What the server shows of it is the placeholder again.
        token = self.shell(self.sid, 'printf %s "$GITHUB_TOKEN"').stdout.decode()
        self.assertIn(["Authorization", "Bearer " + token], json.loads(body)["headers"])
        event = self.types("http_service_request")[-1]
        self.assertEqual(event["policy"]["rule"], "reads")
        self.assertEqual(event["fields"]["service"], "github")
        self.assertEqual(event["fields"]["path"], "/v3/repos/a/b")
        self.assertTrue(self.types("secret_access"))
        self.assert_nowhere(body)

    def test_secrets_go_into_query_path_body_and_basic(self):
        self.curl('-u "user:$GITHUB_TOKEN"', '"${GITHUB_API_URL}$GITHUB_TOKEN/x?token=$GITHUB_TOKEN"',
                  '--data "{\\"token\\":\\"$GITHUB_TOKEN\\"}"')
        seen = self.api.seen[-1]
        self.assertEqual(seen["path"], f"/v3/{SECRET}/x?token={SECRET}")
        self.assertEqual(seen["body"], '{"token":"' + SECRET + '"}')
        basic = "Basic " + base64.b64encode(("user:" + SECRET).encode()).decode()
        self.assertIn(("Authorization", basic), seen["headers"])

    def test_a_large_body_keeps_its_length(self):
        script = ('python3 - <<"END"\n'
                  "import os, urllib.request\n"
                  "token = os.environ['GITHUB_TOKEN']\n"
                  "body = ('x' * 65521 + token) * 40\n"
                  "for data in (body.encode(), iter([body[i:i + 7777].encode() for i in range(0, len(body), 7777)])):\n"
                  "    url = os.environ['GITHUB_API_URL'] + 'large'\n"
                  "    answer = urllib.request.urlopen(urllib.request.Request(url, data=data, method='POST')).read()\n"
                  "    assert answer.decode().count(token) == 40, len(answer)\n"
                  "END")
        result = self.shell(self.sid, script)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        for seen in self.api.seen:
            self.assertEqual(seen["body"], ("x" * 65521 + SECRET) * 40)

    def test_rules_decide_by_method_and_path(self):
        status, error = self.error('"${GITHUB_API_URL}admin/users"')
        self.assertEqual((status, error["rule"]), (403, "no-admin"))
        self.assertIn("Nobody administers from here.", error["message"])
        self.assertTrue(error["advice"])
        status, error = self.error("-X DELETE", '"${GITHUB_API_URL}repos/a"')
        self.assertEqual((status, error["rule"]), (403, "http-service-default"))
        for path in ("repos/%2e%2e/admin/users", "repos/..%2Fadmin", "repos//admin/users", "%252e%252e/admin", "a%5c..%5cadmin"):
            status, error = self.error("--path-as-is", f'"${{GITHUB_API_URL}}{path}"')
            self.assertEqual((status, error["rule"]), (403, "http-service-path"), path)
        status, error = self.error("-X TRACE", '"${GITHUB_API_URL}echo"')
        self.assertEqual((status, error["rule"]), (403, "http-service-method"))
        status, _ = self.curl("-X PATCH", '"${GITHUB_API_URL}echo"')
        self.assertEqual(status, 200)
        self.assertEqual([seen["method"] for seen in self.api.seen], ["PATCH"])
        decisions = {e["policy"]["rule"]: e["policy"]["decision"] for e in self.types("http_service_request")}
        self.assertEqual(decisions, {"no-admin": "deny", "http-service-default": "deny", "http-service-path": "deny",
                                     "http-service-method": "deny", "watched": "audit"})

    def test_a_slash_too_many_behind_the_variable(self):
        status, _ = self.curl('"$GITHUB_API_URL/repos/a"')
        self.assertEqual((status, self.api.seen[-1]["path"]), (200, "/v3/repos/a"))

    def test_unknown_services(self):
        status, error = self.error('"${GITHUB_API_URL}../nothing/"', "--path-as-is")
        self.assertEqual((status, error["rule"]), (403, "http-service-path"))
        status, error = self.error('"${GITHUB_API_URL%github/}nothing/x"')
        self.assertEqual((status, error["code"]), (404, "http_service_unknown"))
        self.assertIn("github", error["advice"])

    def test_approvals(self):
        def approve():
            harness.wait_until(self.pending, "an approval is asked for")
            request = self.pending()[0]
            self.assertEqual(request["kind"], "http_service")
            self.assertEqual(request["target"], "PUT https://api.example.com/v3/repos/a")
            self.appliance.cli("approve", "resolve", "--allow", request["id"])
        helper = threading.Thread(target=approve)
        helper.start()
        status, _ = self.curl("-X PUT --data x", '"${GITHUB_API_URL}repos/a"')
        helper.join(30)
        self.assertEqual(status, 200)
        event = [e for e in self.types("http_service_request")][-1]
        self.assertEqual((event["policy"]["decision"], event["policy"]["effective_decision"]), ("approve", "allow"))

    def pending(self):
        return self.appliance.json("approve", "list", "--json")["approvals"]

    def test_the_real_host_is_not_reached_directly(self):
        status, error = self.error("https://api.example.com/v3/echo")
        self.assertEqual((status, error["rule"]), (403, "http-service-direct"))
        self.assertIn("GITHUB_API_URL", error["message"])
        status, _ = self.curl("http://api.example.com/v3/echo")
        self.assertEqual(status, 403)
        denied = self.types("http_service_denied_direct")
        self.assertEqual({e["domain"] for e in denied}, {"api.example.com"})
        self.assertEqual(self.api.seen, [])

    def test_a_host_with_allow_direct_is_held_to_the_same_rules(self):
        status, body = self.curl('-H "Authorization: Bearer $OTHER_API_KEY"', "https://direct.example.com/echo")
        self.assertEqual(status, 200)
        self.assertIn(("Authorization", "Bearer " + OTHER), self.api.seen[-1]["headers"])
        self.assertNotIn(OTHER, body)
        status, error = self.error("https://direct.example.com/closed")
        self.assertEqual((status, error["code"]), (403, "http_service_denied"))
        self.assertEqual(self.types("http_service_request")[-1]["fields"]["via"], "direct")
        # Over plain HTTP the rules hold, and the secret stays.
        status, error = self.error('-H "Authorization: Bearer $OTHER_API_KEY"', "http://direct.example.com/echo")
        self.assertEqual((status, error["code"]), (403, "http_service_leak_blocked"))

    def test_an_injected_header(self):
        status, body = self.curl('-H "X-Api-Key: mine"', '"${INJECTED_API_URL}anything"')
        self.assertEqual(status, 200)
        self.assertEqual([v for n, v in self.api.seen[-1]["headers"] if n == "X-Api-Key"], ["Key " + INJECTED])
        self.assert_nowhere(body)

    def test_redirects_within_the_service_stay_within(self):
        result = self.shell(self.sid, 'curl -sS -D - -o /dev/null "${GITHUB_API_URL}redirect?to=https://api.example.com/v3/echo"')
        self.assertIn(b"Location: /svc/github/echo", result.stdout)
        status, _ = self.curl("-L", '"${GITHUB_API_URL}redirect?to=https://api.example.com/v3/echo"')
        self.assertEqual((status, self.api.seen[-1]["path"]), (200, "/v3/echo"))

    def test_python_requests(self):
        try:
            import requests  # noqa: F401
        except ImportError:
            self.skipTest("python3-requests is not installed")
        script = ("import os, requests\n"
                  "s = requests.Session()\n"
                  "s.headers['Authorization'] = 'token ' + os.environ['GITHUB_TOKEN']\n"
                  "for i in range(5):\n"
                  "    r = s.post(os.environ['GITHUB_API_URL'] + f'issues/{i}', json={'n': i})\n"
                  "    r.raise_for_status()\n"
                  "    assert r.json()['path'] == f'/v3/issues/{i}', r.text\n"
                  "r = s.get('https://www.example.com/', headers={'Authorization': ''})\n"
                  "assert r.text == 'hello\\n'\n")
        result = self.run_in(self.sid, "/usr/bin/python3", "-c", script)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertTrue(all(("Authorization", "token " + SECRET) in seen["headers"] for seen in self.api.seen))


class SecretsStayOutside(ServiceTest):
    def reflect(self, form):
        return self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', f'"${{GITHUB_API_URL}}reflect?as={form}"')

    def test_reflections_in_any_encoding(self):
        for form in ("plain", "base64", "base64-user", "base64url", "hex", "HEX", "percent", "json", "wrapped"):
            status, body = self.reflect(form)
            self.assertEqual(status, 200)
            bare = "".join(body.split())
            decoded = [bare, bare.lower()]
            for text in (SECRET, SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode()[:30],
                         base64.b64encode(("user:" + SECRET).encode()).decode()[8:40],
                         "".join(f"%{b:02x}" for b in SECRET.encode()), "".join(f"\\u{b:04x}" for b in SECRET.encode())):
                for shown in decoded:
                    self.assertNotIn(text, shown, form)
        self.assertTrue(self.types("http_service_secret_scrubbed"))
        self.assert_nowhere()

    def test_streams_and_single_bytes(self):
        token = self.shell(self.sid, 'printf %s "$GITHUB_TOKEN"').stdout.decode()
        for name in ("stream", "bytes"):
            status, body = self.curl("-N", '-H "Authorization: Bearer $GITHUB_TOKEN"', f'"${{GITHUB_API_URL}}{name}"')
            self.assertEqual(status, 200)
            self.assertIn(token, body)
            self.assert_nowhere(body)

    def test_headers_status_lines_and_hints(self):
        for name in ("header", "hints", "reason"):
            result = self.shell(self.sid, 'curl -sS -i -H "Authorization: Bearer $GITHUB_TOKEN" '
                                          f'"${{GITHUB_API_URL}}{name}"')
            self.assert_nowhere(result.stdout.decode(), result.stderr.decode())
        self.assertIn(b" 502 ", result.stdout.splitlines()[0] + b" ")

    def test_compressed_answers_are_asked_not_to_be(self):
        status, error = self.error('-H "Authorization: Bearer $GITHUB_TOKEN"', "--compressed", '"${GITHUB_API_URL}gzip"')
        self.assertEqual((status, error["code"]), (502, "http_service_response_unreadable"))
        self.assertIn(("Accept-Encoding", "identity"), self.api.seen[-1]["headers"])

    def test_parts_are_not_given(self):
        status, body = self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', "-r 0-9", '"${GITHUB_API_URL}range"')
        token = self.shell(self.sid, 'printf %s "$GITHUB_TOKEN"').stdout.decode()
        self.assertEqual((status, body), (200, token))

    def test_a_placeholder_goes_to_its_own_host_only(self):
        for arguments in ('-H "Authorization: Bearer $GITHUB_TOKEN" https://www.example.com/',
                          '-H "X-Any: $GITHUB_TOKEN" http://www.example.com/',
                          '-u "user:$GITHUB_TOKEN" https://www.example.com/',
                          '"https://www.example.com/?q=$GITHUB_TOKEN"',
                          '--data "token=$GITHUB_TOKEN" https://www.example.com/echo',
                          '-H "Authorization: Bearer $GITHUB_TOKEN" https://direct.example.com/echo',
                          '-H "Authorization: Bearer $OTHER_API_KEY" "${GITHUB_API_URL}echo"',
                          '--data "x=$OTHER_API_KEY" "${GITHUB_API_URL}echo"'):
            status, error = self.error(arguments)
            self.assertEqual((status, error["code"]), (403, "http_service_leak_blocked"), arguments)
        self.assertEqual(self.api.seen, [])
        self.assertEqual(len(self.types("http_service_leak_blocked")), 8)
        self.assert_nowhere()

    def test_a_redirect_to_another_host_does_not_take_it_along(self):
        result = self.shell(self.sid, 'curl -sS -i -H "Authorization: Bearer $GITHUB_TOKEN" '
                                      '"${GITHUB_API_URL}redirect?to=https://www.example.com/?t=SECRET"')
        self.assert_nowhere(result.stdout.decode())
        status, body = self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', "-L",
                                 '"${GITHUB_API_URL}redirect?to=https://www.example.com/?t=SECRET"')
        self.assertEqual(status, 403)
        self.assertFalse(any(SECRET in line for line in self.world.requests_seen()))

    def test_host_header_tricks(self):
        for arguments in ('-H "Host: www.example.com" "${GITHUB_API_URL}echo"',
                          '-H "X-Forwarded-Host: www.example.com" "${GITHUB_API_URL}echo"'):
            self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', arguments)
            self.assertEqual(self.api.seen[-1]["host"], "api.example.com")
        status, _ = self.curl('-H "Host: api.example.com" -H "Authorization: Bearer $GITHUB_TOKEN" https://www.example.com/')
        self.assertEqual(status, 421)
        status, _ = self.curl('-H "Authorization: Bearer $GITHUB_TOKEN" -H "Host: api.example.com" http://www.example.com/')
        self.assertEqual(status, 403)


class SecretGone(ServiceTest):
    def test_closes_the_service_until_it_is_back(self):
        path = self.secrets / "github"

        def put(text):
            path.write_text(text)
            path.chmod(0o600)
            if harness.Arguments.user:
                harness.run("chown", harness.Arguments.user, path)

        put("too short\n")
        status, error = self.error('"${GITHUB_API_URL}echo"')
        self.assertEqual((status, error["code"]), (503, "http_service_secret_unavailable"))
        self.assertNotIn("too short", error["message"] + json.dumps(self.events(self.sid)) + self.appliance.log_text())
        path.unlink()
        harness.wait_until(lambda: "No such file" in self.appliance.log_text() or
                           self.error('"${GITHUB_API_URL}echo"')[0] != 503, "the file is missed", 15)
        self.assertEqual(self.api.seen, [])
        put(SECRET + "\n")
        harness.wait_until(lambda: self.curl('"${GITHUB_API_URL}echo"')[0] == 200, "the secret is back", 15)


VAULT_EXTRA = """
  - name: vaulted
    upstream: https://vaulted.example.com:444
    aliases: [v4.example.com]
    secret: {{ref: "vault://kv/data/github#token", format: "ghp_{{rand:36}}"}}
  - name: first
    upstream: https://other.example.net:444
    secret: {{ref: "vault://kv1/github#token", format: "ghp_{{rand:36}}"}}
  - name: missing
    upstream: https://www.example.com:444
    secret: {{ref: "vault://kv/data/nothing#token", format: "ghp_{{rand:36}}"}}
providers:
  main:
    type: vault
    address: https://vault.example.com:8200
    ca_file: {ca}
    timeout: 3s
    auth: {auth}
"""


class VaultTest(ServiceTest):
    auth = "{method: approle, role_id: role-1, secret_id_ref: 'file:%s/secret-id'}"

    @classmethod
    def setUpClass(cls):
        world = harness.shared_world()
        hosts = pathlib.Path("/etc/hosts").read_text()
        # The daemon resolves its own servers by the host's resolver.
        own_hosts = world.directory / "hosts"
        own_hosts.write_text(hosts + f"\n{RESOLVER4} vault.example.com\n")
        harness.run("mount", "--bind", own_hosts, "/etc/hosts")
        cls.addClassCleanup(harness.run, "umount", "/etc/hosts")
        directory = world.directory / f"secrets-{cls.__name__}"
        cls.extra = VAULT_EXTRA.format(ca=world.authority.certificate, auth=cls.auth % directory)
        cls.vault = service_upstream.Server(service_upstream.Vault, (RESOLVER4, 8200), world.good)
        cls.addClassCleanup(cls.vault.close)
        cls.vault.values = {"/v1/kv/data/github": {"token": SECRET}, "/v1/kv1/github": {"token": SECRET}}
        cls.upstream = service_upstream.Server(service_upstream.Api, (RESOLVER4, 444), world.good)
        cls.addClassCleanup(cls.upstream.close)
        cls.web = service_upstream.Server(service_upstream.Api, (harness.OTHER4, 444), world.good)
        cls.addClassCleanup(cls.web.close)
        super().setUpClass()

    @classmethod
    def write_secrets(cls, directory):
        for name, text in (("secret-id", "secret-id-1\n"), ("token", "hvs.root\n")):
            (directory / name).write_text(text)
            (directory / name).chmod(0o600)
        super().write_secrets(directory)

    def header(self, variable):
        return f'-H "Authorization: Bearer ${variable}_API_KEY" "${{{variable}_API_URL}}echo"'


class VaultByAppRole(VaultTest):
    def test_secrets_are_fetched_once(self):
        for variable, server in (("VAULTED", self.upstream), ("FIRST", self.web)):
            for _ in range(3):
                status, body = self.curl(self.header(variable))
                self.assertEqual(status, 200, body)
                self.assertIn(("Authorization", "Bearer " + SECRET), server.seen[-1]["headers"])
                self.assert_nowhere(body)
        reads = [path for method, path in self.vault.seen if method == "GET"]
        self.assertEqual(sorted(reads), ["/v1/kv/data/github", "/v1/kv1/github"])
        self.assertEqual(len([1 for method, _ in self.vault.seen if method == "POST"]), 1)
        self.assertNotIn("secret-id-1", self.appliance.log_text())

    def test_what_is_not_there(self):
        status, error = self.error(self.header("MISSING"))
        self.assertEqual((status, error["code"]), (503, "http_service_secret_unavailable"))
        self.assertIn("Vault answers 404", self.appliance.log_text())


class VaultByToken(VaultTest):
    auth = "{method: token, token_ref: 'file:%s/token'}"

    def test_a_lease_that_ends_and_a_vault_that_is_down(self):
        self.vault.lease = 1
        status, error = self.error(self.header("FIRST"))
        self.assertEqual((status, error["code"]), (503, "http_service_secret_unavailable"))
        self.assertIn("permission denied", self.appliance.log_text())
        self.vault.tokens.add("hvs.root")
        harness.wait_until(lambda: self.curl(self.header("FIRST"))[0] == 200, "the failure is forgotten")
        before = len(self.vault.seen)
        harness.wait_until(lambda: self.curl(self.header("FIRST"))[0] == 200 and len(self.vault.seen) > before,
                           "the lease is over")
        self.vault.tokens.clear()
        harness.wait_until(lambda: self.curl(self.header("FIRST"))[0] == 503, "closed without the secret")
        self.vault.close()
        harness.wait_until(lambda: "connect" in self.appliance.log_text() or self.curl(self.header("VAULTED"))[0] == 503,
                           "closed while Vault is down")
        count = len(self.web.seen)
        self.assertEqual(self.curl(self.header("FIRST"))[0], 503)
        self.assertEqual(len(self.web.seen), count)
        self.assert_nowhere()


if __name__ == "__main__":
    harness.main()
