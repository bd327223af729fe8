"""The table that is on flash now: `mount`, `find`, and what an update needs to put another one beside it.

The blocks behind those of states form a ring. In it lie one behind the other the row of the tree and that of the
delta; what is free follows, up to the tree. An update takes free blocks from there, in this order: for its runs, for
its tree, for its delta; a new state then names the last two, and all others are free.
"""

from micropython import const

from station.storage.cards import states, tree
from station.storage.cards.delta import Delta
from station.storage.cards.entries import is_removed
from station.storage.cards.ring import LIMIT, PAGE, RUN_PAGES, Ring, Space
from station.storage.cards.states import State, StateLog
from station.storage.cards.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log
    from station.storage.region import Region

_DELTA_SHARE = const(6)  # a block of delta for so many of the tree
_DELTA_LEAST = const(2)


class Store:
    """On `region`. `view` is where `find` leaves what it found; anybody may overwrite it."""

    def __init__(self, region: "Region", log: "Log"):
        self.log = log
        self.ring = Ring(region, states.BLOCKS, log)
        self.view = memoryview(bytearray(PAGE))
        self.capacity = self._capacity()  # cards
        if self.capacity < 1:
            raise ValueError("cards: %d blocks of %d bytes are too few" % (region.blocks, region.block_size))
        self._states = StateLog(region, log)
        self._adopt(State(), None)

    def mount(self) -> None:
        """Read the newest state and the index of its tree."""
        state = self._states.mount()
        self.ring.bad = state.bad
        self._adopt(state, None)
        self.tree.mount(self.view)
        self.log.info("cards", "version %d, %d cards, room for %d", state.version, state.count, self.capacity)

    def clear(self) -> None:
        """As on blank flash. Raises OSError."""
        self._states.erase()
        self.mount()

    def find(self, key: bytes) -> int:
        """Offset of the card's entry in `view`, -1 if the list has none. Raises Damaged if that cannot be known."""
        at = self.delta.find(key, self.view)
        if at >= 0:
            return -1 if is_removed(self.view, at) else at
        return self.tree.find(key, self.view)

    def space(self) -> Space:
        """What is free now. One user at a time."""
        state, ring = self.state, self.ring
        end = ring.block(state.delta, state.delta_blocks)
        if state.delta_blocks:
            ring.pardon(state.tree, end)
        else:
            ring.pardon(0, 0)
        return Space(ring, end, self.tree_blocks(state.entries) + state.delta_blocks)

    def tree_blocks(self, entries: int) -> int:
        """Blocks of a tree with so many entries."""
        return self.ring.blocks(tree.pages(entries))

    def delta_blocks(self, entries: int) -> int:
        """Blocks of the delta beside a tree with so many entries."""
        return max(_DELTA_LEAST, self.tree_blocks(entries) // _DELTA_SHARE)

    def commit(self, state: State, tree: Tree) -> None:
        """Make this the table. On return it is on flash; if OSError is raised it is not, and never will be."""
        state.bad = list(self.ring.bad)
        self._states.write(state)
        self._adopt(state, tree)

    def _adopt(self, state: State, tree: "Tree | None") -> None:
        self.state = state
        self.tree = tree or Tree(self.ring, state.tree, state.entries, state.generation, bytearray())
        self.delta = Delta(self.ring, state)

    def _capacity(self) -> int:
        """The most cards of which the old table, a new one and all that it is made from have room at once."""
        low, high = 0, LIMIT * LIMIT
        blocks = self.ring.size - self.ring.spare
        while low < high:
            cards = (low + high + 1) // 2
            table = self.tree_blocks(cards) + self.delta_blocks(cards)
            if 2 * table + self.ring.blocks(-(-cards // LIMIT) * RUN_PAGES) + 1 <= blocks:
                low = cards
            else:
                high = cards - 1
        return low
