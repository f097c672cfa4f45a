"""Traffic with LLM APIs by the providers' own clients, intercepted: what leaves, what comes back, what is counted."""

import json
import os
import pathlib
import shutil
import tempfile
import unittest
import zlib

import harness
import llm_provider



def github_token(random):
    """A token as the issuer makes them: its last six digits are a CRC-32 of the others, in base 62."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    sum, digits = zlib.crc32(random.encode()), ""
    for _ in range(6):
        digits, sum = alphabet[sum % 62] + digits, sum // 62
    return f"ghp_{random}{digits}"


SECRET = github_token("1234567890abcdefghijABCDEFGHIJ")
EMAIL = "jane.doe@customer-mail.com"

POLICY = """
version: 1
name: e2e
file_rules:
  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}
network_rules:
  - {name: models, domains: [api.openai.com, api.anthropic.com, generativelanguage.googleapis.com, models.example.com,
                             bedrock-runtime.us-east-1.amazonaws.com], decision: allow}
command_rules:
  - {name: everything, decision: allow}
"""

APIS = ("chat", "responses", "messages", "gemini")


def clients():
    place = harness.Arguments.build / "llm_clients"
    return place if (place / "node_modules/.installed-lock").exists() else None


def link(source, target):
    """Thousands of files, of which nobody writes one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class LlmTest(harness.ApplianceTest):
    policies = {"e2e": POLICY}
    mode = "tokenize"
    answers = "mode: disabled"  # Of dlp.responses.
    proxy = ""  # More keys of that section.

    @classmethod
    def setUpClass(cls):
        if shutil.which("node") is None:
            raise unittest.SkipTest("node is not installed")
        if clients() is None:
            raise unittest.SkipTest("the providers' clients are not installed (tests/e2e/llm_clients/install)")
        cls.config = (f"dlp: {{mode: {cls.mode}, responses: {{{cls.answers}}}}}\n"
                      "proxy:\n  providers: {example: 'https://models.example.com/v1'}\n" + cls.proxy)
        super().setUpClass()
        cls.provider = llm_provider.Provider(cls.world)
        # In the workspace of all sessions: there any user may read it.
        cls.shared = cls.appliance.workspace()
        cls.clients = cls.shared / "llm_clients"
        shutil.copytree(clients(), cls.clients, copy_function=link)

    @classmethod
    def tearDownClass(cls):
        cls.provider.close()
        super().tearDownClass()

    def setUp(self):
        self.sid = self.create_session(workspace=self.shared)
        self.provider.requests.clear()
        self.provider.split = None
        self.provider.refused.clear()
        self.provider.deflate = True
        self.provider.messages.clear()
        self.provider.closed.clear()
        self.addCleanup(lambda: self.assertEqual(self.provider.errors, []))

    def ask(self, *questions, key="test-key"):
        """Each a dictionary, or (api, text); their answers."""
        questions = [{"api": q[0], "text": q[1]} if isinstance(q, tuple) else q for q in questions]
        output = self.assert_runs(self.sid, shutil.which("node"), self.clients / "ask.mjs",
                                  input=json.dumps({"key": key, "questions": questions}).encode())
        return [json.loads(line) for line in output.splitlines()]

    def talk(self, client, *texts, **options):
        """A conversation with a realtime model: what its client heard."""
        asked = {"key": "test-key", "client": client, "texts": texts, "deflate": True} | options
        output = self.assert_runs(self.sid, shutil.which("node"), self.clients / "realtime.mjs",
                                  input=json.dumps(asked).encode())
        return json.loads(output)

    def llm_events(self):
        return [event for event in self.events(self.sid) if event["type"] == "llm_request"]


