"""A component on the RS-485 line: the charge controller. Modbus, Application Protocol 1.1b3 §6.3, §6.12, §6.15.

Holding registers from 0xF000 on, high byte and high word first:

    0       0x4C50, "LP": this profile     1       phase, the index in PHASES
    2       limit, bytes of an image, u32  4       how many numbers its version has, 1 to 5
    5       these numbers, i32 each        15      vendor, UUID           23      class, UUID
    31      SHA-256 of what runs           47      bytes that came, u32   49      number of its fault, 0: none

Orders are written to 0xF100 on: the number of the order, from 1 on as in ORDERS, and with 1 and 2 the size, u32, and
the SHA-256. The image goes into files, 20,000 bytes each, from file 1 on (function 21), _PIECE bytes at once; an odd
last byte is followed by a 0.
"""

import struct

from micropython import const

from station.update.components import ORDERS, PHASES, Component, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STATUS, _REGISTERS = const(0xF000), const(50)
_ORDERS = const(0xF100)
_PROFILE = const(0x4C50)
_PIECE = const(100)  # bytes; fits twice into the receive buffer of the line, for an adapter that echoes
_FILE = const(20_000)  # bytes of a file: 10,000 records


class ModbusComponent(Component):
    """`slave`: a `drivers.slave.Slave`, or what has its methods."""

    def __init__(self, name: str, slave: "Any") -> None:
        super().__init__(name)
        self._slave = slave
        self._piece = bytearray(_PIECE)
        self._filled = 0
        self._written = 0

    async def status(self) -> Status:
        try:
            data = await self._slave.read(_STATUS, _REGISTERS)
        except OSError as error:
            raise self.error(error)
        profile, phase, limit, numbers = struct.unpack_from(">HHIH", data)
        if profile != _PROFILE or phase >= len(PHASES) or not 1 <= numbers <= 5:
            raise self.error("its status is none: %r" % data[:10])
        found = struct.unpack_from(">iiiii", data, 10)[:numbers]
        fault = struct.unpack_from(">H", data, 98)[0]
        said = "(fault %d)" % fault if fault else ""
        return Status(data[30:46], data[46:62], found, limit, phase, data[62:94], said)

    async def begin(self, size: int, digest: "bytes | memoryview") -> None:
        self._filled = self._written = 0
        await super().begin(size, digest)

    async def write(self, offset: int, piece: memoryview) -> None:
        at = 0
        while at < len(piece):
            taken = min(len(piece) - at, _PIECE - self._filled)
            self._piece[self._filled : self._filled + taken] = piece[at : at + taken]
            self._filled += taken
            at += taken
            if self._filled == _PIECE:
                await self._send()

    async def _send(self) -> None:
        size = self._filled
        if size & 1:
            self._piece[size] = 0
            size += 1
        file, offset = divmod(self._written, _FILE)
        try:
            await self._slave.write_file(file + 1, offset // 2, memoryview(self._piece)[:size])
        except OSError as error:
            raise self.error(error)
        self._written += self._filled
        self._filled = 0

    async def verify(self, size: int, digest: "bytes | memoryview") -> None:
        if self._filled:
            await self._send()
        await super().verify(size, digest)

    async def _order(self, order: str, size: int = 0, digest: "bytes | memoryview" = b"") -> None:
        data = struct.pack(">H", 1 + ORDERS.index(order))
        if digest:
            data += struct.pack(">I", size) + bytes(digest)
        try:
            await self._slave.write(_ORDERS, data)
        except OSError as error:
            raise self.error(error)
