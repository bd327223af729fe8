"""What is valid in the region: `State`, and `StateLog`, where the newest one is found again.

A state names the rows of blocks that make the table, its version and its count; so that both change together. States
are appended to a few blocks of their own, taken in turn; a block is erased only while the newest state is in another.

What a power cut leaves: the newest state, or the one before it if the new one was not whole.
"""

import errno
import os
import struct

from micropython import const

from station.storage.cards.checks import DAMAGED, intact, sum_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log
    from station.storage.region import Region

BLOCKS = const(4)  # of the region, the first ones, are for states
MAX_ABORTED = const(8)
_MAX_BAD = const(16)
_SIZE = const(96)
_MAGIC = b"LPC1"
_BLANK = b"\xff\xff\xff\xff"
_FORMAT = "<4sIIiIIHHHHHBB8H16H"
_OPEN = const(1)
_TORN = const(2)
_SEED = const(0x4C43)


class State:
    """All zero: no table yet."""

    def __init__(self) -> None:
        self.sequence = 0  # of states, rising
        self.generation = 0  # of the table's rows, rising; what they hold is checked against it
        self.version = 0  # of the list
        self.count = 0  # cards
        self.entries = 0  # of the tree
        self.tree = 0  # first block of its row
        self.delta = 0  # first block of the delta's row
        self.delta_blocks = 0
        self.serial = 0  # of the last update that wrote into the delta
        self.used = 0  # slots that updates took there
        self.is_open = False  # that update has not been committed
        self.is_torn = False  # some slots may rightly hold no whole entry
        self.aborted: list[int] = []  # serials of updates that never were committed
        self.bad: list[int] = []  # blocks left out of every row

    def copy(self) -> "State":
        """Another State, the same."""
        buf = bytearray(_SIZE)
        self.pack(buf)
        return unpack(buf)

    def pack(self, buf: "bytearray | memoryview") -> None:
        """As it lies in flash, without the checksum."""
        struct.pack_into(
            _FORMAT,
            buf,
            0,
            _MAGIC,
            self.sequence,
            self.generation,
            self.version,
            self.count,
            self.entries,
            self.tree,
            self.delta,
            self.delta_blocks,
            self.serial,
            self.used,
            (_OPEN if self.is_open else 0) | (_TORN if self.is_torn else 0),
            len(self.bad),
            *(self.aborted + [0] * (MAX_ABORTED - len(self.aborted))),
            *(self.bad + [0] * (_MAX_BAD - len(self.bad))),
        )

    def counts(self, serial: int) -> bool:
        """Whether what the update `serial` wrote into the delta is part of the table."""
        return not (self.is_open and serial == self.serial) and serial not in self.aborted

    def give_up(self) -> None:
        """The update that is open will never be committed."""
        if self.is_open:
            self.is_open = False
            self.is_torn = True
            self.aborted.append(self.serial)


def unpack(buf: "bytearray | memoryview") -> State:
    """The State that `pack` wrote."""
    fields = struct.unpack_from(_FORMAT, buf, 0)
    state = State()
    _, state.sequence, state.generation, state.version, state.count, state.entries = fields[:6]
    state.tree, state.delta, state.delta_blocks, state.serial, state.used, flags, bad = fields[6:13]
    state.is_open = bool(flags & _OPEN)
    state.is_torn = bool(flags & _TORN)
    state.aborted = [serial for serial in fields[13 : 13 + MAX_ABORTED] if serial]
    state.bad = list(fields[13 + MAX_ABORTED : 13 + MAX_ABORTED + bad])
    return state


class StateLog:
    """The first BLOCKS blocks of `region`."""

    def __init__(self, region: "Region", log: "Log"):
        self._region = region
        self._log = log
        self._places = region.block_size // _SIZE
        self._view = memoryview(bytearray(_SIZE))
        self._block = BLOCKS - 1  # that is written to
        self._place = self._places  # next free one in it

    def erase(self) -> None:
        """Forget every state. A power cut in between may leave an older one. Raises OSError."""
        for block in range(BLOCKS):
            self._region.erase(block)

    def mount(self) -> State:
        """The newest state; on blank flash one that says so."""
        newest = State()
        newest.generation = int.from_bytes(os.urandom(3), "little")  # nothing of an earlier life will fit it
        self._block, self._place = BLOCKS - 1, self._places
        for block in range(BLOCKS):
            for place in range(self._places):
                self._read(block, place)
                if bytes(self._view[:4]) != _BLANK and self._is_intact():
                    state = unpack(self._view)
                    if bytes(self._view[:4]) == _MAGIC and state.sequence > newest.sequence:
                        newest, self._block = state, block
        if newest.sequence:
            self._place = self._used()
        if newest.is_open:
            self._log.warning("cards", "an update did not end, version %d stays", newest.version)
            newest.give_up()
        return newest

    def write(self, state: State) -> None:
        """Make `state` the newest; on return it is on flash. Raises OSError: then it is not, and never will be."""
        state.sequence += 1
        for _ in range(2):
            if self._place < self._places and self._program(self._block, state):
                return
        for i in range(1, BLOCKS):
            block = (self._block + i) % BLOCKS
            if self._erase(block):
                full, self._place = self._place, 0
                if self._program(block, state):
                    self._block = block
                    return
                self._place = full
        raise OSError(errno.EIO, "cards: no state can be written")

    def _program(self, block: int, state: State) -> bool:
        """In the next place, and read it back."""
        place = self._place
        self._place += 1
        state.pack(self._view)
        sum_of(self._view, 0, _SIZE, _SEED)
        try:
            self._region.program(self._offset(block, place), self._view)
        except OSError as error:
            self._log.warning("cards", "block %d of states, place %d: %s", block, place, error)
        self._read(block, place)
        if self._is_intact():
            return True  # even if one bit is wrong: what a mount would take for written is written
        self._log.error("cards", "block %d of states, place %d cannot be programmed", block, place)
        return False

    def _erase(self, block: int) -> bool:
        try:
            self._region.erase(block)
        except OSError as error:
            self._log.error("cards", "block %d of states cannot be erased: %s", block, error)
            return False
        return True

    def _used(self) -> int:
        """Places of the block that are written to, up to the last one that is not blank."""
        place = self._places
        while place:
            self._read(self._block, place - 1)
            if bytes(self._view).strip(b"\xff"):
                break
            place -= 1
        return place

    def _is_intact(self) -> bool:
        return intact(self._view, 0, _SIZE, _SEED) != DAMAGED

    def _read(self, block: int, place: int) -> None:
        self._region.read(self._offset(block, place), self._view)

    def _offset(self, block: int, place: int) -> int:
        return block * self._region.block_size + place * _SIZE
