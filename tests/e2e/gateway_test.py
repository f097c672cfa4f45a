"""The standing LLM gateway: virtual keys, budgets, routes and fallback, what is counted, by the providers' own clients and
curl, without a session; and the same limits in a session."""

import concurrent.futures
import http.client
import json
import os
import shutil
import socket
import ssl
import threading
import time
import unittest

import harness
import llm_provider

PORT = 8787
TLS_PORT = 8788
DEAD_PORT = 8791  # Nobody listens there.
RUDE_PORT = 8792

POLICY = """
version: 1
name: e2e
file_rules:
  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}
network_rules:
  - {name: models, domains: [api.openai.com], decision: allow}
command_rules:
  - {name: everything, decision: allow}
"""

CONFIG = """
dlp: {mode: disabled}
proxy:
  providers: {example: 'https://models.example.com/v1'}
  limits:
    - {per: model, models: limited-*, concurrent: 1}
    - {per: session, budgets: [10000 tokens/total]}
gateway:
  listeners:
    - {address: '127.0.0.1:%(port)d', metrics: true}
    - {address: '127.0.0.1:%(tls)d', cert_file: %(cert)s, key_file: %(key)s}
  upstreams:
    - {name: openai, base_url: 'https://api.openai.com/v1', api_key: env:GATEWAY_TEST_OPENAI}
    - {name: anthropic, base_url: 'https://api.anthropic.com', api_key: 'file:%(anthropic)s'}
    - {name: google, base_url: 'https://generativelanguage.googleapis.com', api_key: env:GATEWAY_TEST_GOOGLE}
    - {name: example, provider: example, base_url: 'https://models.example.com/v1', api_key: env:GATEWAY_TEST_OPENAI,
       headers: {x-tenant: tests}}
    - {name: dead, provider: example, base_url: 'http://127.0.0.1:%(dead)d/v1'}
    - {name: rude, provider: example, base_url: 'http://127.0.0.1:%(rude)d/v1'}
    - {name: keyless, provider: example, base_url: 'https://models.example.com/v1', api_key: env:GATEWAY_TEST_ABSENT}
  routes:
    - {models: [over-dead], upstreams: [dead, example]}
    - {models: [over-rude], upstreams: [rude, example]}
    - {models: [over-keyless], upstreams: [keyless, openai]}
    - {models: [over-busy], upstreams: [openai, example]}
    - {models: [only-dead], upstreams: [dead]}
    - {models: ['gpt-*', 'text-embedding-*', 'limited-*', unpriced], upstreams: [openai]}
    - {models: ['claude-*'], upstreams: [anthropic]}
    - {models: ['gemini-*'], upstreams: [google]}
  timeouts: {connect: 3s, response: 20s}
"""

KEYS = {"api.openai.com": "sk-openai-real", "api.anthropic.com": "sk-ant-real",
        "generativelanguage.googleapis.com": "AIza-real", "models.example.com": "sk-openai-real"}


class RudeServer:
    """Reads a request whole, then breaks the connection: nobody knows whether it was served."""

    def __init__(self, port):
        self.requests = []
        self.socket = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                              if line.lower().startswith(b"content-length:"))
                while len(body) < length:
                    body += connection.recv(65536)
                self.requests.append(body)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # Wakes who accepts.
        self.socket.close()


