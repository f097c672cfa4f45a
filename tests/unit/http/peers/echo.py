"""Answers every request with what python's http.server made of it, as echo.js does.

Chunked content is decoded the way small servers do: int(size, 16), trailers skipped.
"""
import socketserver
import sys
from http.server import BaseHTTPRequestHandler


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.echo
        raise AttributeError(name)

    def content(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    break
                data += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b"\n", b""):
                pass
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def echo(self):
        target = self.requestline.split(" ")[1].encode("latin-1").hex()
        content = self.content().hex()
        self.send_response(200)
        self.send_header("X-Seen", f"{self.command} {target} {content}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


with Server(sys.argv[1], Echo) as server:
    print("ready", flush=True)
    server.serve_forever()
