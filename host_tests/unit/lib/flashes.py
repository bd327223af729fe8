"""A NOR flash in RAM that can lose its power: `CuttableFlash`, `PowerCut`, and the ways a cut may leave it.

Erase blocks, and words that may be programmed once between two erases: programming one twice, or asking a 0
to become 1, fails the test at once. Programs and erases are counted together as `operations`; `cut` ends
one of them, and from then on nothing reaches the cells. A test then mounts what is left: `flash.after()`.
"""

from array import array

from nor import clear_bits

UNDONE = "undone"  # the operation did nothing
HALF = "half"  # its first half is done, the word in the middle in part
TAIL = "tail"  # an erase: its second half is done; a program, which goes in order: all but the end of its last word
TORN = "torn"  # scattered bits of it are done
DONE = "done"  # it was done, and nobody heard of it
WAYS = (UNDONE, HALF, TAIL, TORN, DONE)

_EIO = 5


class PowerCut(BaseException):
    """The power is gone. No `except Exception` of the firmware may go on from here."""


class CuttableFlash:
    """`blocks` erase blocks; both block device interfaces of MicroPython.

    `quiet`: once cut, each call returns -EIO instead of raising PowerCut. For littlefs, whose C code no
    exception may leave half way.
    """

    def __init__(self, blocks: int, block_size: int = 4096, word: int = 32, quiet: bool = False):
        self.blocks = blocks
        self.block_size = block_size
        self.word = word
        self.quiet = quiet
        self.cells = bytearray(b"\xff" * (blocks * block_size))
        self._used = bytearray(blocks * block_size // word)  # 1: programmed since the last erase
        self.wear = array("I", [0] * blocks)  # erases of each block
        self.reads = self.programs = self.erases = self.operations = 0
        self.bytes_read = self.bytes_programmed = 0
        self.dead = False
        self._cut_at = 0
        self._cut_way = DONE
        self._failing = {}
        self._worn = set()
        self._noise = 12345

    # -- faults ----------------------------------------------------------------------------------

    def cut(self, operation: int, way: str) -> None:
        """Cut the power at the `operation`-th program or erase from now on (1: the next)."""
        self._cut_at = self.operations + operation
        self._cut_way = way

    def fail(self, operation: int, way: str = HALF) -> None:
        """Let the `operation`-th program or erase from now on raise OSError(EIO), done as `way` says."""
        self._failing[self.operations + operation] = way

    def mend(self) -> None:
        """Call off the failures that are still to come."""
        self._failing.clear()

    def wear_out(self, block: int) -> None:
        """From now on programs and erases of `block` go wrong, without saying so."""
        self._worn.add(block)

    def flip(self, offset: int, bit: int) -> None:
        """Invert one bit."""
        self.cells[offset] ^= 1 << bit

    def after(self, quiet: "bool | None" = None) -> "CuttableFlash":
        """The same cells, worn blocks and counts of wear, with power and without planned faults."""
        other = CuttableFlash(0, self.block_size, self.word, self.quiet if quiet is None else quiet)
        other.blocks = self.blocks
        other.cells = bytearray(self.cells)
        other._used = bytearray(self._used)
        other.wear = array("I", self.wear)
        other._worn = set(self._worn)
        other._noise = self._noise
        return other

    # -- block device ------------------------------------------------------------------------------

    def readblocks(self, block: int, buf, offset: int = 0):
        if self.dead:
            return self._no_power()
        start = self._start(block, offset, len(buf))
        self.reads += 1
        self.bytes_read += len(buf)
        buf[:] = memoryview(self.cells)[start : start + len(buf)]
        return 0

    def writeblocks(self, block: int, buf, offset: "int | None" = None):
        if offset is None:
            for i in range(len(buf) // self.block_size):
                result = self._erase(block + i)
                if result:
                    return result
            offset = 0
        return self._program(block, buf, offset)

    def ioctl(self, op: int, arg: int):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.block_size
        if op == 6:
            return self._erase(arg)
        return 0

    def _program(self, block, buf, offset):
        if self.dead:
            return self._no_power()
        start = self._start(block, offset, len(buf))
        assert start % self.word == 0 and len(buf) % self.word == 0, (block, offset, len(buf))
        for word in range(start // self.word, (start + len(buf)) // self.word):
            assert not self._used[word], "block %d, word at %d: programmed twice" % (
                block,
                word * self.word % self.block_size,
            )
        way, error = self._next_operation()
        self.programs += 1
        self.bytes_programmed += len(buf)
        if block in self._worn and way == DONE:
            way = TORN
        data = bytearray(buf)
        middle = len(buf) // 2 // 8 * 8
        high = {UNDONE: 0, HALF: middle, TAIL: len(buf) - 8}.get(way, len(buf))
        data[high:] = b"\xff" * (len(buf) - high)
        if way == TORN:
            self._scatter(data)
        cells = memoryview(self.cells)
        wrong = clear_bits(cells[start : start + len(buf)], data, len(buf))
        assert not wrong or block in self._worn, "block %d at %d: 0 cannot become 1" % (block, offset)
        for word in range(start // self.word, (start + high + self.word - 1) // self.word):
            self._used[word] = 1
        return self._ended(error)

    def _erase(self, block):
        if self.dead:
            return self._no_power()
        start = self._start(block, 0, self.block_size)
        way, error = self._next_operation()
        self.erases += 1
        self.wear[block] += 1
        if block in self._worn and way == DONE:
            way = TORN
            self._used[start // self.word : (start + self.block_size) // self.word] = bytes(
                self.block_size // self.word
            )  # the chip says it is done, so nobody can know better than to program it
        if way == TORN:
            part = memoryview(self.cells)[start : start + self.block_size]
            noise = bytearray(b"\xff" * self.block_size)
            self._scatter(noise)
            for i in range(self.block_size):
                part[i] |= noise[i] ^ 0xFF
        else:
            size = self.block_size
            low, high = {UNDONE: (0, 0), HALF: (0, size // 2), TAIL: (size // 2, size)}.get(way, (0, size))
            self.cells[start + low : start + high] = b"\xff" * (high - low)
            first, last = (start + low) // self.word, (start + high) // self.word
            self._used[first:last] = bytes(last - first)
        return self._ended(error)

    def _next_operation(self):
        """(way, what follows it) for the operation that begins."""
        self.operations += 1
        if self.operations == self._cut_at:
            self.dead = True
            return self._cut_way, PowerCut
        if self.operations in self._failing:
            return self._failing[self.operations], OSError
        return DONE, None

    def _ended(self, error):
        if error is PowerCut:
            return self._no_power()
        if error is OSError:
            raise OSError(_EIO)
        return 0

    def _no_power(self):
        if self.quiet:
            return -_EIO
        raise PowerCut("operation %d, %s" % (self._cut_at, self._cut_way))

    def _scatter(self, data):
        """Set about half of the bits, so that about half of what `data` would clear stays."""
        noise = self._noise
        for i in range(len(data)):
            noise = (noise * 1103515245 + 12345) & 0x7FFFFFFF
            data[i] |= noise >> 16 & 0xFF
        self._noise = noise

    def _start(self, block, offset, length):
        start = block * self.block_size + offset
        assert 0 <= block < self.blocks and offset + length <= max(self.block_size, length)
        assert start + length <= len(self.cells), (block, offset, length)
        return start
