"""A serial card reader: it sends one line a card, "TOKEN\\r\\n", and answers ENQ with ACK.

`await read()` gives the next id tag. A reader that answers three enquiries with nothing is dead: `read()` raises
OSError once, `alive` is False, and later reads wait until the reader is back and has a card.
"""

import asyncio
import time

from machine import UART
from micropython import const

MAX_TOKEN = const(20)  # characters of an IdToken, OCPP 1.6 §7.28

_BAUD = const(9600)
_POLL_MS = const(50)
_ENQUIRY_MS = const(2000)  # between enquiries
_ENQUIRIES = const(3)  # without an answer, then the reader is dead
_ENQ = const(0x05)
_ACK = const(0x06)
_LF = const(0x0A)
_CR = const(0x0D)


class CardReader:
    """The reader at a UART with these arguments of machine.UART, as a board's `uart(key)` gives them.

    What is no id tag (too long, empty, not printable) is logged and ignored.
    """

    def __init__(self, uart: dict, log=None) -> None:
        self._id = uart["id"]
        wires = {name: value for name, value in uart.items() if name not in ("id", "direction")}
        self._uart = UART(self._id, _BAUD, rxbuf=64, **wires)
        self._log = log
        self._byte = bytearray(1)
        self._line = bytearray()
        self._enquired = time.ticks_ms()
        self._unanswered = 0
        self.alive = True

    async def read(self) -> str:
        """The next id tag, at most 20 printable characters, blanks around it removed."""
        while True:
            id_tag = self._receive()
            if id_tag:
                return id_tag
            self._enquire()
            await asyncio.sleep_ms(_POLL_MS)

    def _receive(self) -> "str | None":
        """The id tag of the first whole line among the bytes at hand; the bytes after it stay."""
        while self._uart.any():
            self._uart.readinto(self._byte)
            self._unanswered = 0
            self.alive = True
            byte = self._byte[0]
            if byte == _LF:
                id_tag = self._token()
                if id_tag:
                    return id_tag
            elif byte not in (_CR, _ACK) and len(self._line) <= 2 * MAX_TOKEN:  # one longer is too long anyway
                self._line.append(byte)
        return None

    def _token(self) -> "str | None":
        line = bytes(self._line).strip()
        self._line = bytearray()
        if 1 <= len(line) <= MAX_TOKEN and all([32 < byte < 127 for byte in line]):
            return line.decode()
        if self._log and line:
            self._log.warning(
                "reader", "card ignored: id tag must be 1 to %d printable characters, got %r", MAX_TOKEN, line
            )
        return None

    def _enquire(self) -> None:
        if time.ticks_diff(time.ticks_ms(), self._enquired) < _ENQUIRY_MS:
            return
        self._enquired = time.ticks_ms()
        self._uart.write(bytes((_ENQ,)))
        # counts enquiries, not time: a late loop or a moved clock says nothing about the reader
        self._unanswered += 1
        if self._unanswered > _ENQUIRIES and self.alive:
            self.alive = False
            raise OSError("card reader %d does not answer" % self._id)
