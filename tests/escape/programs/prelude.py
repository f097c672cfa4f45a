# In front of every attempt that is written in Python: short names, raw system calls, and socket addresses that the
# socket module would not make.
import ctypes
import errno
import os
import socket
import struct
import sys
from socket import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM

socket.setdefaulttimeout(3)
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x2000000, 0x10000000, 0x40000000
SOL_TCP, TCP_FASTOPEN_CONNECT, MSG_FASTOPEN, MSG_MORE = 6, 30, 0x20000000, 0x8000


def syscall(number, *arguments):
    """The result, or an OSError."""
    result = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else
                                                  (a if not isinstance(a, int) else ctypes.c_long(a)) for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def address4(address, port, family=AF_INET):
    return struct.pack("=H", family) + struct.pack(">H", port) + socket.inet_aton(address) + bytes(8)


def address6(address, port, scope=0):
    return (struct.pack("=H", AF_INET6) + struct.pack(">H", port) + bytes(4) + socket.inet_pton(AF_INET6, address)
            + struct.pack("=I", scope))


def connect_raw(sock, address):
    if libc.connect(sock.fileno(), address, len(address)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def sendto_raw(sock, data, flags, address):
    if libc.sendto(sock.fileno(), data, len(data), flags, address, len(address)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def escaped(*what):
    print("ESCAPED", *what, flush=True)


def victims():
    """Processes to take something from. In a session every one that can be seen; outside, where it works, only the one
    that the test started for it."""
    if os.environ.get("AGENTSH_IN_SESSION") != "1":
        return {OUTSIDER}  # noqa: F821 (set in front of the attempt)
    return {OUTSIDER, 1} | {int(p) for p in os.listdir("/proc") if p.isdigit()} - {os.getpid()}  # noqa: F821


def absent_if(error, *codes):
    """The kernel has no such thing, confined or not."""
    if error.errno in codes:
        print("ABSENT", error)
    raise error


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(protocol, payload, destination, source="11.22.33.10"):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0, socket.inet_aton(source),
                       socket.inet_aton(destination))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(data, port):
    return struct.pack(">HHHH", 5555, port, 8 + len(data), 0) + data


def echo_request(data, kind=8):
    packet = struct.pack(">BBHHH", kind, 0, 0, 77, 1) + data
    return packet[:2] + struct.pack(">H", checksum(packet)) + packet[4:]


