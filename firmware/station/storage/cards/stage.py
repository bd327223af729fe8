"""What an update brings, in any order and number, sorted with little RAM: `Stage.put`, `remove`, then `source`.

Entries gather in RAM in order of their keys; when there is no more room they go to flash as a run, and the next ones
gather. The source merges all runs; one entry of each at a time is in RAM. Of entries for one card the last one wins.

What a power cut leaves: runs that nothing names.
"""

import errno
from array import array

import micropython

from station.storage.cards.entries import SIZE, Entries, compare, copy
from station.storage.cards.ring import LIMIT, PAGE, RUN, RUN_PAGES, Damaged, Ring, Space, Writer, load
from station.storage.cards.tree import PER_PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as ptr8  # viper knows these words by itself: anything with a buffer
    from typing import Any as ptr16


class Stage:
    """Takes blocks of `space` for its runs, but leaves `reserve` of them."""

    def __init__(self, ring: Ring, space: Space, generation: int, reserve: int):
        self.entries = Entries(LIMIT)
        self.runs = 0  # on flash
        self._ring = ring
        self._space = space
        self._reserve = reserve
        self._writer = Writer(ring, space, generation)
        self._last = 0  # entries of the last run

    @property
    def count(self) -> int:
        """Entries; those for the same card may count more than once."""
        return max(0, self.runs - 1) * LIMIT + self._last + self.entries.count

    @property
    def has_room(self) -> bool:
        """Whether one more run may go to flash."""
        return self.runs < LIMIT and self._space.room - self._ring.blocks(RUN_PAGES) >= self._reserve

    def spill(self):
        """A generator: write what is in RAM as a run, yield after each page. Raises OSError."""
        page = memoryview(bytearray(PAGE))
        entries = memoryview(self.entries.buf)
        for first in range(0, self.entries.count, PER_PAGE):
            count = min(PER_PAGE, self.entries.count - first)
            page[: count * SIZE] = entries[first * SIZE : (first + count) * SIZE]
            self._writer.write(page, count, RUN)
            yield
        self._last = self.entries.count
        self.runs += 1
        self.entries.count = 0

    def verify(self):
        """A generator: see that all runs are whole. Raises Damaged."""
        page = memoryview(self.entries.buf)[:PAGE]
        for number in range(self._writer.pages):
            if load(self._ring, self._writer.start, number, page, RUN, self._writer.generation) < 0:
                raise Damaged(errno.EIO, "cards: what was received is damaged")
            yield

    def source(self) -> "Gathered | Runs":
        """All entries in order of their keys, from the beginning. They must all be in RAM, or all in runs."""
        if not self.runs:
            return Gathered(self.entries)
        return Runs(self._ring, self._writer.start, self.runs, self._last, self.entries.buf)


class Gathered:
    """Entries that are all in RAM."""

    def __init__(self, entries: Entries):
        self.buf = entries.buf
        self.at = -SIZE
        self._entries = entries

    def advance(self) -> bool:
        """Go on to the next entry, at `at` of `buf`. False at the end."""
        self.at += SIZE
        return self.at < self._entries.count * SIZE


class Runs:
    """The entries of `runs` runs on flash, merged. `heads` is RAM for the next few of each run."""

    def __init__(self, ring: Ring, start: int, runs: int, last: int, heads: bytearray):
        self.buf = bytearray(SIZE)  # the present entry
        self.at = 0
        self._ring = ring
        self._start = start
        self._last = last
        self._heads = memoryview(heads)
        self._room = min(PER_PAGE, LIMIT // runs)  # entries of a run in `heads`
        self._read = array("H", bytes(2 * runs))  # entries of each run that were read
        self._at = array("H", bytes(2 * runs))  # where in `heads` each run's next entry is
        self._end = array("H", bytes(2 * runs))  # and where those end that were read
        self._heap = array("H", range(-1, runs))  # the run whose entry is next comes first, at 1
        self._heap[0] = runs  # how many there are
        for run in range(runs):
            self._refill(run)
        for place in range(runs // 2, 0, -1):
            _sift(self._heap, heads, self._at, place)

    def advance(self) -> bool:
        """Go on to the next entry, at `at` of `buf`. False at the end."""
        heap = self._heap
        if not heap[0]:
            return False
        copy(self.buf, self._heads, 0, self._at[heap[1]])
        self._drop()
        while heap[0] and not compare(self.buf, self._heads, 0, self._at[heap[1]]):
            self._drop()  # an older one for the same card
        return True

    def _drop(self) -> None:
        """The first of the heap has been used."""
        heap = self._heap
        run = heap[1]
        self._at[run] += SIZE
        if self._at[run] == self._end[run] and not self._refill(run):
            heap[1] = heap[heap[0]]
            heap[0] -= 1
        _sift(heap, self._heads, self._at, 1)

    def _refill(self, run: int) -> bool:
        """Read the run's next entries. False if there are none."""
        done = self._read[run]
        left = (self._last if run == len(self._read) - 1 else LIMIT) - done
        number = done % PER_PAGE
        count = min(left, self._room, PER_PAGE - number)
        if not count:
            return False
        at, size = run * self._room * SIZE, count * SIZE
        page = run * RUN_PAGES + done // PER_PAGE
        self._ring.read(self._start, page * PAGE + number * SIZE, self._heads[at : at + size])
        self._read[run] += count
        self._at[run], self._end[run] = at, at + size
        return True


@micropython.viper
def _sift(heap: ptr16, heads: ptr8, at: ptr16, place: int):
    """Let the run at `place` of the heap sink to where it belongs: lowest key first, of equal ones the last run."""
    size = int(heap[0])
    run = int(heap[place])
    while True:
        child = 2 * place
        if child > size:
            break
        first = int(heap[child])
        if child < size:
            second = int(heap[child + 1])
            a = int(at[first])
            b = int(at[second])
            i = 0
            while i < 10 and heads[a + i] == heads[b + i]:
                i += 1
            if (i == 10 and second > first) or (i < 10 and heads[b + i] < heads[a + i]):
                first = second
                child += 1
        a = int(at[run])
        b = int(at[first])
        i = 0
        while i < 10 and heads[a + i] == heads[b + i]:
            i += 1
        if (i == 10 and run > first) or (i < 10 and heads[a + i] < heads[b + i]):
            break
        heap[place] = first
        place = child
    heap[place] = run
