"""A provider of language models for tests: speaks the documented wire formats of OpenAI (chat completions, responses,
embeddings, realtime), Anthropic (messages) and Google (generateContent) over TLS under their real names, inside the test's world.

The model repeats what the user said last ("You said: ..."), calls the first tool that it is offered with that text as its
argument, and counts tokens as words. So a test sees in `requests` what left, and in the client's answer what came back.

    provider = llm_provider.Provider(world)
    provider.split = 1              # pieces of the body that are sent at once: chunk borders at every byte
    provider.fail = (429, {...}, {"retry-after": "7"})   # the next answer
    provider.cut_after = 3          # events of the next stream, then the connection breaks
"""

import http.server
import json
import socket
import socketserver
import ssl
import threading
import time

import bedrock_provider
import harness
import realtime_provider

ADDRESS = "11.22.33.20"
NAMES = ("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "models.example.com",
         bedrock_provider.HOST)
for _name in NAMES:
    harness.CLIENT_NAMES.setdefault(_name, (ADDRESS, None))

CREATED = 1767225600


def words(text):
    return len(text.split())


def text_of(content):
    """The text of a message's content: a string, or parts with text."""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content or [] if isinstance(part, dict) and part.get("text"))


def pieces_of(text):
    """Deltas of two or three characters: anything longer is split over several of them."""
    sizes = (2, 3)
    at = index = 0
    while at < len(text):
        yield text[at:at + sizes[index % 2]]
        at += sizes[index % 2]
        index += 1


class Stream:
    """Events of an answer, each a (name, document) or a document."""

    def __init__(self, events, end=None):
        self.events = events
        self.end = end  # Raw data of a last event.


def sse(event):
    name, document = event if isinstance(event, tuple) else (None, event)
    return (f"event: {name}\n" if name else "") + "data: " + json.dumps(document, separators=(",", ":")) + "\n\n"


class OpenAi:
    @staticmethod
    def said(request):
        return text_of(next(m["content"] for m in reversed(request["messages"]) if m["role"] in ("user", "tool")))

    @staticmethod
    def usage(request, answer):
        prompt = sum(words(text_of(m.get("content"))) for m in request["messages"])
        return {"prompt_tokens": prompt, "completion_tokens": words(answer), "total_tokens": prompt + words(answer),
                "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0}}

    @classmethod
    def chat(cls, request):
        said = cls.said(request)
        answer = f"You said: {said}"
        tools = request.get("tools") if request["messages"][-1]["role"] != "tool" else None
        base = {"id": "chatcmpl-test1", "created": CREATED, "model": request["model"] + "-2026-01-01",
                "system_fingerprint": "fp_test"}
        arguments = json.dumps({"text": said})
        if not request.get("stream"):
            message = {"role": "assistant", "content": answer, "refusal": None}
            if tools:
                message = {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "call_1", "type": "function",
                     "function": {"name": tools[0]["function"]["name"], "arguments": arguments}}]}
            return base | {"object": "chat.completion", "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if tools else "stop"}],
                "usage": cls.usage(request, answer)}

        def chunk(delta, finish=None):
            return base | {"object": "chat.completion.chunk",
                           "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

        events = [chunk({"role": "assistant", "content": "" if not tools else None})]
        if tools:
            events.append(chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {
                "name": tools[0]["function"]["name"], "arguments": ""}}]}))
            events += [chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
                       for piece in pieces_of(arguments)]
        else:
            events += [chunk({"content": piece}) for piece in pieces_of(answer)]
        events.append(chunk({}, "tool_calls" if tools else "stop"))
        if (request.get("stream_options") or {}).get("include_usage"):
            for event in events:
                event["usage"] = None
            events.append(base | {"object": "chat.completion.chunk", "choices": [], "usage": cls.usage(request, answer)})
        return Stream(events, "[DONE]")

    @staticmethod
    def responses(request):
        given = request["input"]
        said = given if isinstance(given, str) else text_of(given[-1]["content"])
        answer = f"You said: {said}"
        usage = {"input_tokens": words(said), "input_tokens_details": {"cached_tokens": 1}, "output_tokens": words(answer),
                 "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": words(said) + words(answer)}
        item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": answer, "annotations": []}]}

        def response(status, output, use):
            return {"id": "resp_1", "object": "response", "created_at": CREATED, "status": status, "error": None,
                    "incomplete_details": None, "instructions": None, "model": request["model"], "output": output,
                    "parallel_tool_calls": True, "tools": [], "tool_choice": "auto", "usage": use}

        if not request.get("stream"):
            return response("completed", [item], usage)
        events = [("response.created", {"response": response("in_progress", [], None)}),
                  ("response.output_item.added", {"output_index": 0, "item": item | {"status": "in_progress", "content": []}}),
                  ("response.content_part.added", {"item_id": "msg_1", "output_index": 0, "content_index": 0,
                                                   "part": {"type": "output_text", "text": "", "annotations": []}})]
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        events += [("response.output_text.delta", place | {"delta": piece}) for piece in pieces_of(answer)]
        events += [("response.output_text.done", place | {"text": answer}),
                   ("response.content_part.done", place | {"part": item["content"][0]}),
                   ("response.output_item.done", {"output_index": 0, "item": item}),
                   ("response.completed", {"response": response("completed", [item], usage)})]
        return Stream([(name, {"type": name, "sequence_number": number} | body)
                       for number, (name, body) in enumerate(events)])

    @staticmethod
    def embeddings(request):
        given = request["input"] if isinstance(request["input"], list) else [request["input"]]
        count = sum(words(text) for text in given)
        return {"object": "list", "model": request["model"], "data": [
            {"object": "embedding", "index": index, "embedding": [0.25, -0.5]} for index in range(len(given))],
            "usage": {"prompt_tokens": count, "total_tokens": count}}