class GatewayTest(harness.ApplianceTest):
    policies = {"e2e": POLICY}

    @classmethod
    def setUpClass(cls):
        world = harness.shared_world()
        certificate, key = world.authority.issue("gateway", ["gateway.example.com"])
        cls.authority = world.authority.certificate
        secret = world.directory / "anthropic.key"
        secret.write_text(KEYS["api.anthropic.com"] + "\n")
        secret.chmod(0o600)
        if harness.Arguments.user:
            shutil.chown(secret, harness.Arguments.user)
            os.chmod(key, 0o644)
        os.environ["GATEWAY_TEST_OPENAI"] = KEYS["api.openai.com"]
        os.environ["GATEWAY_TEST_GOOGLE"] = KEYS["generativelanguage.googleapis.com"]
        cls.config = CONFIG % {"port": PORT, "tls": TLS_PORT, "cert": certificate, "key": key, "anthropic": secret,
                               "dead": DEAD_PORT, "rude": RUDE_PORT}
        cls.rude = RudeServer(RUDE_PORT)
        super().setUpClass()
        cls.provider = llm_provider.Provider(cls.world)
        cls.names = iter(f"key-{number}" for number in range(1000))

    @classmethod
    def tearDownClass(cls):
        cls.provider.close()
        cls.rude.close()
        super().tearDownClass()

    def setUp(self):
        self.provider.requests.clear()
        self.provider.fail = None
        self.provider.delay = 0
        self.rude.requests.clear()
        self.addCleanup(lambda: self.assertEqual(self.provider.errors, []))

    def make_key(self, *options):
        made = self.appliance.json("gateway", "keys", "create", next(self.names), "--json", *options)
        self.assertIn("key", made, made)
        return made

    def key(self, *options):
        return self.make_key(*options)["key"]

    def post(self, key, body, path="/v1/chat/completions", headers=None, connection=None):
        """(status, headers, document or text)"""
        own = connection or http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        fields = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        own.request("POST", path, body if isinstance(body, (bytes, str)) else json.dumps(body), fields | (headers or {}))
        response = own.getresponse()
        data = response.read()
        if connection is None:
            own.close()
        try:
            return response.status, response.headers, json.loads(data)
        except json.JSONDecodeError:
            return response.status, response.headers, data.decode()

    def chat(self, key, text="one two three", model="gpt-4o", **more):
        return self.post(key, {"model": model, "messages": [{"role": "user", "content": text}]} | more)

    def usage(self, *options):
        return self.appliance.json("usage", "--json", *options)


