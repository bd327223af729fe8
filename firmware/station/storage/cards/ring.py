"""The blocks of the table taken in turn: `Ring` reads and writes them, `Space` gives out free ones, `Writer` fills
them with pages, `load` reads such a page.

A table is a row of blocks, one behind the other, round and round, so that all of them wear alike. A block that fails
is left out of every row from then on: the n-th block of a row is the n-th good one.

What a power cut leaves: pages, whole or found to be damaged, in rows that no state names; nobody reads them.

A page is 1008 bytes of content, then count u16, kind u16, generation u32, number u32, checksum u32.
"""

import errno
import struct

from micropython import const

from station.storage.cards.checks import DAMAGED, MENDED, intact, sum_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log
    from station.storage.region import Region

PAGE = const(1024)
DATA = const(1)  # kinds of pages: entries of the table
INDEX = const(2)  # first keys of data pages
RUN = const(3)  # entries of an update that has not been committed
RUN_PAGES = const(9)
LIMIT = const(378)  # entries of a run, 9 KB of RAM; and the most runs, for each needs room for an entry there
MAX_BAD = const(16)  # blocks that may be left out, at most
_TRAILER = const(1008)
_PROOF = const(128)
_WORD = const(32)  # the least that is programmed
_ENOSPC = const(28)  # not in `errno`


class TableFull(Exception):
    """More cards than the table has room for; nothing has changed."""


class UpdateEnded(Exception):
    """The update was aborted, or is committed already."""


class Damaged(OSError):
    """What flash gives back is not what was written, and cannot be put right."""