class Tokenized(LlmTest):
    """Values become placeholders on the way out and themselves on the way back."""

    def assert_round_trips(self, apis, **options):
        text = f"write to {EMAIL} with {SECRET} please"
        answers = self.ask(*({"api": api, "text": text} | options for api in apis))
        for api, answer in zip(apis, answers, strict=True):
            with self.subTest(api=api, options=options):
                self.assertNotIn("error", answer)
                said = answer.get("text")
                if tool := answer.get("tool"):
                    said = "You said: " + (json.loads(tool["arguments"]) if "arguments" in tool else tool)["text"]
                self.assertEqual(said, f"You said: {text}")
        sent = self.provider.sent()
        self.assertNotIn(EMAIL, sent)
        self.assertNotIn(SECRET, sent)
        self.assertEqual(sent.count("TOK_EMAIL"), len(apis))
        return answers

    def test_whole_answers(self):
        self.assert_round_trips(APIS)

    def test_streams(self):
        *_, answer = self.assert_round_trips(("chat", "messages", "gemini", "responses"), stream=True)
        # A stream of responses repeats its text whole.
        self.assertEqual(answer["done"], answer["text"])
        self.assertEqual(answer["completed"], answer["text"])

    def test_streams_in_pieces_of_one_byte(self):
        self.provider.split = 1
        self.assert_round_trips(APIS, stream=True)

    def test_tool_calls(self):
        self.assert_round_trips(("chat", "messages", "gemini"), tool=True)

    def test_streamed_tool_calls(self):
        self.assert_round_trips(("chat", "messages", "gemini"), tool=True, stream=True)

    def test_a_server_by_base_url(self):
        self.assert_round_trips(("chat",), base="https://models.example.com/v1", stream=True)
        event = self.llm_events()[-1]
        self.assertEqual(event["fields"]["gen_ai.provider.name"], "example")

    def test_the_same_value_has_the_same_placeholder(self):
        self.ask(("chat", f"{EMAIL} and {EMAIL}"), ("chat", f"{EMAIL} and {EMAIL}"))
        first, second = (json.loads(r["body"])["messages"][1]["content"] for r in self.provider.requests)
        self.assertEqual(first, second)
        self.assertEqual(first.split()[0], first.split()[2])

    def test_curl(self):
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"mail {EMAIL}"}]})
        # Escapes hide nothing.
        body = body.replace("@", "\\u0040")
        answer = self.assert_runs(self.sid, "curl", "-sS", "https://api.openai.com/v1/chat/completions", "-d", body,
                                  "-H", "Content-Type: application/json", "-H", "Authorization: Bearer sk-test")
        self.assertEqual(json.loads(answer)["choices"][0]["message"]["content"], f"You said: mail {EMAIL}")
        self.assertNotIn(EMAIL, self.provider.sent())
        self.assertNotIn("\\u0040", self.provider.last()["body"])


    def test_queries_and_header_fields(self):
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]})
        answer = self.assert_runs(self.sid, "curl", "-sS", f"https://api.openai.com/v1/chat/completions?user={EMAIL}&n=1",
                                  "-d", body, "-H", "Content-Type: application/json", "-H", f"X-Metadata: from {EMAIL}",
                                  "-H", f"Authorization: Bearer {SECRET}")
        self.assertEqual(json.loads(answer)["choices"][0]["message"]["content"], "You said: hello")
        request = self.provider.last()
        self.assertNotIn(EMAIL, self.provider.sent())
        self.assertRegex(request["path"], r"^/v1/chat/completions\?user=TOK_EMAIL_\w+&n=1$")
        self.assertRegex(request["headers"]["X-Metadata"], r"^from TOK_EMAIL_\w+$")
        self.assertEqual(request["headers"]["Authorization"], f"Bearer {SECRET}", "the provider's own credentials")
        found = json.dumps(self.llm_events()[-1]["fields"]["dlp.findings"])
        self.assertIn("header.X-Metadata", found)
        self.assertIn("query.user", found)

    def test_nothing_goes_past(self):
        """Other protocols to the same host: a WebSocket that nobody knows, and what is no HTTP inside its TLS."""
        answer = self.run_in(self.sid, "curl", "-sS", "-i", "--http1.1", "--max-time", "20", "-H", "Connection: Upgrade",
                             "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
                             "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                             "https://api.openai.com/v1/responses").stdout
        self.assertIn(b" 403 ", answer.splitlines()[0])
        self.assertIn(b"upgrade_not_inspected", answer)
        program = ("import socket, ssl\n"
                   "s = ssl.create_default_context().wrap_socket(socket.create_connection(('api.openai.com', 443), 20),"
                   " server_hostname='api.openai.com')\n"
                   f"s.sendall(b'\\x00\\x01\\x02 {EMAIL}')\n"
                   "try: print(s.recv(100))\n"
                   "except OSError as error: print('closed')\n")
        self.assertIn(self.run_in(self.sid, "/usr/bin/python3", "-c", program).stdout.strip(), (b"closed", b"b''"))
        self.assertEqual(self.provider.requests, [])
        self.assertEqual(self.provider.raw, [])


    def assert_talk_round_trips(self, client, **options):
        texts = [f"write to {EMAIL} please", f"use {SECRET} and nothing else"]
        heard = self.talk(client, *texts, **options)
        self.assertEqual(heard["texts"], [f"You said: {text}" for text in texts], heard)
        self.assertEqual(heard["done"], heard["texts"])
        self.assertEqual((heard["code"], heard["errors"]), (1000, []))
        sent = "\n".join(self.provider.messages)
        self.assertEqual(len(self.provider.messages), 4)
        self.assertNotIn(EMAIL, sent)
        self.assertNotIn(SECRET, sent)
        self.assertIn("TOK_EMAIL", sent)
        harness.wait_until(lambda: self.provider.closed, "the end reaches the provider")
        self.assertEqual(self.provider.closed, [1000])
        return heard

    def test_realtime(self):
        self.assert_talk_round_trips("openai")
        for event, words in zip(self.llm_events(), (4, 5), strict=True):
            fields = event["fields"]
            self.assertEqual(fields["llm.dialect"], "realtime")
            self.assertEqual(fields["llm.ending"], "complete")
            self.assertEqual(fields["gen_ai.usage.output_tokens"], fields["gen_ai.usage.input_tokens"] + 2)
            self.assertGreater(fields["llm.cost_nano_usd"], 0)
            self.assertIn("tokenize", json.dumps(fields["dlp.findings"]))

    def test_realtime_uncompressed_and_in_fragments(self):
        self.assert_talk_round_trips("ws", deflate=False)
        for options in ({"fragments": True}, {"fragments": True, "deflate": False}):
            self.provider.messages.clear()
            self.provider.closed.clear()
            self.assert_talk_round_trips("ws", **options)

    def test_realtime_messages_that_cannot_be_read(self):
        for raw, code in (({"binary": EMAIL}, "message_not_inspected"), ({"ping": EMAIL}, "dlp_blocked"),
                          ({"text": "{" + EMAIL}, "invalid_json")):
            with self.subTest(raw=raw):
                heard = self.talk("ws", raw=raw)
                self.assertEqual((heard["code"], heard["reason"]), (1008, code))
                self.assertEqual([error["code"] for error in heard["errors"]], [code])
        self.assertEqual(self.provider.messages, [])
        self.assertEqual(self.provider.closed, [1001] * 3)


class SignedAnew(LlmTest):
    """Requests to Bedrock carry signatures over their content, by keys that the session does not have."""
    assert_round_trips = Tokenized.assert_round_trips

    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory(prefix="agentsh-e2e-keys-")
        cls.addClassCleanup(cls.keys.cleanup)
        directory = pathlib.Path(cls.keys.name)
        names = {"access_key_id": "AKIAREALKEY", "secret_access_key": "real/secret+key", "session_token": "real-token=="}
        for name, value in names.items():
            (directory / name).write_text(value + "\n")
            (directory / name).chmod(0o600)
        if harness.Arguments.user:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, harness.Arguments.user)
        cls.proxy = "  bedrock:\n" + "".join(f"    {name}: 'file:{directory / name}'\n" for name in names)
        super().setUpClass()
        cls.provider.aws_keys = tuple(names.values())

    def assert_signed_round_trips(self, **options):
        self.assert_round_trips(("bedrock",), **options)
        self.assertEqual(self.provider.refused, [])
        sent = self.provider.sent()
        self.assertNotIn("AKIAPLACEHOLDER", sent)
        fields = self.llm_events()[-1]["fields"]
        self.assertEqual((fields["gen_ai.usage.input_tokens"], fields["gen_ai.usage.output_tokens"]), (6, 8))
        self.assertEqual(fields["gen_ai.provider.name"], "aws.bedrock")

    def test_whole_answers(self):
        self.assert_signed_round_trips()

    def test_streams(self):
        self.assert_signed_round_trips(stream=True)
        self.provider.requests.clear()
        self.provider.split = 1
        self.assert_signed_round_trips(stream=True)

    def test_tools(self):
        for stream in (False, True):
            self.provider.requests.clear()
            self.assert_round_trips(("bedrock",), tool=True, stream=stream)

    def test_what_is_not_changed_is_signed_too(self):
        answer, = self.ask(("bedrock", "hello there"))
        self.assertEqual(answer["text"], "You said: hello there")

    def test_what_a_field_and_a_query_lose_is_signed(self):
        answer = self.assert_runs(self.sid, "curl", "-sS", "--aws-sigv4", "aws:amz:us-east-1:bedrock", "--user", "AKIA:none",
                                  "-H", "Content-Type: application/json", "-H", f"x-amz-note: {EMAIL}", "-d",
                                  json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}),
                                  f"https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse?a={EMAIL}&b=2")
        self.assertIn("output", json.loads(answer))
        self.assertEqual(self.provider.refused, [])
        self.assertNotIn(EMAIL, self.provider.sent())

    def test_large_and_expecting(self):
        """curl signs too, and asks whether it may send a large request."""
        text = "word " * 400_000
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": f"{text}{EMAIL}"}]}]}).encode()
        answer = self.assert_runs(self.sid, "curl", "-sS", "--http1.1", "--aws-sigv4", "aws:amz:us-east-1:bedrock",
                                  "--user", "AKIAPLACEHOLDER:none", "-H", "Content-Type: application/json",
                                  "-H", "Expect: 100-continue", "--data-binary", "@-",
                                  "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
                                  input=body)
        said = json.loads(answer)["output"]["message"]["content"][0]["text"]
        self.assertTrue(said.endswith(EMAIL))
        self.assertEqual(self.provider.refused, [])
        self.assertNotIn(EMAIL, self.provider.sent())

    def test_keys_that_cannot_be_had(self):
        path = pathlib.Path(self.keys.name) / "session_token"
        value = path.read_text()
        path.unlink()
        try:
            # What was read is good for five seconds.
            harness.wait_until(lambda: "error" in self.ask(("bedrock", "hello there"))[0], "the token is gone", 20)
            answer, = self.ask(("bedrock", "hello there"))
            self.assertEqual(answer["error"]["name"], "ServiceUnavailableException")
        finally:
            path.write_text(value)
            path.chmod(0o600)
            if harness.Arguments.user:
                shutil.chown(path, harness.Arguments.user)
        # A failure is remembered for a second.
        harness.wait_until(lambda: "error" not in self.ask(("bedrock", "hello there"))[0], "the token is back", 20)


