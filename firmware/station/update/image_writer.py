"""A new image on its way into a region of our own flash: programmed piece by piece, read back at its end.

    writer.begin(region, name)
    await writer.write(piece); …
    size, crc = await writer.end(digest)

Memory: a buffer of 1 KiB, kept for the next image.
"""

import asyncio
import binascii
import hashlib

from micropython import const

from station.update.refused import DIGEST, SIZE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from station.storage.region import Region

_PIECE = const(1024)  # programmed or read at once


class ImageWriter:
    """One image at a time."""

    def __init__(self) -> None:
        self._region: "Any" = None
        self._name = ""
        self._buffer = memoryview(bytearray(_PIECE))
        self._filled = 0  # bytes in the buffer
        self._written = 0  # bytes in the region
        self._erased = 0  # blocks

    def begin(self, region: "Region", name: str) -> None:
        """`name`: of the region, for errors. What it holds is erased as the image comes."""
        self._region = region
        self._name = name
        self._filled = self._written = self._erased = 0

    async def write(self, piece: memoryview) -> None:
        """Take the next bytes. Raises Refused (SIZE) beyond the region's end, OSError if the flash fails."""
        at = 0
        while at < len(piece):
            taken = min(len(piece) - at, _PIECE - self._filled)
            self._buffer[self._filled : self._filled + taken] = piece[at : at + taken]
            self._filled += taken
            at += taken
            if self._filled == _PIECE:
                await self._program()

    async def _program(self) -> None:
        region = self._region
        size = self._filled
        if self._written + size > region.size:
            raise Refused(SIZE, "%s has room for %d bytes" % (self._name, region.size))
        padded = (size + region.word - 1) // region.word * region.word
        for i in range(size, padded):
            self._buffer[i] = 0xFF
        if self._written + padded > self._erased * region.block_size:
            region.erase(self._erased)
            self._erased += 1
            await asyncio.sleep_ms(0)
        region.program(self._written, self._buffer[:padded])
        self._written += size
        self._filled = 0
        await asyncio.sleep_ms(0)

    async def end(self, digest: "bytes | memoryview") -> "tuple[int, int]":
        """(bytes, CRC-32) of what was written. Raises Refused (DIGEST) if the flash has not what was sent."""
        if self._filled:
            await self._program()
        hashed, crc, at = hashlib.sha256(), 0, 0
        while at < self._written:
            view = self._buffer[: min(_PIECE, self._written - at)]
            self._region.read(at, view)
            hashed.update(view)
            crc = binascii.crc32(view, crc)
            at += len(view)
            await asyncio.sleep_ms(0)
        if hashed.digest() != digest:
            raise Refused(DIGEST, "%s does not hold what was written" % self._name)
        return self._written, crc
