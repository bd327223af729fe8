"""Which block of a journal holds which numbers: the map in RAM that `mount` draws from the blocks' headers.

The order of blocks is that of their first numbers, not of their places. Each block has a level: how often its
records were thinned. Thinning goes from the oldest to the newest, so the levels never rise towards the newer, and
all that was ever rewritten from level n lies below one number: where the rewritten blocks end, the rest begins.
That is how blocks that were replaced, and a power cut or nobody has erased since, are told from those that count:
`settle`. The last block that was replaced may have been replaced in part only; what is left of it then counts
from a number on that is higher than the one in its header.
"""

from array import array

from micropython import const

NONE = const(0xFFFFFFFF)  # no number; as the first number of a block: it failed, and is left out until mount
MAX_LEVEL = const(4)


class Ring:
    """`firsts`: of each block the first number to look for in it, 0 if it may be written over. 5 bytes a block."""

    def __init__(self, count: int):
        self.count = count
        self.firsts = array("I", bytes(4 * count))
        self.levels = bytearray(count)
        self.clear()

    def clear(self) -> None:
        self.head = -1  # block that is written to
        self.kept = 0  # blocks that begin below this number may be erased; it is on flash as well
        self.target = -1  # free block that a thinning is filling
        self.changes = 0  # how often blocks were replaced by a thinned one
        self._begun = {}  # block: the number in its header, where the first to look for is higher
        self._replaced = [0] * (MAX_LEVEL + 1)  # of each level: numbers below this one lie in thinner blocks
        for block in range(self.count):
            self.firsts[block] = self.levels[block] = 0

    # --- at mount

    def found(self, block: int, first: int, level: int, last: int) -> None:
        """A block's header; `last` is the highest number that it replaces, if its level is not 0."""
        self.firsts[block] = first
        self.levels[block] = level
        for lower in range(level):
            self._replaced[lower] = max(self._replaced[lower], last + 1)

    def settle(self, kept: int) -> None:
        """All headers are found: free what is below `kept`, perhaps half erased, and what was replaced."""
        self.kept = kept
        firsts = self.firsts
        newest = [-1] * (MAX_LEVEL + 1)  # of each level the newest block that was replaced, perhaps in part
        for block in range(self.count):
            first, level = firsts[block], self.levels[block]
            if not first or first < kept:
                firsts[block] = 0
            elif first < self._replaced[level]:
                other = newest[level]
                if other < 0 or self._begun[other] < first:
                    newest[level] = block
                self._begun[block] = first
                firsts[block] = 0
        for level, block in enumerate(newest):
            rest = self._replaced[level]
            if block >= 0 and self.base_of(rest) != rest:  # else it is replaced whole: another one begins there
                firsts[block] = rest
        self._begun = {block: first for block, first in self._begun.items() if firsts[block]}
        for block in range(self.count):
            if not firsts[block]:
                self.levels[block] = 0

    # --- lookup

    def block_of(self, seq: int) -> int:
        """The block in which `seq` is, if it is anywhere. Raises KeyError."""
        first = self.base_of(seq)
        for block in range(self.count):
            if first and self.firsts[block] == first:
                return block
        raise KeyError(seq)

    def following(self, first: int) -> int:
        """First number of the block behind the one that begins with `first`; NONE if there is none."""
        best = NONE
        for other in self.firsts:
            if first < other < best:
                best = other
        return best

    def base_of(self, seq: int) -> int:
        """The number that begins the block of `seq`, 0 if there is none."""
        best = 0
        for first in self.firsts:
            if best < first <= seq:
                best = first
        return best

    def floor(self, wanted: int) -> int:
        """The number, as its header has it, that begins the block of the lowest one wanted: earlier blocks may go."""
        first = self.base_of(wanted)
        for block, begun in self._begun.items():
            if self.firsts[block] == first:
                return begun
        return first

    # --- which blocks may be written to

    def may_enter(self, block: int, floor: int) -> bool:
        return block != self.head and self.firsts[block] < max(floor, 1)

    def spare(self, floor: int) -> int:
        """How many blocks may be entered."""
        count = 0
        for block in range(self.count):
            if self.may_enter(block, floor):
                count += 1
        return count

    def enter(self, block: int, first: int) -> None:
        """`block` is written over from now on."""
        self._take(block, first, 0)
        if block == self.target:
            self.target = -1

    def fail(self, block: int) -> None:
        self._take(block, NONE, 0)

    def _take(self, block: int, first: int, level: int) -> None:
        self._begun.pop(block, None)
        self.firsts[block] = first
        self.levels[block] = level

    # --- thinning

    def run(self, level: int, wanted: int) -> "list[int]":
        """The blocks of one level, oldest first: all that are full and hold anything wanted."""
        lowest = max(self.base_of(wanted), self.kept)
        blocks = []
        for block in range(self.count):
            first = self.firsts[block]
            if self.levels[block] == level and block != self.head and lowest <= first < NONE and first:
                blocks.append(block)
        return sorted(blocks, key=lambda block: self.firsts[block])

    def take_target(self) -> int:
        """The free block that the head would reach last, -1 if there is none. It stays free: `enter` may take it."""
        self.target = -1
        for i in range(1, self.count):
            block = (self.head + i) % self.count
            if self.may_enter(block, self.kept):
                self.target = block
        return self.target

    def replace(self, sources: "list[int]", last: int, level: int) -> None:
        """The target holds what is left of the `sources` up to number `last`; the last of them may have more."""
        first, following = self.firsts[sources[0]], self.following(self.firsts[sources[-1]])
        for block in sources:
            if block == sources[-1] and last + 1 < following:
                self._begun[block] = self._begun.get(block, self.firsts[block])
                self.firsts[block] = last + 1
            else:
                self._take(block, 0, 0)
        self._take(self.target, first, level)
        self.target = -1
        self.changes += 1
