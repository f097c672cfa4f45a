"""What is on the wire of the test's namespace: every frame of every interface, by AF_PACKET."""

import select
import socket
import struct
import threading

ETH_P_ALL = 3
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33


class Frame:
    def __init__(self, data, seconds, interface):
        self.data, self.seconds, self.interface = data, seconds, interface
        self.protocol = self.source = self.destination = self.destination_port = None
        self.begins_connection = False
        kind = struct.unpack_from("!H", data, 12)[0] if len(data) >= 14 else 0
        if kind == 0x0800 and len(data) >= 34:
            self.read_ip(data[23], socket.inet_ntop(socket.AF_INET, data[26:30]),
                         socket.inet_ntop(socket.AF_INET, data[30:34]), 14 + (data[14] & 15) * 4)
        elif kind == 0x86DD and len(data) >= 54:
            self.read_ip(data[20], socket.inet_ntop(socket.AF_INET6, data[22:38]),
                         socket.inet_ntop(socket.AF_INET6, data[38:54]), 54)

    def read_ip(self, protocol, source, destination, payload):
        self.protocol, self.source, self.destination = protocol, source, destination
        if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP) and len(self.data) >= payload + 8:
            self.destination_port = struct.unpack_from("!H", self.data, payload + 2)[0]
        if protocol == socket.IPPROTO_TCP and len(self.data) >= payload + 14:
            self.begins_connection = self.data[payload + 13] & 0x12 == 0x02  # SYN without ACK.

    def __repr__(self):
        return (f"{self.seconds:.6f} {self.interface} proto {self.protocol} {self.source} -> {self.destination}:"
                f"{self.destination_port} {self.data[:160]!r}")


class Capture:
    """Keeps the frames for which `wanted(frame)` is true, from now until stop()."""

    def __init__(self, wanted):
        self.wanted, self.frames, self.seen = wanted, [], 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        self.wake, self.stop_end = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            readable, _, _ = select.select([self.socket, self.wake], [], [])
            if self.socket in readable:
                self.drain()
            elif self.wake in readable:
                return

    def drain(self):
        for _ in range(1000):
            try:
                data, ancillary, _, address = self.socket.recvmsg(65536, 128)
            except BlockingIOError:
                return
            self.seen += 1
            seconds = 0.0
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    whole, nano = struct.unpack("qq", content[:16])
                    seconds = whole + nano / 1e9
            frame = Frame(data, seconds, address[0])
            if self.wanted(frame):
                self.frames.append(frame)

    def stop(self):
        """Ends the capture after everything that the kernel has queued; returns the frames."""
        self.stop_end.send(b"x")
        self.thread.join(20)
        statistics = self.socket.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS
        self.lost = struct.unpack("II", statistics)[1]
        for used in (self.socket, self.wake, self.stop_end):
            used.close()
        return self.frames
