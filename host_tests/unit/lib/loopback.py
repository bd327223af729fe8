"""A backend on loopback inside the process: it accepts by hand, reads when told to and speaks just enough WebSocket.

And the settings of a link to it.
"""

import asyncio
import binascii
import hashlib
import os
import socket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


def listen():
    """(socket, port). There is no getsockname to learn the port that the system would choose."""
    while True:
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 40000
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
            listener.listen(5)
            listener.setblocking(False)
            return listener, port
        except OSError:
            listener.close()


class Settings(dict):
    """The keys that a link reads; `change` tells it, as a backend's ChangeConfiguration would."""

    def __init__(self, **more):
        super().__init__()
        self.update(
            {
                "RetryBackOffWaitMinimum": 3600,
                "RetryBackOffRepeatTimes": 3,
                "RetryBackOffRandomRange": 0,
                "WebSocketPingInterval": 0,
                "WebSocketMaxMessageSize": 4096,
                "MessageTimeout": 30,
            }
        )
        self.update(more)
        self._listener = None

    def on_change(self, name, callback):
        self._listener = callback

    def change(self, name, value):
        self[name] = value
        self._listener(value)


class Backend:
    """One listening socket; `await accept()` gives the next connection as a `Peer`."""

    def __init__(self):
        self._socket, self.port = listen()
        self._stream = asyncio.StreamReader(self._socket)
        self.url = "ws://127.0.0.1:%d/CP" % self.port
        self._peers = []

    async def accept(self):
        await _readable(self._socket)
        peer = Peer(self._socket.accept()[0])
        self._peers.append(peer)
        return peer

    def close(self):
        for peer in self._peers:
            peer.close()
        self._socket.close()


class Peer:
    """The backend's end of one connection."""

    def __init__(self, raw):
        raw.setblocking(False)
        self.raw = raw
        self.stream = asyncio.StreamReader(raw)

    async def shake_hands(self):
        """The opening handshake; gives the request's lines."""
        lines = []
        while True:
            line = await self.stream.readline()
            if line in (b"\r\n", b""):
                break
            lines.append(line.strip())
        key = next(line[19:] for line in lines if line.lower().startswith(b"sec-websocket-key: "))
        accept = binascii.b2a_base64(hashlib.sha1(key + _GUID).digest()).strip()
        self.stream.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await self.stream.drain()
        return lines

    async def frame(self):
        """(opcode, payload) of the next frame, unmasked; raises EOFError at the end."""
        head = await self.stream.readexactly(2)
        size = head[1] & 0x7F
        if size == 126:
            size = int.from_bytes(await self.stream.readexactly(2), "big")
        key = await self.stream.readexactly(4)
        data = await self.stream.readexactly(size) if size else b""
        return head[0] & 0x0F, bytes(byte ^ key[i & 3] for i, byte in enumerate(data))

    async def text(self):
        """The next text message; other frames are passed over."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1:
                return payload

    async def send(self, payload, opcode=1, fin=0x80):
        head = bytes((fin | opcode, len(payload))) if len(payload) < 126 else None
        if head is None:
            head = bytes((fin | opcode, 126)) + len(payload).to_bytes(2, "big")
        self.stream.write(head + payload)
        await self.stream.drain()

    def close(self):
        if self.raw is not None:
            self.raw.close()
            self.raw = None


def _readable(stream):
    yield asyncio.core._io_queue.queue_read(stream)
