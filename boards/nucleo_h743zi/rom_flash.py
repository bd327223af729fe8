"""A slot of the application in the second bank of the chip's own flash: `RomFlash`, an extended block device.

The port erases and programs it, and gives it to the processor's address space. It is erased as a whole, in one call
that takes up to 2 s for each 128 KiB; the interlock's interrupts come meanwhile: the image runs from the other bank.
"""

import vfs
from micropython import const

_SEGMENT, _PREPARE, _WRITE = const(2), const(3), const(4)  # what vfs.rom_ioctl does
_BLOCK_COUNT, _BLOCK_SIZE, _BLOCK_ERASE = const(4), const(5), const(6)
_BLOCK = const(131072)


class RomFlash:
    """`part`: 0 or 1. Blocks are sectors, of 128 KiB; erasing the first erases all, the others are erased by that."""

    def __init__(self, part: int) -> None:
        self._part = part
        self.memory = vfs.rom_ioctl(_SEGMENT, part)

    def readblocks(self, block: int, buf, offset: int = 0) -> None:
        start = block * _BLOCK + offset
        memoryview(buf)[:] = self.memory[start : start + len(buf)]

    def writeblocks(self, block: int, buf, offset: int) -> int:
        """`offset` and length in words of 32 bytes. Gives a negative errno if it fails."""
        return vfs.rom_ioctl(_WRITE, self._part, block * _BLOCK + offset, buf)

    def ioctl(self, op: int, arg: int):
        if op == _BLOCK_COUNT:
            return len(self.memory) // _BLOCK
        if op == _BLOCK_SIZE:
            return _BLOCK
        if op == _BLOCK_ERASE:
            return min(0, vfs.rom_ioctl(_PREPARE, self._part, len(self.memory))) if arg == 0 else 0
        return None
