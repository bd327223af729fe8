"""Room in a full journal, by leaving out some of its records: `Thinning.slices`.

The full blocks of the lowest level are copied, from the oldest on, into a free block: what the policy keeps, under
the numbers it always had. When that block is full its header is written, and it counts: it stands for all numbers
up to its last, one level higher, and the blocks that it replaces are free. So each level is swept from the oldest
to the newest before the next begins, and the head is never touched.

What a power cut leaves: before the header is on flash, the old blocks, and a free one with something in it; after
it, the new block and free ones. Whichever it is, `Ring.settle` sees it from the headers.

A sweep begins, and goes on, only where what can be left out makes up a block: nothing is dropped for nothing.
"""

from micropython import const

from station.storage.blocks import FIRST_WORD, MARK, PREFIX, span
from station.storage.ring import MAX_LEVEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Generator

    from station.storage.blocks import Blocks
    from station.storage.ring import Ring

_PAUSE = const(16)  # records looked at between two yields


class Thinning:
    """`wanted()`: lowest number still wanted. `replace(sources, last, level)`: the target is filled; writes its
    header and returns True, if the flash lets it."""

    def __init__(
        self,
        ring: "Ring",
        blocks: "Blocks",
        view: memoryview,
        wanted: "Callable[[], int]",
        replace: "Callable[[list[int], int, int], bool]",
    ) -> None:
        self._ring = ring
        self._blocks = blocks
        self._view = view  # shared: what it holds does not outlive a yield
        self._wanted = wanted
        self._replace = replace
        self.clear()

    def clear(self) -> None:
        self._scanned = [0] * MAX_LEVEL  # of each level: below this number it was looked at,
        self._gain = [0] * MAX_LEVEL  # so many words can be left out there,
        self._worth = [0] * MAX_LEVEL  # and below this number they are worth a sweep

    def slices(self, policy) -> "Generator[bool, None, None]":
        """Rewrite one block, in small steps: yields False between them, True when it is done, nothing if there
        is nothing to gain. Stops without True if the blocks were freed or entered meanwhile, or flash failed.

        `policy.keeps(number, kind, payload, level)` says what stays of a level, and is asked more than once;
        `policy.left_out(number, kind, payload)` hears of what will be gone when True comes. Neither may `read`. A
        caller who stops before leaves all as it was.
        """
        for level in range(MAX_LEVEL):
            if (yield from self._is_worth_it(level, policy)):
                yield from self._rewrite(level, policy)
                return

    def _is_worth_it(self, level: int, policy):
        """Can a block be gained in the run of this level? Each block is looked at once."""
        sources = self._ring.run(level, self._wanted())
        if len(sources) < 2:
            return False
        rows = [(source, self._ring.firsts[source]) for source in sources]
        if rows[0][1] < self._worth[level]:
            return True
        if rows[0][1] >= self._scanned[level]:
            self._gain[level] = 0
        for source, first in rows:
            following = self._ring.following(first)
            if following <= self._scanned[level]:
                continue
            gain = 0
            for number, kind, length in self._records(source):
                if not number:
                    yield False
                elif not self._keeps(policy, number, kind, length, level):
                    gain += span(length)
                if self._ring.firsts[source] != first:
                    return False  # freed and entered meanwhile
            self._scanned[level] = following
            self._gain[level] += gain
            if self._gain[level] >= self._blocks.words:
                self._gain[level] = 0
                self._worth[level] = following
                return True
        return False

    def _rewrite(self, level: int, policy):
        ring = self._ring
        sources = ring.run(level, self._wanted())
        if len(sources) < 2 or ring.take_target() < 0:
            return
        target, first = ring.target, ring.firsts[sources[0]]
        if not self._blocks.erase(target):
            ring.fail(target)
            return
        word = FIRST_WORD
        taken = []
        for source in sources:
            taken.append(source)
            last = ring.following(ring.firsts[source]) - 1
            for number, kind, length in self._records(source):
                if not number:
                    yield False
                    if ring.target != target or ring.base_of(self._wanted()) > first:
                        return
                elif self._keeps(policy, number, kind, length, level):
                    if word + span(length) > self._blocks.words:
                        last = number - 1
                        break
                    if not self._blocks.copy(target, word, self._view, length):
                        ring.fail(target)
                        return
                    word += span(length)
                elif number >= self._wanted():
                    policy.left_out(number, kind, self._payload(length))
            else:
                continue
            break
        if self._replace(taken, last, level + 1):
            yield True

    def _keeps(self, policy, number: int, kind: int, length: int, level: int) -> bool:
        return number >= self._wanted() and policy.keeps(number, kind, self._payload(length), level)

    def _payload(self, length: int) -> memoryview:
        return self._view[PREFIX : PREFIX + length]

    def _records(self, block: int):
        """(number, kind, length) of its records, marks left out, each in the view; (0, 0, 0) for a pause."""
        word, number = FIRST_WORD, self._ring.firsts[block]
        following = self._ring.following(number)
        steps = 0
        while number < following:
            found = self._blocks.find(self._view, block, word, self._blocks.words, number)
            if found is None:
                return
            word, number, kind, length = found
            word += span(length)
            if kind != MARK:
                yield number, kind, length
                number += 1
            steps += 1
            if steps % _PAUSE == 0:
                yield 0, 0, 0