class Requests(GatewayTest):
    def test_the_providers_key_replaces_the_clients(self):
        key = self.key()
        status, _, answer = self.chat(key)
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["choices"][0]["message"]["content"], "You said: one two three")
        got = self.provider.last()
        self.assertEqual(got["headers"]["Authorization"], "Bearer " + KEYS["api.openai.com"])
        self.assertEqual(got["headers"]["Host"], "api.openai.com")
        self.assertEqual(got["path"], "/v1/chat/completions")
        self.assertNotIn(key, self.provider.sent())

    def test_any_field_for_the_key_and_the_query(self):
        key = self.key()
        body = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
        path = "/v1beta/models/gemini-2.5-flash:generateContent"
        for headers, query in (({"x-goog-api-key": key}, ""), ({"x-api-key": key}, ""), ({"api-key": key}, ""),
                               ({}, f"?key={key}&alt=json")):
            status, _, answer = self.post(None, body, path + query, headers)
            self.assertEqual(status, 200, (headers, answer))
            self.assertEqual(self.provider.last()["headers"].get("x-goog-api-key"),
                             KEYS["generativelanguage.googleapis.com"])
        self.assertTrue(self.provider.last()["path"].endswith("?alt=json"))
        self.assertNotIn(key, self.provider.sent())

    def test_fields_of_an_upstream_are_set(self):
        self.assertEqual(self.chat(self.key(), model="over-dead")[0], 200)
        self.assertEqual(self.provider.last()["headers"]["x-tenant"], "tests")

    def test_bodies_in_pieces_and_kept_connections(self):
        key = self.key()
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "x" * 200_000}]}).encode()
        for chunks in (iter([body]), iter([body[:7], body[7:100_000], body[100_000:]])):
            connection.request("POST", "/v1/chat/completions", chunks, {"Authorization": f"Bearer {key}"},
                               encode_chunked=True)
            response = connection.getresponse()
            self.assertEqual(response.status, 200, response.read())
            response.read()
            self.assertEqual(self.provider.last()["body"].encode(), body)
        # Refusals keep it too.
        self.assertEqual(self.post("wrong", {}, connection=connection)[0], 401)
        self.assertEqual(self.post(key, {"model": "gpt-4o", "messages": [{"role": "user", "content": "a"}]},
                                   connection=connection)[0], 200)
        connection.close()

    def test_too_large_a_body(self):
        connection = socket.create_connection(("127.0.0.1", PORT), timeout=10)
        connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key()}\r\n"
                           f"Content-Length: {65 << 20}\r\n\r\n".encode())
        self.assertIn(b" 413 ", connection.recv(4096).split(b"\r\n")[0])
        connection.close()

    def test_what_is_no_request_for_an_api(self):
        key = self.key()
        self.assertEqual(self.post(key, "not json")[0], 404)  # It names no model that a route has.
        status, _, answer = self.post(key, {"model": "nobody-has-this", "messages": []})
        self.assertEqual((status, answer["error"]["code"]), (404, "no_route"))
        connection = socket.create_connection(("127.0.0.1", PORT), timeout=10)
        connection.sendall(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        self.assertIn(b" 400 ", connection.recv(4096).split(b"\r\n")[0])
        connection.close()

    def test_tls(self):
        context = ssl.create_default_context(cafile=self.authority)
        connection = http.client.HTTPSConnection("gateway.example.com", TLS_PORT, timeout=10, context=context)
        connection._create_connection = lambda address, *rest, **options: socket.create_connection(
            ("127.0.0.1", TLS_PORT), timeout=10)
        status, _, answer = self.post(self.key(), {"model": "gpt-4o", "messages": [{"role": "user", "content": "a b"}]},
                                      connection=connection)
        self.assertEqual(status, 200, answer)
        connection.close()

    def test_a_client_that_leaves_ends_the_request_at_the_provider(self):
        self.provider.delay = 0.05
        key = self.make_key()
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        connection.request("POST", "/v1/chat/completions",
                           json.dumps({"model": "gpt-4o", "stream": True,
                                       "messages": [{"role": "user", "content": "word " * 300}]}),
                           {"Authorization": f"Bearer {key['key']}"})
        response = connection.getresponse()
        response.read(200)
        connection.close()

        def interrupted():
            report = self.usage("--by", "key", "--key", key["id"])
            return report["totals"]["interrupted"] == 1
        harness.wait_until(interrupted, "the record of the request that was left")


class Keys(GatewayTest):
    def test_keys_are_needed_and_end(self):
        for key in (None, "", "sk-something"):
            status, _, answer = self.chat(key)
            self.assertEqual((status, answer["error"]["code"]), (401, "invalid_api_key"))
        made = self.make_key()
        self.assertEqual(self.chat(made["key"])[0], 200)
        self.appliance.json("gateway", "keys", "revoke", made["id"], "--json")
        status, _, answer = self.chat(made["key"])
        self.assertEqual(status, 401)
        self.assertIn("revoked", answer["error"]["message"])
        short = self.key("--expires", "1s")
        harness.wait_until(lambda: "expired" in self.chat(short)[2].get("error", {}).get("message", ""), "its end")

    def test_the_secret_is_shown_once(self):
        key = self.key("--owner", "tests", "--model", "gpt-*", "--budget", "10/day")
        self.assertTrue(key.startswith("sk-agentsh-"))
        listed = self.appliance.cli("gateway", "keys", "list", "--json").stdout.decode()
        self.assertNotIn(key, listed)
        entry = json.loads(listed)["keys"][-1]
        self.assertEqual((entry["owner"], entry["models"], entry["budgets"], entry["state"]),
                         ("tests", ["gpt-*"], ["10/day"], "active"))
        store = (self.appliance.home / "state/gateway-keys.json")
        self.assertNotIn(key[11:], store.read_text())
        self.assertEqual(store.stat().st_mode & 0o777, 0o600)
        self.assertIn("gpt-", self.appliance.cli("gateway", "keys", "list", "--json").stdout.decode())
        self.assertEqual(self.appliance.cli("gateway", "keys", "list").returncode, 0)

    def test_mistakes_are_told(self):
        for options in (["--budget", "10/week"], ["--dlp", "sometimes"], ["--expires", "yesterday"]):
            result = self.appliance.cli("gateway", "keys", "create", next(self.names), *options)
            self.assertEqual(result.returncode, 1, options)
            self.assertTrue(result.stderr, options)

    def test_models_of_a_key(self):
        key = self.key("--model", "gpt-4o*")
        self.assertEqual(self.chat(key, model="gpt-4o-mini")[0], 200)
        status, _, answer = self.chat(key, model="gpt-4.1")
        self.assertEqual((status, answer["error"]["code"]), (403, "model_not_allowed"))
        status, _, answer = self.post(key, {"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": []}, "/v1/messages")
        self.assertEqual((status, answer["type"], answer["error"]["type"]), (403, "error", "permission_error"))


class Limits(GatewayTest):
    def test_a_budget_of_tokens(self):
        key = self.key("--budget", "400 tokens/day")
        status, headers, answer = self.chat(key, max_tokens=1000)
        self.assertEqual((status, answer["error"]["code"]), (429, "token_budget_exceeded"))
        self.assertGreater(int(headers["Retry-After"]), 0)
        self.assertIn("resets at", answer["error"]["message"])
        self.assertEqual(self.provider.requests, [])
        self.assertEqual(self.chat(key, max_tokens=50)[0], 200)

    def test_a_budget_of_money_and_models_without_a_price(self):
        key = self.key("--budget", "0.001/day")
        status, headers, answer = self.chat(key, max_tokens=1000)
        self.assertEqual((status, answer["error"]["code"]), (429, "budget_exceeded"))
        self.assertEqual(self.chat(key, max_tokens=10)[0], 200)
        status, _, answer = self.chat(key, model="unpriced", max_tokens=1)
        self.assertEqual((status, answer["error"]["code"]), (403, "model_unpriced"))
        status, _, answer = self.post(key, {}, "/v1/images/generations")
        self.assertEqual((status, answer["error"]["code"]), (403, "not_countable"))

    def test_errors_in_the_shape_of_each_api(self):
        key = self.key("--requests-per-minute", "1")
        self.assertEqual(self.chat(key)[0], 200)
        status, headers, answer = self.post(
            None, {"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]},
            "/v1/messages", {"x-api-key": key})
        self.assertEqual((status, answer["type"], answer["error"]["type"]), (429, "error", "rate_limit_error"))
        self.assertLessEqual(int(headers["Retry-After"]), 60)
        status, _, answer = self.post(None, {"contents": [{"parts": [{"text": "a"}]}]},
                                      "/v1beta/models/gemini-2.5-flash:generateContent", {"x-goog-api-key": key})
        self.assertEqual((status, answer["error"]["status"]), (429, "RESOURCE_EXHAUSTED"))

    def test_parallel_requests_do_not_overshoot(self):
        made = self.make_key("--budget", "3000 tokens/total")
        self.provider.delay = 0.002

        def one(_):
            return self.chat(made["key"], "word " * 20, max_tokens=600, stream=True)[0]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            statuses = list(pool.map(one, range(24)))
        self.assertEqual(set(statuses), {200, 429})
        # What is reserved: 600 and the body's bytes. At most four fit at once.
        report = self.usage("--by", "key", "--key", made["id"])["totals"]
        self.assertLessEqual(report["input_tokens"] + report["output_tokens"], 3000)
        self.assertEqual(report["requests"], statuses.count(200))
        self.assertEqual(report["refused"], statuses.count(429))

    def test_models_have_limits_of_their_own(self):
        self.provider.delay = 0.05
        key = self.key()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first = pool.submit(self.chat, key, "word " * 30, "limited-1", stream=True)
            harness.wait_until(lambda: self.provider.requests, "the first request")
            status, _, answer = self.chat(key, model="limited-2")
            self.assertEqual((status, answer["error"]["code"]), (429, "too_many_requests_at_once"))
            self.assertEqual(first.result()[0], 200)

    def test_what_was_used_survives_a_crash(self):
        made = self.make_key("--budget", "400 tokens/total")
        used = 0
        while self.chat(made["key"], max_tokens=20)[0] == 200:
            used += 1
            self.assertLess(used, 100)
        before = self.usage("--by", "key", "--key", made["id"])["totals"]
        self.appliance.kill()
        self.appliance.start()
        self.assertEqual(self.chat(made["key"], max_tokens=20)[0], 429)
        after = self.usage("--by", "key", "--key", made["id"])["totals"]
        self.assertEqual(after["requests"], before["requests"])
        self.assertEqual(after["input_tokens"], before["input_tokens"])

    def test_a_lost_ledger_is_made_from_the_audit_trail(self):
        key = self.make_key()
        for _ in range(3):
            self.assertEqual(self.chat(key["key"])[0], 200)
        before = self.usage()
        self.appliance.kill()
        for file in (self.appliance.home / "state").glob("llm-ledger.sqlite*"):
            file.unlink()
        self.appliance.start()
        after = self.usage()
        self.assertEqual(after["totals"], before["totals"])
        self.assertEqual(after["rows"], before["rows"])


class Routes(GatewayTest):
    def test_an_upstream_that_is_not_there_is_passed_over(self):
        status, _, answer = self.chat(self.key(), model="over-dead")
        self.assertEqual(status, 200, answer)
        self.assertEqual(self.provider.last()["headers"]["Host"], "models.example.com")

    def test_one_without_its_key_is_passed_over(self):
        self.assertEqual(self.chat(self.key(), model="over-keyless")[0], 200)
        self.assertEqual(self.provider.last()["headers"]["Host"], "api.openai.com")
        self.assertIn("GATEWAY_TEST_ABSENT", self.appliance.log_text())

    def test_one_that_has_no_capacity_is_passed_over(self):
        key = self.key()
        for status in (429, 503, 529):
            self.provider.requests.clear()
            self.provider.fail = (status, {"error": {"message": "busy"}}, {})
            self.assertEqual(self.chat(key, model="over-busy")[0], 200)
            self.assertEqual([r["headers"]["Host"] for r in self.provider.requests],
                             ["api.openai.com", "models.example.com"])

    def test_other_errors_are_the_clients(self):
        for status in (400, 500):
            self.provider.requests.clear()
            self.provider.fail = (status, {"error": {"message": "mine"}}, {"x-own": "1"})
            got, headers, answer = self.chat(self.key(), model="over-busy")
            self.assertEqual((got, answer, headers["x-own"]), (status, {"error": {"message": "mine"}}, "1"))
            self.assertEqual(len(self.provider.requests), 1)

    def test_the_last_upstreams_refusal_is_the_clients(self):
        self.provider.fail = (429, {"error": {"message": "slow down"}}, {"retry-after": "7"})
        status, headers, answer = self.chat(self.key())
        self.assertEqual((status, headers["retry-after"], answer["error"]["message"]), (429, "7", "slow down"))

    def test_what_may_have_been_served_is_not_repeated(self):
        status, _, answer = self.chat(self.key(), model="over-rude")
        self.assertEqual((status, answer["error"]["code"]), (502, "upstream_closed"), answer)
        self.assertEqual(len(self.rude.requests), 1)
        self.assertEqual(self.provider.requests, [])

    def test_when_nothing_is_left(self):
        status, _, answer = self.chat(self.key(), model="only-dead")
        self.assertEqual((status, answer["error"]["code"]), (502, "upstream_unreachable"))


class Accounts(GatewayTest):
    def test_usage_by_key_model_and_day(self):
        made = self.make_key()
        self.assertEqual(self.chat(made["key"])[0], 200)
        self.assertEqual(self.chat(made["key"], stream=True)[0], 200)
        self.assertEqual(self.chat(made["key"], model="unpriced")[0], 200)
        report = self.usage("--by", "model", "--key", made["id"])
        rows = {row["model"]: row for row in report["rows"]}
        # Three words in, five out, of which two came from a cache: 2.50, 1.25 and 10 dollars per million.
        self.assertEqual(rows["gpt-4o"]["requests"], 2)
        self.assertEqual((rows["gpt-4o"]["input_tokens"], rows["gpt-4o"]["output_tokens"]), (6, 10))
        self.assertEqual(rows["gpt-4o"]["cost_nano_dollars"], 2 * (1 * 2500 + 2 * 1250 + 5 * 10_000))
        self.assertEqual(rows["unpriced"]["unpriced_requests"], 1)
        self.assertEqual([(one["model"], one["requests"]) for one in report["unpriced"]], [("unpriced", 1)])
        self.assertEqual(report["totals"]["requests"], 3)
        by_day = self.usage("--by", "day", "--key", made["id"])
        self.assertEqual(by_day["rows"][0]["day"], time.strftime("%Y-%m-%d", time.gmtime()))
        table = self.appliance.cli("usage").stdout.decode()
        self.assertIn("unpriced: unpriced of openai", table)
        self.assertIn("total", table)
        self.assertEqual(self.usage("--since", "2099-01-01T00:00:00Z")["totals"]["requests"], 0)
        used = next(k for k in self.appliance.json("gateway", "keys", "list", "--json")["keys"] if k["id"] == made["id"])
        self.assertEqual(used["used"]["total"]["tokens"], 24)

    def test_metrics(self):
        self.assertEqual(self.chat(self.key())[0], 200)
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        self.assertIn('agentsh_llm_requests_total{provider="openai",dialect="chat",model="gpt-4o",status="200"}', text)
        self.assertIn("agentsh_llm_first_byte_seconds_bucket", text)

    def test_proxy_status_and_records(self):
        self.assertEqual(self.chat(self.key())[0], 200)
        status = self.appliance.json("proxy", "status", "--json")
        for field in ("state", "address", "mode", "dlp_mode", "active_patterns", "pattern_names", "total_requests",
                      "requests_with_redactions", "total_input_tokens", "total_output_tokens"):
            self.assertIn(field, status)
        self.assertGreater(status["total_requests"], 0)
        self.assertIn(f"127.0.0.1:{PORT}", status["gateway"])
        lines = [json.loads(line) for line in
                 self.appliance.cli("session", "logs", "gateway", "--type", "llm").stdout.splitlines()]
        self.assertEqual(lines[-2]["id"], lines[-1]["request_id"])
        self.assertEqual(lines[-1]["response"]["status"], 200)

    def test_a_sessions_requests_are_counted_and_limited(self):
        sid = self.create_session()
        body = json.dumps({"model": "gpt-4o", "max_tokens": 20, "messages": [{"role": "user", "content": "one two"}]})
        curl = ["curl", "-sS", "-m", "20", "https://api.openai.com/v1/chat/completions", "-d", body,
                "-H", "Content-Type: application/json", "-H", "Authorization: Bearer sk-its-own"]
        self.assertIn(b"You said: one two", self.assert_runs(sid, *curl))
        status = self.appliance.json("proxy", "status", sid, "--json")
        self.assertEqual((status["total_requests"], status["total_input_tokens"], status["total_output_tokens"]), (1, 2, 4))
        lines = self.appliance.cli("session", "logs", sid, "--type", "llm").stdout.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertNotIn(b"sk-its-own", lines[0] + lines[1])
        files = [file for file in self.appliance.home.glob("**/llm-requests.jsonl") if file.parent.name == sid]
        self.assertEqual(files[0].stat().st_mode & 0o777, 0o600)
        refused = self.assert_runs(sid, *[part.replace('"max_tokens": 20', '"max_tokens": 20000') for part in curl])
        self.assertEqual(json.loads(refused)["error"]["code"], "token_budget_exceeded")
        self.assertEqual(len(self.provider.requests), 1)


class Clients(GatewayTest):
    """The providers' own clients, which know only a base URL and a virtual key."""

    @classmethod
    def setUpClass(cls):
        cls.clients = harness.Arguments.build / "llm_clients"
        if shutil.which("node") is None or not (cls.clients / "node_modules/.installed-lock").exists():
            raise unittest.SkipTest("the providers' clients are not installed (tests/e2e/llm_clients/install)")
        super().setUpClass()

    def ask(self, key, *questions):
        bases = {"messages": "", "count": "", "gemini": ""}
        questions = [question | {"base": f"http://127.0.0.1:{PORT}" + bases.get(question["api"], "/v1")}
                     for question in questions]
        result = harness.run(shutil.which("node"), self.clients / "ask.mjs",
                             input=json.dumps({"key": key, "questions": questions}).encode(), timeout=60)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_each_api_whole_and_streamed_and_with_tools(self):
        made = self.make_key()
        apis = ("chat", "responses", "messages", "gemini")
        questions = [{"api": api, "text": f"hello {api}", "stream": stream} for api in apis for stream in (False, True)]
        questions += [{"api": api, "text": f"call {api}", "tool": True, "stream": stream}
                      for api in ("chat", "messages", "gemini") for stream in (False, True)]
        questions += [{"api": "embeddings", "text": "one two"}, {"api": "count", "text": "one two three"}]
        answers = self.ask(made["key"], *questions)
        self.assertEqual(len(answers), len(questions))
        for question, answer in zip(questions, answers, strict=True):
            with self.subTest(question):
                self.assertNotIn("error", answer)
                if question.get("tool"):
                    self.assertIn(f"call {question['api']}", json.dumps(answer["tool"]))
                elif "text" in answer:
                    self.assertEqual(answer["text"], f"You said: {question['text']}")
        for request in self.provider.requests:
            self.assertNotIn(made["key"], json.dumps(request))
            host = {name.lower(): value for name, value in request["headers"].items()}["host"]
            self.assertIn(KEYS[host], json.dumps(request["headers"]))
        report = self.usage("--by", "key", "--key", made["id"])
        self.assertEqual(report["totals"]["requests"], len(questions))
        self.assertEqual(report["totals"]["errors"], 0)

    def test_errors_are_those_of_the_clients(self):
        answers = self.ask("sk-wrong", *({"api": api, "text": "x"} for api in ("chat", "messages", "gemini")))
        self.assertEqual([a["error"].get("status") for a in answers[:2]], [401, 401])
        self.assertEqual(answers[0]["error"]["name"], "AuthenticationError")
        self.assertEqual(answers[1]["error"]["name"], "AuthenticationError")
        self.assertIn("401", json.dumps(answers[2]))
        key = self.key("--budget", "5 tokens/day")
        answers = self.ask(key, *({"api": api, "text": "x"} for api in ("chat", "messages")))
        for answer in answers:
            self.assertEqual(answer["error"]["name"], "RateLimitError")
            self.assertGreater(int(answer["error"]["retry_after"]), 0)


class Dlp(GatewayTest):
    """A key's own mode."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.appliance.stop()
        text = cls.appliance.config.read_text().replace("dlp: {mode: disabled}", "dlp: {mode: redact}")
        cls.appliance.config.write_text(text)
        cls.appliance.log = open(cls.appliance.home / "daemon.log", "ab")
        cls.appliance.start()

    def test_modes(self):
        text = "mail jane.doe@customer-mail.com"
        status, _, answer = self.chat(self.key(), text)
        self.assertEqual(status, 200, answer)
        self.assertIn("[REDACTED:", self.provider.last()["body"])
        self.assertNotIn("jane.doe", self.provider.last()["body"])
        status, _, answer = self.chat(self.key("--dlp", "tokenize"), text)
        self.assertEqual(answer["choices"][0]["message"]["content"], f"You said: {text}")
        self.assertNotIn("jane.doe", self.provider.last()["body"])
        self.provider.requests.clear()
        status, _, answer = self.chat(self.key("--dlp", "block"), text)
        self.assertGreaterEqual(status, 400)
        self.assertEqual(self.provider.requests, [])
        self.assertEqual(self.chat(self.key("--dlp", "disabled"), text)[0], 200)
        self.assertIn("jane.doe", self.provider.last()["body"])


if __name__ == "__main__":
    harness.main()
