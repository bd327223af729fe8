"""The board's NOR flash as a file: `FileFlash`.

The file is the plain image of the chip, as long as the highest byte ever written; beyond its end the chip
reads as erased. A process that is killed leaves each finished program and erase, and at most the one under
way in part, as a chip does: MicroPython hands every write to the kernel at once. (Only a crash of the host
itself could lose more; `flush` would be an fsync, thirty times the cost of the write.)
"""

from micropython import const
from nor import clear_bits, is_erased

_INIT, _DEINIT, _SYNC = const(1), const(2), const(3)
_BLOCK_COUNT, _BLOCK_SIZE, _BLOCK_ERASE = const(4), const(5), const(6)
_CHUNK = const(4096)
_EINVAL = const(22)


class FileFlash:
    """`blocks` erase blocks in the file `path`, made when absent.

    `strict`: programming a word that is not erased raises OSError(EINVAL), as STM32H7 would fail.
    """

    def __init__(self, path: str, blocks: int, block_size: int = 4096, strict: bool = False, word: int = 32):
        self._size = blocks * block_size
        self._block_size = block_size
        self._strict = strict
        self._word = word
        try:
            self._file = open(path, "r+b")  # noqa: SIM115 (open as long as the chip is)
        except OSError:
            self._file = open(path, "w+b")  # noqa: SIM115
        self._length = self._file.seek(0, 2)
        self.reads = self.programs = self.erases = 0
        self.bytes_read = self.bytes_programmed = 0

    def close(self) -> None:
        self._file.close()

    def readblocks(self, block: int, buf, offset: int = 0) -> None:
        position = self._position(block, offset, len(buf))
        self.reads += 1
        self.bytes_read += len(buf)
        there = min(len(buf), max(0, self._length - position))
        view = memoryview(buf)
        if there:
            self._file.seek(position)
            self._file.readinto(view[:there])
        if there < len(buf):
            view[there:] = b"\xff" * (len(buf) - there)

    def writeblocks(self, block: int, buf, offset: "int | None" = None) -> None:
        """With `offset` programs; without it erases the blocks first, as MicroPython's simple interface."""
        if offset is None:
            for i in range(len(buf) // self._block_size):
                self._erase(block + i)
            offset = 0
        position = self._position(block, offset, len(buf))
        cells = bytearray(len(buf))
        self.readblocks(block, cells, offset)
        if self._strict and not (position % self._word == 0 and is_erased(cells, len(cells))):
            raise OSError(_EINVAL)
        clear_bits(cells, buf, len(buf))
        self._write(position, cells)
        self.programs += 1
        self.bytes_programmed += len(buf)

    def mapped(self, first: int, blocks: int) -> bytearray:
        """A stretch as a board's processor would see it, up to its first erased block: a copy, as it is now."""
        size = self._block_size
        block = bytearray(size)
        used = 0
        while used < blocks:
            self.readblocks(first + used, block)
            if is_erased(block, size):
                break
            used += 1
        found = bytearray(used * size)
        self.readblocks(first, found)
        return found

    def ioctl(self, op: int, arg: int):
        if op == _BLOCK_COUNT:
            return self._size // self._block_size
        if op == _BLOCK_SIZE:
            return self._block_size
        if op == _BLOCK_ERASE:
            self._erase(arg)
            return 0
        if op in (_INIT, _DEINIT, _SYNC):
            return 0
        return None

    def _erase(self, block: int) -> None:
        position = self._position(block, 0, self._block_size)
        if position < self._length:
            self._write(position, b"\xff" * self._block_size)
        self.erases += 1

    def _write(self, position: int, data) -> None:
        while self._length < position:  # the gap is erased flash, and a hole in a file would read as zeros
            gap = min(_CHUNK, position - self._length)
            self._file.seek(self._length)
            self._file.write(b"\xff" * gap)
            self._length += gap
        self._file.seek(position)
        self._file.write(data)
        self._length = max(self._length, position + len(data))

    def _position(self, block: int, offset: int, length: int) -> int:
        position = block * self._block_size + offset
        if position < 0 or position + length > self._size:
            raise OSError(_EINVAL)
        return position
