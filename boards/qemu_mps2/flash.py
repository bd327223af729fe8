"""The board's NOR flash, as `boards/unix/flash.py`, but in C; and one whose power goes at a certain operation."""

import qemu
from micropython import const
from qemu import Flash as FileFlash

CUT_STATUS = const(76)  # exit status: the power went where `cut=` said
HOWS = ("undone", "half", "done")

_BLOCK_ERASE = const(6)


class CutFlash:
    """`FileFlash`, until its operation number `cut` (programs and erases, from 1): there the emulator ends.

    `how` says how much of that operation is done: nothing, the first half, or all.
    """

    def __init__(self, path: str, blocks: int, block_size: int, cut: int, how: str) -> None:
        if how not in HOWS:
            raise ValueError("cut_how must be one of %s, got %r" % (", ".join(HOWS), how))
        self._flash = FileFlash(path, blocks, block_size)
        self._halves = FileFlash(path, 2 * blocks, block_size // 2)  # the same chip, seen in half blocks
        self._left = cut
        self._how = how
        self.readblocks = self._flash.readblocks
        self.mapped = self._flash.mapped

    @property
    def bytes_programmed(self) -> int:
        return self._flash.bytes_programmed

    def writeblocks(self, block: int, buf, offset: "int | None" = None):
        if offset is None:
            raise ValueError("this flash wants to be erased first")
        self._left -= 1
        if self._left == 0 and self._how != "done":
            if self._how == "half":
                self._flash.writeblocks(block, memoryview(buf)[: len(buf) // 2], offset)
            qemu.exit(CUT_STATUS)
        self._flash.writeblocks(block, buf, offset)
        return self._done()

    def ioctl(self, operation: int, argument: int):
        if operation != _BLOCK_ERASE:
            return self._flash.ioctl(operation, argument)
        self._left -= 1
        if self._left == 0 and self._how != "done":
            if self._how == "half":
                self._halves.ioctl(_BLOCK_ERASE, 2 * argument)
            qemu.exit(CUT_STATUS)
        self._flash.ioctl(operation, argument)
        return self._done()

    def _done(self) -> int:
        if self._left == 0:
            qemu.exit(CUT_STATUS)
        return 0
