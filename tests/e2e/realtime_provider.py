"""The Realtime API of llm_provider: WebSocket messages (RFC 6455, with permessage-deflate where it is offered) over a
connection whose request was read. The model repeats what it was told, as everywhere in the tests, in deltas of two or three
characters; every message goes out in fragments. What arrives is kept in the provider's `messages`."""

import base64
import hashlib
import json
import struct
import zlib

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TAIL = b"\x00\x00\xff\xff"  # What a compressed message ends with is not sent (RFC 7692 §7.2.1).


class Closed(Exception):
    """The client said why it ends, or just left."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class WebSocket:
    """The server's side. Extensions are off where `deflate` is False."""

    def __init__(self, handler, deflate):
        offered = handler.headers.get("Sec-WebSocket-Extensions", "")
        self.deflate = deflate and "permessage-deflate" in offered
        self.reader, self.writer = handler.rfile, handler.wfile
        self.inflater = zlib.decompressobj(-15)
        self.deflater = zlib.compressobj(wbits=-15)
        digest = hashlib.sha1((handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Accept: " + base64.b64encode(digest).decode()]
        if self.deflate:
            lines.append("Sec-WebSocket-Extensions: permessage-deflate")
        if "realtime" in handler.headers.get("Sec-WebSocket-Protocol", ""):
            lines.append("Sec-WebSocket-Protocol: realtime")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def frame(self, first, opcode, payload):
        size = len(payload)
        head = bytes([first | opcode, size]) if size < 126 else bytes([first | opcode, 126]) + struct.pack(">H", size)
        self.writer.write(head + payload)

    def send(self, document):
        data, compressed = json.dumps(document).encode(), 0
        if self.deflate:
            data = (self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
            compressed = 0x40
        half = len(data) // 2
        self.frame(compressed, TEXT, data[:half])
        self.frame(0x80, PING, b"still there")
        self.frame(0x80, 0, data[half:])

    def read_frame(self):
        head = self.reader.read(2)
        if len(head) < 2:
            raise Closed(1006)
        assert head[1] & 0x80, "a client's frame is masked"
        size = head[1] & 0x7f
        if size == 126:
            size, = struct.unpack(">H", self.reader.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.reader.read(8))
        mask = self.reader.read(4)
        data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.reader.read(size)))
        return head[0], data

    def receive(self):
        """The next text."""
        whole, compressed = b"", False
        while True:
            first, data = self.read_frame()
            opcode = first & 0xf
            if opcode == CLOSE:
                code = struct.unpack(">H", data[:2])[0] if data else 1005
                self.frame(0x80, CLOSE, data[:2])
                raise Closed(code)
            if opcode == PING:
                self.frame(0x80, PONG, data)
            if opcode >= CLOSE:
                continue
            compressed = compressed or bool(first & 0x40)
            whole += data
            if first & 0x80:
                return self.inflater.decompress(whole + TAIL) if compressed else whole


def words(text):
    return len(text.split())


def pieces_of(text):
    return (text[at:at + 3] for at in range(0, len(text), 3))


def answer(socket, said, number):
    text = f"You said: {said}"
    response = {"id": f"resp_{number}", "object": "realtime.response", "status": "in_progress", "output": [], "usage": None}
    place = {"response_id": response["id"], "item_id": f"item_{number}", "output_index": 0, "content_index": 0}
    socket.send({"type": "response.created", "event_id": "event_1", "response": response})
    for piece in pieces_of(text):
        socket.send({"type": "response.text.delta", "event_id": "event_2", "delta": piece} | place)
    socket.send({"type": "response.text.done", "event_id": "event_3", "text": text} | place)
    usage = {"total_tokens": words(said) + words(text), "input_tokens": words(said), "output_tokens": words(text),
             "input_token_details": {"text_tokens": words(said), "audio_tokens": 0, "cached_tokens": 0},
             "output_token_details": {"text_tokens": words(text), "audio_tokens": 0}}
    item = {"id": place["item_id"], "type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}
    socket.send({"type": "response.done", "event_id": "event_4",
                 "response": response | {"status": "completed", "output": [item], "usage": usage}})


def serve(handler, provider):
    """Until the client leaves; the code that it closed with is kept in the provider's `closed`."""
    socket = WebSocket(handler, provider.deflate)
    socket.send({"type": "session.created", "event_id": "event_0", "session": {"model": "gpt-realtime", "object": "realtime.session"}})
    said, number = "", 0
    try:
        while True:
            text = socket.receive().decode()
            provider.messages.append(text)
            event = json.loads(text)
            if event["type"] == "conversation.item.create":
                said = event["item"]["content"][0]["text"]
            if event["type"] == "response.create":
                number += 1
                answer(socket, said, number)
    except (Closed, OSError) as end:
        provider.closed.append(getattr(end, "code", 1006))
