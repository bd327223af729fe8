"""The network between the station and its backend: `Network`, and `Wire`, which stands in for the link's Transport.

What crosses it are the bytes of RFC 6455; the backend's end of them is here too. What the station writes is at the
backend at once, what the backend writes takes DELAY_MS. `Network.down()` ends the connection and refuses new ones.
"""

import asyncio
import binascii
import errno
import hashlib
import time

from flashes import PowerCut
from station.ocpp.mask import mask

DELAY_MS = 30

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class Network:
    """`receive(text)` of `backend` gets each text message, `connected()` is called for each connection."""

    def __init__(self, backend):
        self.backend = backend
        self.flash = None  # of the board that runs: without power it writes nothing
        self.is_up = True
        self.wire = None  # the present connection

    def up(self):
        self.is_up = True

    def down(self):
        """From now on nothing arrives, in either direction."""
        self.is_up = False
        self.drop()

    def drop(self):
        """End the connection; the station may open another one."""
        if self.wire:
            self.wire.cut_off()
            self.wire = None

    def transport(self):
        return Wire(self)

    def send(self, text):
        """A text message to the station; lost without a connection."""
        if self.wire:
            self.wire.send_text(text)


class Wire:
    """One connection. Its public names are those of `station.transfer.transport.Transport`."""

    def __init__(self, network):
        self._network = network
        self._arriving = []  # [time, bytes] on their way to the station
        self._news = asyncio.Event()
        self._ended = False
        self._opened = False
        self._received = bytearray()
        self._message = bytearray()
        self.kept = 0

    # --- what the link asks

    async def open(self, host, port, context=None, timeout_ms=0):
        await asyncio.sleep_ms(DELAY_MS)
        if not self._network.is_up:
            raise OSError(errno.ECONNREFUSED)
        self._network.wire = self

    async def read_into(self, buffer):
        while True:
            if self._arriving:
                at, data = self._arriving[0]
                wait = at - time.ticks_ms()
                if wait <= 0:
                    return self._take(data, buffer)
                await asyncio.sleep_ms(wait)
            elif self._ended:
                return 0
            else:
                self._news.clear()
                await self._news.wait()

    def _take(self, data, buffer):
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        if count == len(data):
            self._arriving.pop(0)
        else:
            self._arriving[0][1] = data[count:]
        return count

    def write(self, data):
        if self._network.flash.dead:
            raise PowerCut("a board without power writes nothing")
        if self._ended:
            raise OSError(errno.ECONNRESET)
        self._received.extend(data)
        if not self._opened:
            self._shake_hands()
        while self._opened and self._take_frame():
            pass

    async def pump(self):
        await asyncio.Event().wait()

    async def drained(self):
        pass

    def close(self):
        self._ended = True
        if self._network.wire is self:
            self._network.wire = None

    # --- the backend's end

    def cut_off(self):
        self._ended = True
        self._arriving.clear()
        self._news.set()

    def send_text(self, text):
        self._send(1, text)

    def send_part(self, text, length):
        """The beginning of a message whose end never comes."""
        self._write((_head(1, len(text)) + text)[:length])

    def _send(self, opcode, payload):
        self._write(_head(opcode, len(payload)) + payload)

    def _write(self, data):
        self._arriving.append([time.ticks_ms() + DELAY_MS, data])
        self._news.set()

    def _shake_hands(self):
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = bytes(self._received[:end]).split(b"\r\n")
        self._received = self._received[end + 4 :]
        key = next(line[19:] for line in lines if line.lower().startswith(b"sec-websocket-key: "))
        accept = binascii.b2a_base64(hashlib.sha1(key + _GUID).digest()).strip()
        self._write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._opened = True
        self._network.backend.connected()

    def _take_frame(self):
        """Work off one frame of the station's; False if it has not come whole."""
        data = self._received
        if len(data) < 2:
            return False
        size, at = data[1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
        if len(data) < at + 4 + size:
            return False
        payload = data[at + 4 : at + 4 + size]
        assert data[1] & 0x80, "a client's frame is masked"
        mask(payload, bytes(data[at : at + 4]), 0, size)
        fin, opcode = data[0] & 0x80, data[0] & 0x0F
        self._received = data[at + 4 + size :]
        if opcode == 8:
            self._send(8, payload)
            self._ended = True
        elif opcode == 9:
            self._send(10, payload)
        elif opcode in (0, 1):
            self._message.extend(payload)
            if fin:
                text, self._message = bytes(self._message), bytearray()
                self._network.backend.receive(text)
        return True


def _head(opcode, size):
    """Of a frame that is a whole message."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")