class Counted(LlmTest):
    """Tokens and cost in the audit trail; nothing of the texts."""

    # Input with what was read from and written to caches, as OpenTelemetry has it.
    USAGE = {"chat": (5, 5), "responses": (3, 5), "messages": (15, 5), "gemini": (3, 7)}

    def test_usage(self):
        questions = [{"api": api, "text": "one two three", "stream": stream} for api in APIS for stream in (False, True)]
        self.ask(*questions)
        for question, event in zip(questions, self.llm_events(), strict=True):
            with self.subTest(**question):
                fields = event["fields"]
                counted = fields["gen_ai.usage.input_tokens"], fields["gen_ai.usage.output_tokens"]
                self.assertEqual(counted, self.USAGE[question["api"]])
                self.assertGreater(fields["llm.cost_nano_usd"], 0)
                self.assertEqual(fields["llm.stream"], question["stream"])

    def test_a_stream_counts_without_being_asked_to(self):
        answer, = self.ask({"api": "chat", "text": "one two three", "stream": True})
        self.assertNotIn("usage", answer, "the client did not ask for it")
        self.assertEqual(answer["choiceless"], 0)
        self.assertIs(json.loads(self.provider.last()["body"])["stream_options"]["include_usage"], True)
        fields = self.llm_events()[-1]["fields"]
        self.assertEqual(fields["gen_ai.usage.input_tokens"], 5)
        self.assertEqual(fields["gen_ai.usage.output_tokens"], 5)

    def test_a_broken_stream_is_marked(self):
        self.provider.cut_after = 4
        answer, = self.ask({"api": "messages", "text": "one two three four five six", "stream": True})
        self.assertIn("error", answer)
        event = self.llm_events()[-1]
        self.assertEqual(event["fields"]["llm.ending"], "interrupted")
        self.assertEqual(event["fields"]["gen_ai.usage.input_tokens"], 18)

    def test_errors_pass_as_they_are(self):
        self.provider.fail = (429, {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit"}},
                              {"retry-after": "7"})
        answer, = self.ask(("chat", "hello"))
        self.assertEqual(answer["error"]["status"], 429)
        self.assertEqual(answer["error"]["retry_after"], "7")
        self.assertEqual(answer["error"]["name"], "RateLimitError")

    def test_an_unknown_model_is_named_and_not_free(self):
        self.ask({"api": "chat", "text": "hello", "model": "nobodys-model-9"})
        fields = self.llm_events()[-1]["fields"]
        self.assertNotIn("llm.cost_usd", fields)
        self.assertIn("nobodys-model-9", json.dumps(fields))

    def test_no_text_and_no_key_is_in_the_trail(self):
        self.ask(("chat", f"mail {EMAIL}"), key="sk-very-own-key")
        trail = self.appliance.cli("events", "query", "--session", self.sid, "--limit", "1000").stdout.decode()
        self.assertNotIn(EMAIL, trail)
        self.assertNotIn("sk-very-own-key", trail)
        self.assertIn("email", json.dumps(self.llm_events()[-1]["fields"]["dlp.findings"]))


class Blocked(LlmTest):
    mode = "block"

    def test_signed_requests_are_looked_at(self):
        """Without keys of our own they stay as they are, or go nowhere."""
        self.provider.aws_keys = ("AKIAPLACEHOLDER", "test-key", "none")
        good, bad = self.ask(("bedrock", "hello there"), ("bedrock", f"the key is {SECRET}"))
        self.assertEqual(good["text"], "You said: hello there")
        self.assertEqual(bad["error"]["name"], "AccessDeniedException")
        self.assertNotIn(SECRET, self.provider.sent())

    def test_queries_and_header_fields(self):
        for extra in ([f"https://api.openai.com/v1/models?note={SECRET}"],
                      ["https://api.openai.com/v1/models", "-H", f"X-Metadata: {SECRET}"]):
            answer = self.assert_runs(self.sid, "curl", "-sS", *extra, "-H", "Authorization: Bearer sk-test")
            self.assertEqual(json.loads(answer).get("error", {}).get("code"), "dlp_blocked", answer)
        self.assertEqual(self.provider.requests, [])

    def test_refused_in_the_dialects_own_shape(self):
        answers = self.ask(*((api, f"the key is {SECRET}") for api in APIS))
        for api, answer in zip(APIS, answers, strict=True):
            with self.subTest(api=api):
                self.assertIn("error", answer)
                self.assertIn("github", answer["error"]["message"].lower())
                if api != "gemini":  # Whose client tells no status.
                    self.assertEqual(answer["error"]["name"], "PermissionDeniedError")
                self.assertNotIn(SECRET, json.dumps(answer))
        self.assertEqual(self.provider.requests, [])

    def test_what_is_harmless_passes(self):
        answer, = self.ask(("chat", "hello there"))
        self.assertEqual(answer["text"], "You said: hello there")

    def test_realtime(self):
        heard = self.talk("openai", "hello there", f"the key is {SECRET}", "never said")
        self.assertEqual(heard["texts"], ["You said: hello there", ""])
        self.assertEqual((heard["code"], heard["reason"]), (1008, "dlp_blocked"))
        self.assertIn("github", heard["errors"][0]["message"])
        self.assertEqual(len(self.provider.messages), 2)
        self.assertEqual(self.provider.closed, [1001])
        first, second = (event["fields"] for event in self.llm_events())
        self.assertEqual((first["llm.ending"], second["llm.ending"]), ("complete", "refused"))
        self.assertEqual(second["llm.refusal"], "dlp_blocked")


class AnswersRedacted(LlmTest):
    """What a model says is looked through: whole, streamed, split over deltas, in arguments of tools."""
    mode = "disabled"
    answers = "mode: redact, detectors: {sql_password: disabled}"

    def assert_redacted(self, apis, **options):
        text = f"write to {EMAIL} with {SECRET} please"
        answers = self.ask(*({"api": api, "text": text} | options for api in apis))
        for api, answer in zip(apis, answers, strict=True):
            with self.subTest(api=api, options=options):
                self.assertNotIn("error", answer)
                said = answer.get("text")
                if tool := answer.get("tool"):
                    said = "You said: " + (json.loads(tool["arguments"]) if "arguments" in tool else tool)["text"]
                self.assertRegex(said, r"^You said: write to \[REDACTED:email\] with \[REDACTED:github_\w+\] please$")
                for value in (EMAIL, SECRET):
                    self.assertNotIn(value, json.dumps(answer))
        self.assertEqual(self.provider.sent().count(EMAIL), len(apis), "requests are left alone here")
        for event in self.llm_events():
            found = json.dumps(event["fields"]["dlp.findings"])
            self.assertIn("email", found)
            self.assertIn("answer:", found)

    def test_whole_answers(self):
        self.assert_redacted(APIS)

    def test_streams(self):
        self.assert_redacted(APIS, stream=True)

    def test_streams_in_pieces_of_one_byte(self):
        self.provider.split = 1
        self.assert_redacted(APIS, stream=True)

    def test_tool_calls(self):
        self.assert_redacted(("chat", "messages", "gemini"), tool=True)
        self.provider.requests.clear()
        self.assert_redacted(("chat", "messages"), tool=True, stream=True)


class AnswersRedactedAndRestored(LlmTest):
    """What was tokenized on the way out comes back, where answers are looked through too."""
    answers = "mode: redact"
    assert_round_trips = Tokenized.assert_round_trips

    def test_whole_and_streamed(self):
        self.assert_round_trips(APIS)
        self.provider.requests.clear()
        self.provider.split = 1
        self.assert_round_trips(APIS, stream=True)


class AnswersBlocked(LlmTest):
    mode = "disabled"
    answers = "mode: disabled, detectors: {email: block}"

    def test_whole_and_streamed(self):
        questions = [{"api": api, "text": f"write to {EMAIL} please", "stream": stream}
                     for api in APIS for stream in (False, True)]
        for question, answer in zip(questions, self.ask(*questions), strict=True):
            with self.subTest(**question):
                self.assertIn("error", answer)
                self.assertNotIn(EMAIL, json.dumps(answer))
        for event in self.llm_events():
            self.assertEqual(event["fields"]["llm.ending"], "refused")

    def test_realtime(self):
        heard = self.talk("openai", "hello there", f"write to {EMAIL} please", "never said")
        self.assertEqual(heard["done"], ["You said: hello there"])
        self.assertEqual((heard["code"], heard["reason"]), (1008, "dlp_blocked"))
        self.assertNotIn(EMAIL, json.dumps(heard))

    def test_what_is_harmless_passes(self):
        for answer in self.ask(("chat", f"hello {SECRET}"), {"api": "messages", "text": "hello there", "stream": True}):
            self.assertIn("You said: hello", answer["text"])


if __name__ == "__main__":
    harness.main()
