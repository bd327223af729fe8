"""A serial NOR flash (W25Q128 and its like) at a SPI bus: `NorFlash`, MicroPython's extended block device.

The port has a driver of its own, in C. It masks the timers' interrupts while the chip erases, for up to 400 ms,
and with them the interlock. This one waits in Python, where an interrupt may come at any time.

What a power cut leaves: a page programmed in part, a block erased in part; nothing else changes.
"""

import errno
import time

from micropython import const

_PAGE = const(256)  # programmed at once, at most
_BLOCK = const(4096)
_READ = const(0x03)
_PROGRAM = const(0x02)
_ERASE = const(0x20)
_STATUS = const(0x05)
_WRITE_ENABLE = const(0x06)
_IDENTIFY = const(0x9F)
_WAKE = const(0xAB)
_BUSY = const(0x01)  # bits of the status
_ENABLED = const(0x02)
_WAKES_US = const(30)
_PROGRAMS_MS = const(10)  # 3 ms by the data sheet, and a bound is all that is wanted here
_ERASES_MS = const(500)  # 400 ms
_NOBODY = (0x00, 0xFF)  # manufacturers that a bus without a chip answers with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import SPI, Pin


class NorFlash:
    """Blocks `first` to `first + blocks - 1`, of 4 KiB, of the chip at `spi`, selected by `select` low.

    Raises OSError(ENODEV) if no chip answers, or one that is too small.
    """

    def __init__(self, spi: "SPI", select: "Pin", first: int, blocks: int) -> None:
        self._spi = spi
        self._select = select
        self._command = bytearray(4)
        self._byte = bytearray(1)
        self._first = first
        self._blocks = blocks
        select(1)
        self._say(_WAKE)
        time.sleep_us(_WAKES_US)
        manufacturer, _, capacity = self._identify()
        if manufacturer in _NOBODY or not 12 <= capacity < 31 or 1 << capacity < (first + blocks) * _BLOCK:
            text = "SPI flash: expected %d KiB, the chip says %02x %02x" % (
                (first + blocks) * 4,
                manufacturer,
                capacity,
            )
            raise OSError(errno.ENODEV, text)

    def readblocks(self, block: int, buf, offset: int = 0) -> None:
        """Fill `buf` from `offset` in `block` on."""
        self._start(_READ, self._address(block) + offset)
        try:
            self._spi.readinto(buf)
        finally:
            self._select(1)

    def writeblocks(self, block: int, buf, offset: "int | None" = None) -> None:
        """Program `buf` from `offset` in `block` on, which must be erased there; without `offset` erase first."""
        at = self._address(block) + (offset or 0)
        if offset is None:
            for number in range(block, block + (len(buf) + _BLOCK - 1) // _BLOCK):
                self._erase(number)
        view = memoryview(buf)
        done = 0
        while done < len(view):
            size = min(_PAGE - (at + done) % _PAGE, len(view) - done)
            self._enable()
            self._start(_PROGRAM, at + done)
            try:
                self._spi.write(view[done : done + size])
            finally:
                self._select(1)
            self._settle(_PROGRAMS_MS)
            done += size

    def ioctl(self, op: int, arg: int) -> "int | None":
        """MicroPython's block device: 4 blocks, 5 bytes of a block, 6 erase block `arg`."""
        if op == 4:
            return self._blocks
        if op == 5:
            return _BLOCK
        if op == 6:
            self._erase(arg)
        return 0

    def _erase(self, block: int) -> None:
        at = self._address(block)
        self._enable()
        self._start(_ERASE, at)
        self._select(1)
        self._settle(_ERASES_MS)

    def _address(self, block: int) -> int:
        if not 0 <= block < self._blocks:
            raise OSError(errno.EINVAL, "SPI flash: block %d of %d" % (block, self._blocks))
        return (self._first + block) * _BLOCK

    def _identify(self) -> bytearray:
        """(manufacturer, type, capacity as a power of two)"""
        found = bytearray(3)
        self._select(0)
        try:
            self._put(_IDENTIFY)
            self._spi.readinto(found)
        finally:
            self._select(1)
        return found

    def _enable(self) -> None:
        self._say(_WRITE_ENABLE)
        if not self._status() & _ENABLED:
            raise OSError(errno.EIO, "SPI flash: write-protected, or gone")

    def _settle(self, within_ms: int) -> None:
        """Wait until the chip has done it."""
        started = time.ticks_ms()
        while self._status() & _BUSY:
            if time.ticks_diff(time.ticks_ms(), started) > within_ms:
                raise OSError(errno.ETIMEDOUT, "SPI flash: busy for %d ms" % within_ms)

    def _status(self) -> int:
        self._select(0)
        try:
            self._put(_STATUS)
            self._spi.readinto(self._byte)
        finally:
            self._select(1)
        return self._byte[0]

    def _say(self, command: int) -> None:
        self._select(0)
        self._put(command)
        self._select(1)

    def _put(self, command: int) -> None:
        self._byte[0] = command
        self._spi.write(self._byte)

    def _start(self, command: int, address: int) -> None:
        """Select the chip and send what it is to do, and where; the caller goes on from there."""
        words = self._command
        words[0] = command
        words[1] = address >> 16 & 255
        words[2] = address >> 8 & 255
        words[3] = address & 255
        self._select(0)
        self._spi.write(words)
