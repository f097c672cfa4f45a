"""Requests as bytes, and answers taken apart strictly, for tests that send what no HTTP library would."""

import contextlib
import json
import socket


class Answer:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]!r}"


def connect(address, timeout=10):
    """`address`: the path of a Unix socket, or (host, port)."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(timeout)
    client.connect(address if isinstance(address, tuple) else str(address))
    return client


def read_answer(client, head_request=False):
    """One response with a Content-Length; None when the peer closed without one."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            if data:
                raise AssertionError(f"half an answer: {data!r}")
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    answer = Answer(head, body)
    length = 0 if head_request else int(answer.fields.get("content-length", "0"))
    while len(answer.body) < length:
        piece = client.recv(65536)
        if not piece:
            raise AssertionError(f"the body ends early: {answer}")
        answer.body += piece
    return answer


def send_raw(address, data, timeout=10):
    """Sends bytes and reads one answer; the peer may close before it has read all."""
    with connect(address, timeout) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(data)
        return read_answer(client)


def request(address, method, path, body=None, key=None, headers=(), timeout=10):
    payload = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: agentsh", f"Content-Length: {len(payload)}", "Connection: close"]
    if key:
        lines.append(f"X-API-Key: {key}")
    lines.extend(headers)
    return send_raw(address, "\r\n".join(lines).encode() + b"\r\n\r\n" + payload, timeout)
