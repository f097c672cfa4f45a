"""What is sent arrives when it is sent: server-sent events, chunked bodies both ways, WebSockets, large uploads."""

import asyncio
import hashlib
import json
import os
import pathlib
import queue
import ssl
import subprocess
import threading
import unittest

import harness
import servers
from harness import WEB4

try:
    import websockets
except ImportError:
    websockets = None

PATIENCE = 10


def websocket_site(world):
    return world.server_block(["ws.example.com"], *world.good, extra=(
        f"location / {{ proxy_pass http://{WEB4}:8099; proxy_http_version 1.1; proxy_set_header Host $host;"
        f" proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 60s; }}"))


harness.SITES.append(websocket_site)


class Signals:
    """Test and server speak to each other: what came is in `seen`, the next step goes when step() is called."""

    def __init__(self):
        self.seen = queue.Queue()
        self.steps = threading.Semaphore(0)

    def step(self):
        self.steps.release()

    def wait(self):
        if not self.steps.acquire(timeout=PATIENCE):
            raise TimeoutError("the test did not go on")


class StreamingTest(harness.ApplianceTest):
    # Its scanner would be built while memory is measured.
    config = "dlp: {mode: disabled}\n"

    def setUp(self):
        self.sid = self.create_session()
        self.signals = Signals()

    def server(self, handler, tls):
        server = servers.Server(handler, tls=self.world.good if tls else None)
        self.addCleanup(lambda: self.assertEqual(server.errors, []))
        self.addCleanup(server.close)
        return server, f"http{'s' if tls else ''}://stream.example.com:{server.port}"

    def start(self, *command, **options):
        process = subprocess.Popen(
            self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", *command]),
            cwd=self.workspace, env=self.appliance.environment(), stdout=subprocess.PIPE, **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()

    def line_from(self, process):
        """The next line that it prints, or a failure: the other side waits with all else until this has come."""
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
        try:
            return lines.get(timeout=PATIENCE)
        except queue.Empty:
            self.fail("nothing arrived while the sender waited")


class Bodies(StreamingTest):
    def piecewise(self, head, pieces, frame):
        def handler(connection):
            servers.read_head(connection)
            connection.sendall(head)
            for piece in pieces:
                self.signals.wait()
                connection.sendall(frame(piece))
        return handler

    def arrives_in_pieces(self, head, frame, pieces, tls):
        server, url = self.server(self.piecewise(head, pieces, frame), tls)
        with server:
            client = self.start("curl", "-sSN", url + "/events")
            for piece in pieces:
                self.signals.step()
                for line in piece.splitlines(keepends=True):
                    self.assertEqual(self.line_from(client), line)
            self.assertEqual(client.wait(PATIENCE), 0)

    def test_server_sent_events(self):
        head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                b"Connection: close\r\n\r\n")
        events = [b"event: one\ndata: 1\n\n", b": comment\n\n", b"data: 2\ndata: 3\n\n"]
        for tls in (True, False):
            self.arrives_in_pieces(head, bytes, events, tls)

    def test_chunked_responses(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        pieces = [b"first\n", b"second\n" * 300, b"third\n"]

        def frame(piece):
            last = b"0\r\nX-Checksum: x\r\n\r\n" if piece is pieces[-1] else b""
            return b"%x\r\n%s\r\n" % (len(piece), piece) + last

        for tls in (True, False):
            self.arrives_in_pieces(head, frame, pieces, tls)

    def test_a_chunk_arrives_before_it_is_complete(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n"
        pieces = [b"12345678901234\n", b"\n"]
        end = b"\r\n0\r\n\r\n"
        self.arrives_in_pieces(head, lambda piece: piece if piece is pieces[0] else piece + end, pieces, True)

    def test_heads_arrive_before_any_body(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
        server, url = self.server(self.piecewise(head, [b"hello\n"], bytes), True)
        program = ("import urllib.request, sys; r = urllib.request.urlopen(sys.argv[1]); print(r.status, flush=True);"
                   "print(r.read().decode(), end='')")
        with server:
            client = self.start("/usr/bin/python3", "-c", program, url)
            self.assertEqual(self.line_from(client), b"200\n")
            self.signals.step()
            self.assertEqual(self.line_from(client), b"hello\n")

    def test_chunked_uploads(self):
        # The server has the first chunk, and answers, before the client has sent the second.
        def handler(connection):
            servers.read_head(connection)
            reader = connection.makefile("rb")
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while size := int(reader.readline(), 16):
                self.signals.seen.put(reader.read(size))
                reader.readline()
                connection.sendall(b"3\r\nok\n\r\n")
            connection.sendall(b"0\r\n\r\n")

        program = """
import socket, ssl, sys
host, port = sys.argv[1:]
s = ssl.create_default_context().wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
s.sendall(f"POST / HTTP/1.1\\r\\nHost: {host}:{port}\\r\\nConnection: close\\r\\n".encode())
s.sendall(b"Transfer-Encoding: chunked\\r\\n\\r\\n")
for line in sys.stdin.buffer:
    s.sendall(b"%x\\r\\n%s\\r\\n" % (len(line), line))
s.sendall(b"0\\r\\n\\r\\n")
print(s.makefile("rb").read().count(b"ok"))
"""
        server, _ = self.server(handler, True)
        with server:
            client = self.start("/usr/bin/python3", "-c", program, "stream.example.com", str(server.port),
                                stdin=subprocess.PIPE)
            for line in (b"one\n", b"two\n", b"three\n"):
                client.stdin.write(line)
                client.stdin.flush()
                self.assertEqual(self.signals.seen.get(timeout=PATIENCE), line)
            client.stdin.close()
            client.stdin = None
            self.assertEqual(self.line_from(client), b"3\n")

    def test_a_large_upload_of_unknown_length(self):
        def handler(connection):
            head = servers.read_head(connection)
            if "expect: 100-continue" in head.lower():
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            reader, digest, total = connection.makefile("rb"), hashlib.sha256(), 0
            while size := int(reader.readline(), 16):
                data = reader.read(size)
                digest.update(data)
                total += len(data)
                reader.readline()
            reader.readline()
            body = f"{total} {digest.hexdigest()}\n"
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

        data = os.urandom(1 << 20) * 96
        server, url = self.server(handler, True)
        with server:
            result = self.run_in(self.sid, "curl", "-sS", "-T", "-", url + "/upload", input=data)
        self.assertEqual(result.stdout.decode(), f"{len(data)} {hashlib.sha256(data).hexdigest()}\n", result)

    def test_a_server_that_does_not_read_holds_the_client_up(self):
        # What is on its way is bounded: the appliance does not collect what a slow server leaves.
        def handler(connection):
            servers.read_head(connection)
            self.signals.seen.put("head")
            self.signals.wait()
            left = 64 << 20
            while left:
                data = connection.recv(min(left, 1 << 20))
                if not data:
                    raise ValueError(f"{left} bytes are missing")
                left -= len(data)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n")

        def resident():
            status = pathlib.Path(f"/proc/{self.appliance.daemon.pid}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])

        program = """
import socket, ssl, sys, threading, time
host, port = sys.argv[1:]
s = ssl.create_default_context().wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
size, sent = 64 << 20, 0
s.sendall(f"PUT / HTTP/1.1\\r\\nHost: {host}:{port}\\r\\nConnection: close\\r\\n".encode())
s.sendall(f"Content-Length: {size}\\r\\n\\r\\n".encode())
def send():
    global sent
    while sent < size:
        s.sendall(bytes(65536))
        sent += 65536
sender = threading.Thread(target=send)
sender.start()
before = -1
while sent != before:
    before = sent
    time.sleep(0.3)
print(sent, flush=True)
sender.join()
print(s.makefile("rb").read().decode().splitlines()[-1])
"""
        server, _ = self.server(handler, True)
        with server:
            before = resident()
            client = self.start("/usr/bin/python3", "-c", program, "stream.example.com", str(server.port))
            self.assertEqual(self.signals.seen.get(timeout=PATIENCE), "head")
            taken = int(self.line_from(client))
            self.assertLess(taken, 40 << 20)
            self.assertLess(resident() - before, 8 << 10, "KiB more than before")
            self.signals.step()
            self.assertEqual(self.line_from(client), b"done\n")

    def test_a_client_that_leaves_ends_the_servers_work(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

        def handler(connection):
            servers.read_head(connection)
            connection.sendall(head + b"data: 1\n\n")
            try:
                connection.recv(1)
            finally:
                self.signals.seen.put("ended")

        server, url = self.server(handler, True)
        with server:
            client = self.start("curl", "-sSN", url + "/events")
            self.assertEqual(self.line_from(client), b"data: 1\n")
            client.terminate()
            self.assertEqual(self.signals.seen.get(timeout=PATIENCE), "ended")

    def test_a_body_that_is_cut_short_is_no_success(self):
        def handler(connection):
            servers.read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")

        for tls in (True, False):
            server, url = self.server(handler, tls)
            with server:
                result = self.run_in(self.sid, "curl", "-sS", url)
                self.assertNotEqual(result.returncode, 0)


WEBSOCKET_CLIENT = """
import asyncio, json, os, sys, websockets

async def main(url):
    report = {}
    async with websockets.connect(url, max_size=None, subprotocols=["chat", "echo"]) as ws:
        report["subprotocol"] = ws.subprotocol
        report["extensions"] = [e.name for e in ws.extensions]
        report["greeting"] = await ws.recv()
        await ws.send("text \\u20ac")
        report["text"] = await ws.recv()
        data = os.urandom(5_000_000)
        await ws.send(data)
        report["large"] = await ws.recv() == data
        await ws.send([b"frag", b"ment", b"ed"])
        report["fragmented"] = (await ws.recv()).decode()
        await ws.send("")
        report["empty"] = await ws.recv()
        await asyncio.wait_for(await ws.ping(b"payload"), 5)
        report["pong"] = True
        await ws.send("ping me")
        report["pinged"] = await ws.recv()
        many = [f"message {n}" for n in range(500)]
        for one in many:
            await ws.send(one)
        report["order"] = [await ws.recv() for _ in many] == many
        await ws.close(4001, "done here")
        report["close"] = [ws.close_code, ws.close_reason]
    async with websockets.connect(url) as ws:
        await ws.recv()
        await ws.send("close with 4242")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            report["closed"] = [closed.rcvd.code, closed.rcvd.reason]
    print(json.dumps(report))

asyncio.run(asyncio.wait_for(main(sys.argv[1]), 30))
"""


@unittest.skipUnless(websockets, "python3-websockets is not installed")
class WebSockets(StreamingTest):
    """A real client inside, a real server outside: behind nginx, and with TLS of its own."""

    closes = queue.Queue()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop = asyncio.new_event_loop()
        cls.thread = threading.Thread(target=cls.loop.run_forever, daemon=True)
        cls.thread.start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*cls.world.good)
        cls.servers = [asyncio.run_coroutine_threadsafe(cls.serve(port, tls), cls.loop).result(PATIENCE)
                       for port, tls in ((8099, None), (8098, context))]

    @classmethod
    async def serve(cls, port, tls):
        return await websockets.serve(cls.echo, WEB4, port, ssl=tls, max_size=None, subprotocols=["echo"])

    @classmethod
    async def stop(cls, server):
        server.close()
        await server.wait_closed()

    @classmethod
    async def echo(cls, ws, path="/"):
        await ws.send("welcome")
        try:
            async for message in ws:
                if message == "close with 4242":
                    await ws.close(4242, "as you wish")
                    return
                if message == "ping me":
                    await asyncio.wait_for(await ws.ping(b"are you there"), 5)
                    message = "you were there"
                await ws.send(message)
        except websockets.ConnectionClosed:
            pass
        finally:
            if ws.close_code >= 4000:
                cls.closes.put((ws.close_code, ws.close_reason))

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            asyncio.run_coroutine_threadsafe(cls.stop(server), cls.loop).result(PATIENCE)
        cls.loop.call_soon_threadsafe(cls.loop.stop)
        cls.thread.join(PATIENCE)
        cls.loop.close()
        super().tearDownClass()

    def converse(self, url):
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", WEBSOCKET_CLIENT, url)
        report = json.loads(output)
        self.assertEqual(report, {
            "subprotocol": "echo", "extensions": ["permessage-deflate"], "greeting": "welcome", "text": "text \u20ac",
            "large": True, "fragmented": "fragmented", "empty": "", "pong": True, "pinged": "you were there",
            "order": True, "close": [4001, "done here"], "closed": [4242, "as you wish"]})
        self.assertEqual({self.closes.get(timeout=PATIENCE) for _ in range(2)},
                         {(4001, "done here"), (4242, "as you wish")})

    def test_behind_nginx_over_tls(self):
        self.converse("wss://ws.example.com/chat")
        requests = [e for e in self.events(self.sid) if e["type"] == "net_http_request"]
        self.assertEqual([e["fields"]["status"] for e in requests], [101, 101])
        self.assertGreater(requests[0]["fields"]["bytes_received"], 5_000_000)

    def test_behind_nginx_plain(self):
        self.converse("ws://ws.example.com/chat")

    def test_with_tls_of_its_own(self):
        self.converse("wss://ws.example.com:8098/")

    def test_a_message_arrives_when_it_is_sent(self):
        program = """
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as ws:
        print(await ws.recv(), flush=True)
        for line in iter(sys.stdin.readline, ""):
            await ws.send(line.strip())
            print(await ws.recv(), flush=True)
asyncio.run(main())
"""
        client = self.start("/usr/bin/python3", "-c", program, "wss://ws.example.com/", stdin=subprocess.PIPE)
        self.assertEqual(self.line_from(client), b"welcome\n")
        for line in (b"one\n", b"two\n"):
            client.stdin.write(line)
            client.stdin.flush()
            self.assertEqual(self.line_from(client), line)

    def test_a_refusal_is_an_answer(self):
        program = """
import asyncio, sys, websockets
async def main():
    try:
        async with websockets.connect(sys.argv[1]): print("connected")
    except websockets.InvalidStatusCode as refused: print(refused.status_code)
asyncio.run(main())
"""
        output = self.assert_runs(self.sid, "/usr/bin/python3", "-c", program, f"ws://{harness.OTHER4}/")
        self.assertEqual(output, b"403\n")


if __name__ == "__main__":
    harness.main()