class Ring:
    """Blocks `first` and following of `region`, numbered from 0. `bad` are those left out."""

    def __init__(self, region: "Region", first: int, log: "Log"):
        if _WORD % region.word or region.block_size % PAGE:
            raise ValueError(
                "cards: blocks of %d bytes in words of %d do not make pages of %d in words of %d"
                % (region.block_size, region.word, PAGE, _WORD)
            )
        self.log = log
        self.size = region.blocks - first
        self.spare = min(MAX_BAD, 1 + self.size // 16)  # how many may fail before room is missing
        self.pages = region.block_size // PAGE  # of a block
        self.bad: list[int] = []
        self._region = region
        self._first = first
        self._block_size = region.block_size
        self._proof = memoryview(bytearray(_PROOF))

    def blocks(self, pages: int) -> int:
        """Blocks that so many pages take."""
        return -(-pages // self.pages)

    def block(self, start: int, number: int) -> int:
        """The block that is number `number` of a row that starts at or behind `start`."""
        if self.bad:
            for distance in sorted([(bad - start) % self.size for bad in self.bad]):
                if distance <= number:
                    number += 1
        return (start + number) % self.size

    def read(self, start: int, at: int, buf: "bytearray | memoryview") -> None:
        """Fill `buf` from byte `at` of the row at `start`; not across two blocks."""
        size = self._block_size
        self.read_block(self.block(start, at // size), at % size, buf)

    def read_block(self, block: int, at: int, buf: "bytearray | memoryview") -> None:
        """Fill `buf` from byte `at` of `block`, be it good or bad."""
        self._region.read((self._first + block) * self._block_size + at, buf)

    def erase(self, block: int) -> bool:
        """False if the flash failed."""
        try:
            self._region.erase(self._first + block)
        except OSError as error:
            self.log.error("cards", "block %d cannot be erased: %s", block, error)
            return False
        return True

    def program(self, block: int, at: int, data: memoryview) -> bool:
        """Program and read back: worn flash may fail without saying so. False: the words are used up."""
        offset = (self._first + block) * self._block_size + at
        try:
            self._region.program(offset, data)
        except OSError as error:
            self.log.warning("cards", "block %d at %d: %s", block, at, error)
        for start in range(0, len(data), _PROOF):
            part = data[start : start + _PROOF]
            proof = self._proof[: len(part)]
            self._region.read(offset + start, proof)
            if proof != part:
                self.log.error("cards", "block %d at %d cannot be programmed", block, at)
                return False
        return True

    def is_blank(self, block: int) -> bool:
        """Whether it reads as erased."""
        for at in range(0, self._block_size, _PROOF):
            self.read_block(block, at, self._proof)
            if bytes(self._proof).strip(b"\xff"):
                return False
        return True

    def condemn(self, block: int) -> None:
        """Leave `block` out from now on. Raises OSError if too many are left out already."""
        if len(self.bad) >= self.spare:
            raise OSError(errno.EIO, "cards: more than %d blocks of the flash fail" % self.spare)
        self.log.error("cards", "block %d is left out", block)
        self.bad.append(block)

    def pardon(self, start: int, end: int) -> None:
        """Give the longest condemned another chance when half of the spare blocks are used up: flash that failed once
        may have lacked power only. Those within the row from `start` to `end` stay out: they shape it."""
        span = (end - start) % self.size
        while len(self.bad) > self.spare // 2:
            outside = [bad for bad in self.bad if (bad - start) % self.size >= span]
            if not outside:
                return
            self.bad.remove(outside[0])


class Space:
    """The free blocks from `start` on, as long as `kept` others of the ring stay untouched."""

    def __init__(self, ring: Ring, start: int, kept: int):
        self._ring = ring
        self._start = start
        self._kept = kept
        self._taken = 0

    @property
    def room(self) -> int:
        """Blocks that can still be taken."""
        return self._ring.size - len(self._ring.bad) - self._kept - self._taken

    def take(self) -> int:
        """Erase the next block. Raises OSError when there is none."""
        while self.room > 0:
            block = self._ring.block(self._start, self._taken)
            if self._ring.erase(block):
                self._taken += 1
                return block
            self._ring.condemn(block)
        raise OSError(_ENOSPC, "cards: no free block")

    def drop(self, block: int) -> None:
        """The block taken last failed: it is left out."""
        self._ring.condemn(block)
        self._taken -= 1


class Writer:
    """Writes a row of pages into blocks of `space`. `start` is its first block, `pages` counts them."""

    def __init__(self, ring: Ring, space: Space, generation: int):
        self.start = 0
        self.pages = 0
        self.generation = generation
        self._ring = ring
        self._space = space
        self._block = -1

    def write(self, page: memoryview, count: int, kind: int) -> None:
        """Write the 1008 bytes in `page` as the next page; its end is filled in. Raises OSError."""
        struct.pack_into("<HHII", page, _TRAILER, count, kind, self.generation, self.pages)
        sum_of(page, 0, PAGE, self.generation)
        number = self.pages % self._ring.pages
        if number == 0:
            self._take()
        while not self._ring.program(self._block, number * PAGE, page):
            self._move(number)
        self.pages += 1

    def _take(self) -> None:
        self._block = self._space.take()
        if self.pages < self._ring.pages:
            self.start = self._block

    def _move(self, number: int) -> None:
        """The block has failed: its first `number` pages go to another one. Raises OSError."""
        page = memoryview(bytearray(PAGE))
        failed = self._block
        while True:
            self._space.drop(self._block)
            self._take()
            for i in range(number):
                if not self._copy(failed, i, page):
                    break
            else:
                return

    def _copy(self, failed: int, number: int, page: memoryview) -> bool:
        self._ring.read_block(failed, number * PAGE, page)
        if intact(page, 0, PAGE, self.generation) == DAMAGED:
            raise Damaged(errno.EIO, "cards: block %d lost what was just written" % failed)
        return self._ring.program(self._block, number * PAGE, page)


def load(ring: Ring, start: int, number: int, view: memoryview, kind: int, generation: int) -> int:
    """Read page `number` of the row at `start` into `view`: how many it holds, or -1 if it is damaged; logged."""
    ring.read(start, number * PAGE, view)
    condition = intact(view, 0, PAGE, generation)
    if condition != DAMAGED:
        if condition == MENDED:
            ring.log.warning("cards", "page %d has a wrong bit, put right", number)
        count, found, of, place = struct.unpack_from("<HHII", view, _TRAILER)
        if found == kind and of == generation and place == number:
            return count
    ring.log.error("cards", "page %d is damaged", number)
    return -1