class Anthropic:
    @staticmethod
    def messages(request):
        last = request["messages"][-1]["content"]
        results = [part for part in last if isinstance(part, dict) and part.get("type") == "tool_result"] \
            if isinstance(last, list) else []
        said = text_of(results[0]["content"]) if results else text_of(last)
        answer = f"You said: {said}"
        usage = {"input_tokens": words(said), "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7,
                 "output_tokens": words(answer), "service_tier": "standard"}
        tool = request["tools"][0]["name"] if request.get("tools") and not results else None
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {"text": said}} if tool else \
            {"type": "text", "text": answer}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": [block],
                   "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None, "usage": usage}
        if not request.get("stream"):
            return message
        events = [("message_start", {"message": message | {"content": [], "stop_reason": None,
                                                           "usage": usage | {"output_tokens": 1}}})]
        if tool:
            events.append(("content_block_start", {"index": 0, "content_block": block | {"input": {}}}))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces_of(json.dumps({"text": said}))]
        else:
            events.append(("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}))
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces_of(answer)]
        events.append(("ping", {}))
        events += [("content_block_delta", {"index": 0, "delta": delta}) for delta in deltas]
        events += [("content_block_stop", {"index": 0}),
                   ("message_delta", {"delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
                                      "usage": {"output_tokens": usage["output_tokens"]}}),
                   ("message_stop", {})]
        return Stream([(name, {"type": name} | body) for name, body in events])

    @staticmethod
    def count_tokens(request):
        return {"input_tokens": sum(words(text_of(m["content"])) for m in request["messages"])}


class Gemini:
    @staticmethod
    def answer(request, model, parts, finish):
        said = text_of(request["contents"][-1]["parts"])
        answer = words(f"You said: {said}")
        return {"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0} |
                               ({"finishReason": "STOP"} if finish else {})],
                "usageMetadata": {"promptTokenCount": words(said), "candidatesTokenCount": answer,
                                  "cachedContentTokenCount": 1, "thoughtsTokenCount": 2,
                                  "totalTokenCount": words(said) + answer + 2},
                "modelVersion": model + "-001", "responseId": "r1"}

    @classmethod
    def generate(cls, request, model, stream):
        said = text_of(request["contents"][-1]["parts"])
        if request.get("tools"):
            name = request["tools"][0]["functionDeclarations"][0]["name"]
            whole = cls.answer(request, model, [{"functionCall": {"name": name, "args": {"text": said}}}], True)
            return Stream([whole]) if stream else whole
        text = f"You said: {said}"
        if not stream:
            return cls.answer(request, model, [{"text": text}], True)
        parts = list(pieces_of(text))
        return Stream([cls.answer(request, model, [{"text": piece}], index + 1 == len(parts))
                       for index, piece in enumerate(parts)])


