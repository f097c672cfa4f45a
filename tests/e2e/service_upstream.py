"""Servers behind http_services: an API that shows what reached it, and what speaks Vault's HTTP API (KV v1 and v2, AppRole)."""

import base64
import gzip
import http.server
import json
import socketserver
import ssl
import threading
import urllib.parse


class Api(http.server.BaseHTTPRequestHandler):
    """/echo answers with the request; /reflect sends the secret back in the encoding that is asked for; /stream in two chunks
    with a pause; /gzip compressed although it was not asked to; /redirect?to=... elsewhere; /hints in an early hint."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def credential(self):
        value = self.headers.get("Authorization", "")
        if value.startswith("Basic "):
            return base64.b64decode(value[6:]).decode().partition(":")[2]
        return value.removeprefix("Bearer ")

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while (length := int(self.rfile.readline(), 16)):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        self.server.seen.append({"method": self.command, "path": self.path, "headers": list(self.headers.items()),
                                 "body": body.decode("latin-1"), "host": self.headers.get("Host")})
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        name = url.path.strip("/").split("/")[-1] or "root"
        getattr(self, "serve_" + name, self.serve_echo)(query, body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_TRACE = do_OPTIONS = serve

    def serve_echo(self, query, body):
        self.answer(json.dumps(self.server.seen[-1]).encode() + b"\n", X_Echo=self.headers.get("Authorization", "none"))

    def serve_reflect(self, query, body):
        secret = self.credential()
        forms = {
            "plain": secret, "base64": base64.b64encode(secret.encode()).decode(),
            "base64-user": base64.b64encode(("user:" + secret).encode()).decode(),
            "base64url": base64.urlsafe_b64encode(secret.encode()).decode(), "hex": secret.encode().hex(),
            "HEX": secret.encode().hex().upper(), "percent": "".join(f"%{b:02x}" for b in secret.encode()),
            "json": "".join(f"\\u{b:04x}" for b in secret.encode()),
            "wrapped": "\n".join(base64.b64encode(secret.encode()).decode()[i:i + 16] for i in range(0, 80, 16)),
        }
        self.answer(("<" + forms[query.get("as", "plain")] + ">").encode())

    def serve_stream(self, query, body):
        secret = self.credential()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (b"data: first\n\n", b"data: " + secret[:11].encode(), secret[11:].encode() + b"\n\n"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            self.server.pause.wait(0.2)
        self.wfile.write(b"0\r\n\r\n")

    def serve_bytes(self, query, body):
        secret = self.credential()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for byte in ("[" + secret + "]").encode():
            self.wfile.write(b"1\r\n%c\r\n" % byte)
        self.wfile.write(b"0\r\n\r\n")

    def serve_gzip(self, query, body):
        self.answer(gzip.compress(self.credential().encode()), Content_Encoding="gzip")

    def serve_range(self, query, body):
        text = self.credential().encode()
        if span := self.headers.get("Range"):
            first, last = (int(x) for x in span.removeprefix("bytes=").split("-"))
            text = text[first:last + 1]
        self.answer(text)

    def serve_header(self, query, body):
        self.answer(b"", X_Token=self.credential(), Set_Cookie="t=" + self.credential())

    def serve_reason(self, query, body):
        self.wfile.write(f"HTTP/1.1 200 {self.credential()}\r\nContent-Length: 0\r\n\r\n".encode())

    def serve_hints(self, query, body):
        self.wfile.write(f"HTTP/1.1 103 Early Hints\r\nLink: <{self.credential()}>\r\n\r\n".encode())
        self.answer(b"done\n")

    def serve_redirect(self, query, body):
        self.answer(b"", status=302, Location=query["to"].replace("SECRET", self.credential()))


class Vault(http.server.BaseHTTPRequestHandler):
    """As HashiCorp documents it: KV v1 and v2 reads, AppRole log-in, errors as {"errors": [...]}."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.command, self.path))
        if self.path != "/v1/auth/approle/login":
            return self.answer(404, {"errors": []})
        if body != {"role_id": "role-1", "secret_id": "secret-id-1"}:
            return self.answer(400, {"errors": ["invalid role or secret ID"]})
        token = f"hvs.{len(self.server.tokens)}"
        self.server.tokens.add(token)
        self.answer(200, {"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}})

    def do_GET(self):
        self.server.seen.append((self.command, self.path))
        if self.headers.get("X-Vault-Token") not in self.server.tokens:
            return self.answer(403, {"errors": ["permission denied"]})
        value = self.server.values.get(self.path)
        if value is None:
            return self.answer(404, {"errors": []})
        if "/data/" in self.path:
            return self.answer(200, {"lease_id": "", "lease_duration": 0, "data": {
                "data": value, "metadata": {"version": 1, "destroyed": False}}})
        self.answer(200, {"lease_id": "", "lease_duration": self.server.lease, "data": value})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler, address, certificate):
        super().__init__(address, handler)
        self.seen = []
        self.tokens = set()
        self.values = {}
        self.lease = 3600
        self.pause = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_bind(self):
        # Without the look-up of its own name, which waits for a resolver that knows nothing of it.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, *_):
        pass  # Clients that leave.

    def close(self):
        self.shutdown()
        self.server_close()
