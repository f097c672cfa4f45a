"""What the appliance's benchmark runs inside a session and outside it; each prints one JSON value.

  clients.py connect ADDRESS PORT COUNT          times of connect(), in microseconds
  clients.py new-hosts ADDRESS PORT HOST...      times until a new host's first byte, in microseconds; address "-": look
                                                 each up first
  clients.py idle HOST PORT plain|tls COUNT      connections that have served a request; holds them until stdin ends
"""

import json
import resource
import socket
import ssl
import struct
import sys
import time

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def unverified():
    # The proxies beside us sign with authorities of their own; checking costs all of them the same.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def request(host):
    return f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def time_connects(address, port, count):
    times = []
    for _ in range(count):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            start = time.perf_counter_ns()
            client.connect((address, port))
            times.append((time.perf_counter_ns() - start) / 1000)
    return times


def time_new_hosts(address, port, hosts):
    context = unverified()
    times = []
    for host in hosts:
        target = socket.gethostbyname(host) if address == "-" else address
        start = time.perf_counter_ns()
        with socket.create_connection((target, port), 10) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain, server_hostname=host) as client:
                client.sendall(request(host))
                first = client.recv(65536)
                times.append((time.perf_counter_ns() - start) / 1000)
        if not first.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{host}: {first[:400]!r}")
    return times


def open_idle(host, port, kind, count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    address = socket.gethostbyname(host)
    context = unverified()
    held = []
    for _ in range(count):
        client = socket.create_connection((address, port), 10)
        if kind == "tls":
            client = context.wrap_socket(client, server_hostname=host)
        client.sendall(request(host))
        if not client.recv(65536).startswith(b"HTTP/1.1 200"):
            break
        held.append(client)
    print(json.dumps(len(held)), flush=True)
    sys.stdin.read()


def main(what, *arguments):
    if what == "connect":
        print(json.dumps(time_connects(arguments[0], int(arguments[1]), int(arguments[2]))))
    elif what == "new-hosts":
        print(json.dumps(time_new_hosts(arguments[0], int(arguments[1]), arguments[2:])))
    elif what == "idle":
        open_idle(arguments[0], int(arguments[1]), arguments[2], int(arguments[3]))


main(*sys.argv[1:])