class Provider:
    def __init__(self, world, port=443):
        self.requests = []  # {method, path, headers, body}
        self.raw = []  # First lines that are no request's.
        self.split = None
        self.delay = 0
        self.fail = None
        self.cut_after = None
        self.errors = []
        self.aws_keys = ("AKIAREALKEY", "real-secret", None)
        self.refused = []  # Why signatures were.
        self.pieces_of = pieces_of
        self.deflate = True  # Of WebSockets.
        self.messages = []  # That came over them.
        self.closed = []  # Their clients' codes.
        harness.run("ip", "addr", "replace", ADDRESS + "/24", "dev", "internet")
        certificate, key = world.authority.issue("models", list(NAMES))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        provider = self

        class Handler(RequestHandler):
            owner = provider

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

            def finish_request(self, request, client_address):
                request.settimeout(60)
                request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with context.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)

            def handle_error(self, request, client_address):
                pass  # A connection that ended; what the handler finds wrong is in `errors`.

        self.server = Server((ADDRESS, port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def last(self):
        return self.requests[-1]

    def sent(self):
        """Everything that reached the provider, as text."""
        return "\n".join(f"{r['path']}\n{r['headers']}\n{r['body']}" for r in self.requests)

    def answer(self, path, request):
        path, _, query = path.partition("?")
        if path == "/v1/chat/completions":
            return OpenAi.chat(request)
        if path == "/v1/responses":
            return OpenAi.responses(request)
        if path == "/v1/embeddings":
            return OpenAi.embeddings(request)
        if path == "/v1/messages":
            return Anthropic.messages(request)
        if path == "/v1/messages/count_tokens":
            return Anthropic.count_tokens(request)
        if path.startswith("/v1beta/models/") and ":" in path:
            model, _, method = path.removeprefix("/v1beta/models/").partition(":")
            return Gemini.generate(request, model, method == "streamGenerateContent")
        return None


class RequestHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner = None

    def log_message(self, *_):
        pass

    def parse_request(self):
        good = super().parse_request()
        if not good:
            self.owner.raw.append(self.raw_requestline)
        return good

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def do_GET(self):
        if self.path.startswith("/v1/realtime") and self.headers.get("Upgrade", "").lower() == "websocket":
            self.owner.requests.append({"method": "GET", "path": self.path, "headers": dict(self.headers.items()), "body": ""})
            self.close_connection = True
            try:
                realtime_provider.serve(self, self.owner)
            except Exception as error:
                self.owner.errors.append(error)
            return
        self.reply(200, {"object": "list", "data": []})

    def do_POST(self):
        owner = self.owner
        body = self.body()
        owner.requests.append({"method": self.command, "path": self.path, "headers": dict(self.headers.items()),
                               "body": body.decode(errors="surrogateescape")})
        failure, owner.fail = owner.fail, None
        if failure:
            status, document, headers = failure
            self.reply(status, document, headers)
            return
        if self.headers.get("Host") == bedrock_provider.HOST:
            bedrock_provider.serve(self, owner, body)
            return
        try:
            answer = owner.answer(self.path, json.loads(body))
        except Exception as error:
            owner.errors.append(error)
            self.reply(500, {"error": {"message": f"the test's provider: {error!r}"}})
            return
        if answer is None:
            self.reply(404, {"error": {"message": "no such path", "type": "invalid_request_error"}})
        elif isinstance(answer, Stream):
            self.stream(answer)
        else:
            self.reply(200, answer)

    def reply(self, status, document, headers=None):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-request-id", "req_test")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.send(data)

    def send(self, data):
        size = self.owner.split or len(data) or 1
        for at in range(0, len(data), size):
            self.wfile.write(data[at:at + size])

    def chunk(self, data):
        size = self.owner.split or len(data)
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def stream(self, answer):
        owner = self.owner
        cut, owner.cut_after = owner.cut_after, None
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(answer.events):
            if number == cut:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.close_connection = True
                return
            self.chunk(sse(event).encode())
            if owner.delay:
                time.sleep(owner.delay)  # The pace of a stream, not a wait for something.
        if answer.end:
            self.chunk(f"data: {answer.end}\n\n".encode())
        self.wfile.write(b"0\r\n\r\n")
