"""A server that misbehaves as it is asked to by the path of the request, in threads of the test's own process."""

import contextlib
import os
import socket
import struct
import subprocess
import threading

ADDRESS = "11.22.33.40"
NAME = "faulty.example.com"


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class FaultyServer:
    """Keeps what it received, connection by connection; serves ADDRESS:80, and knows no TLS on ADDRESS:443."""

    def __init__(self, address=ADDRESS):
        self.received = []  # One bytearray per connection.
        self.open_connections = 0
        self.waiting = 0  # Connections that last until the other side ends them.
        self.lock = threading.Lock()
        self.listeners = []
        for port in (80, 443):
            listener = socket.create_server((address, port), backlog=16384)
            self.listeners.append(listener)
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                continue
            if listener.getsockname()[1] == 443:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def all_received(self):
        with self.lock:
            return b"\n".join(bytes(one) for one in self.received)

    def serve(self, connection):
        record = bytearray()
        with self.lock:
            self.received.append(record)
            self.open_connections += 1
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self.answer_one(connection, record):
                pass
        with contextlib.suppress(OSError):
            connection.close()
        with self.lock:
            self.open_connections -= 1

    def read_head(self, connection, record):
        start = len(record)
        while b"\r\n\r\n" not in record[start:]:
            piece = connection.recv(65536)
            if not piece:
                return None
            record += piece
        return bytes(record[start:])

    @contextlib.contextmanager
    def counted(self):
        with self.lock:
            self.waiting += 1
        try:
            yield
        finally:
            with self.lock:
                self.waiting -= 1

    def wait_for_the_end(self, connection):
        """Until the peer closes."""
        with self.counted():
            while connection.recv(65536):
                pass

    def answer_one(self, connection, record):
        head = self.read_head(connection, record)
        if head is None:
            return False
        behaviour = getattr(self, head.split(b" ")[1].decode().lstrip("/").split("?")[0].replace("-", "_") or "good", None)
        if behaviour is None:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        return behaviour(connection) is not False

    def good(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ngood\n")

    def stall_head(self, connection):
        self.wait_for_the_end(connection)
        return False

    def stall_in_head(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-")
        self.wait_for_the_end(connection)
        return False

    def stall_body(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
        self.wait_for_the_end(connection)
        return False

    def close_at_once(self, connection):
        return False

    def reset_at_once(self, connection):
        reset(connection)
        return False

    def reset_in_body(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
        connection.settimeout(0.2)  # Or the reset would take along what was sent.
        with contextlib.suppress(TimeoutError):
            connection.recv(1)
        reset(connection)
        return False

    def endless_headers(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Field: " + b"a" * 100 + b"\r\n")

    def endless_line(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"a" * 65536)

    def endless_interim(self, connection):
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

    def endless_trailers(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n0\r\n")
        while True:
            connection.sendall(b"X-Field: " + b"a" * 100 + b"\r\n")

    def endless_body(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        with self.counted():
            while True:
                connection.sendall(chunk)

    def short_body(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
        return False

    def short_chunks(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n")
        return False

    def long_body(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbegin"
                           b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned")

    def bad_chunk(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\nZZ\r\nmore\r\n0\r\n\r\n")

    def both_lengths(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n0\r\n\r\n")

    def two_lengths(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nbegin")

    def garbage(self, connection):
        connection.sendall(b"\x00\xff\x13\x37" + os.urandom(3000) + b"\r\n\r\n")

    def tls_alert(self, connection):
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
        return False

    def bad_status(self, connection):
        connection.sendall(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n")

    def unasked_upgrade(self, connection):
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw")


_server = None


def shared():
    """The one of this process, in the world that was made."""
    global _server
    if _server is None:
        subprocess.run(["ip", "addr", "add", ADDRESS + "/24", "dev", "internet"], check=True)
        _server = FaultyServer()
    return _server
