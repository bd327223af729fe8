"""A raw stretch of flash, a partition of its own, seen as erase blocks: `read`, `program`, `erase`.

What a power cut leaves: whatever the chip leaves. A program may be done in part (any words of it, and one
word in part), an erase too; nothing else changes. Who uses a region must recognise both by a checksum.

Device: MicroPython's extended block device (`readblocks(n, buf, off)`, `writeblocks(n, buf, off)` that
programs without erasing, `ioctl(6, n)` that erases block n).
"""

from micropython import const

_BLOCK_COUNT = const(4)
_BLOCK_SIZE = const(5)
_BLOCK_ERASE = const(6)
_EIO = const(5)


class Region:
    """Blocks `first_block` to `first_block + blocks - 1` of `device`; offsets are bytes from its start."""

    def __init__(self, device, first_block: int, blocks: int, word: int = 32):
        """`word`: bytes that the chip programs at once, and only once between two erases."""
        count = device.ioctl(_BLOCK_COUNT, 0)
        if first_block < 0 or blocks < 1 or first_block + blocks > count:
            raise ValueError("region: blocks %d+%d, device has 0 to %d" % (first_block, blocks, count - 1))
        self.blocks = blocks
        self.block_size = device.ioctl(_BLOCK_SIZE, 0)
        self.size = blocks * self.block_size
        self.word = word
        if self.block_size % word:
            raise ValueError("region: word %d does not divide the block size %d" % (word, self.block_size))
        self._device = device
        self._first = first_block

    def read(self, offset: int, buf) -> None:
        """Fill `buf` (bytearray or memoryview) from `offset`, at most to the end of its block."""
        self._check(offset, len(buf))
        size = self.block_size
        _done(self._device.readblocks(self._first + offset // size, buf, offset % size))

    def program(self, offset: int, data) -> None:
        """Program `data` at `offset`, both multiples of `word`, within one block and erased before.

        Raises OSError when the chip fails; what the words then hold is unknown, and they are used up.
        """
        if offset % self.word or len(data) % self.word:
            raise ValueError("program at %d of %d bytes: not in words of %d" % (offset, len(data), self.word))
        self._check(offset, len(data))
        size = self.block_size
        _done(self._device.writeblocks(self._first + offset // size, data, offset % size))

    def erase(self, block: int) -> None:
        """Set each byte of `block` to 0xFF. Raises OSError when the chip fails."""
        if not 0 <= block < self.blocks:
            raise ValueError("erase of block %d, allowed 0 to %d" % (block, self.blocks - 1))
        _done(self._device.ioctl(_BLOCK_ERASE, self._first + block))

    def _check(self, offset: int, length: int) -> None:
        size = self.block_size
        if not 0 <= offset < self.size or offset % size + length > size:
            raise ValueError("%d bytes at %d: not within one block of %d bytes" % (length, offset, size))


def _done(result) -> None:
    """Block devices either raise or return a negative errno, where littlefs is their usual caller."""
    if result and result is not True and result < 0:
        raise OSError(-result)
