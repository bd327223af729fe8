"""A new table beside the old one: `Rebuild` makes it of the old one, `Over` lays sources over each other.

All of it goes in slices of some entries, with the loop's turn between them.

What a power cut or an OSError leaves, anywhere before the new state is whole: the old table.
"""

import asyncio

from micropython import const

from station.storage.cards import delta as deltas
from station.storage.cards.delta import DeltaSource
from station.storage.cards.entries import compare, is_removed
from station.storage.cards.ring import TableFull, UpdateEnded
from station.storage.cards.states import State
from station.storage.cards.store import Store
from station.storage.cards.tree import Builder, TreeSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Iterator, Protocol

    class Source(Protocol):
        """Entries in order of their keys: after each `advance` that is True, the next one is at `at` of `buf`."""

        @property
        def buf(self) -> "bytearray | memoryview": ...

        @property
        def at(self) -> int: ...

        def advance(self) -> bool: ...


_SLICE = const(16)  # entries merged between two turns of the loop


class Rebuild:
    """One way to a new table; only one of them may be open at a time."""

    def __init__(self, store: Store):
        self.is_open = True
        self._store = store
        self._space = store.space()
        self._generation = store.state.generation + 1

    def abort(self) -> None:
        """Leave the table as it was. What is under way raises UpdateEnded at its next turn."""
        if self.is_open:
            self.is_open = False
            self._store.state.give_up()

    async def merge(self) -> None:
        """Put the delta into a new tree; the list stays as it is. Raises OSError, UpdateEnded."""
        await self._or_abort(self._merge())

    async def _merge(self) -> None:
        await self._build(await self._old(), self._store.state.version)

    async def _old(self) -> "Source":
        """What the table holds now."""
        entries = TreeSource(self._store.tree)
        if not self._store.state.used:
            return entries
        changes = DeltaSource(self._store.delta, self._store.view)
        await self._run(changes.survey())
        return Over(changes, entries)

    async def _build(self, source: "Source", version: int) -> None:
        """Make a table of `source` alone."""
        store = self._store
        builder = Builder(store.ring, self._space, self._generation)
        step = 0
        while source.advance():
            if not is_removed(source.buf, source.at):
                if builder.entries == store.capacity:
                    raise TableFull("more than %d cards" % store.capacity)
                builder.add(source.buf, source.at)
            step += 1
            if step % _SLICE == 0:
                await self._turn()
        tree = builder.finish()
        state = State()
        state.sequence = store.state.sequence
        state.generation = self._generation
        state.version = version
        state.count = state.entries = tree.entries
        state.tree = tree.start
        blocks = store.delta_blocks(tree.entries)
        while state.delta_blocks < blocks:
            await self._turn()
            block = deltas.create(store.ring, self._space)
            if not state.delta_blocks:
                state.delta = block
            state.delta_blocks += 1
        if not tree.entries:
            state.tree = tree.start = state.delta
        await self._turn()
        store.commit(state, tree)
        self.is_open = False

    async def _or_abort(self, work: "Awaitable[None]") -> None:
        self._check_open()
        try:
            await work
        except BaseException:
            self.abort()
            raise

    async def _run(self, slices: "Iterator[None]") -> None:
        self._check_open()
        for _ in slices:
            await self._turn()

    async def _turn(self) -> None:
        await asyncio.sleep_ms(0)
        self._check_open()

    def _check_open(self) -> None:
        if not self.is_open:
            raise UpdateEnded("the update has ended")


class Over:
    """Two sources as one; where both have the same card, `upper` says what holds."""

    def __init__(self, upper: "Source", lower: "Source"):
        self.buf: "bytearray | memoryview" = bytearray()
        self.at = 0
        self._upper = upper
        self._lower = lower
        self._has_upper = self._has_lower = True
        self._used_upper = self._used_lower = True

    def advance(self) -> bool:
        """Go on to the next entry, at `at` of `buf`. False at the end. Raises Damaged."""
        upper, lower = self._upper, self._lower
        if self._used_upper:
            self._has_upper = self._has_upper and upper.advance()
        if self._used_lower:
            self._has_lower = self._has_lower and lower.advance()
        if not self._has_lower:
            order = -1
        elif not self._has_upper:
            order = 1
        else:
            order = compare(upper.buf, lower.buf, upper.at, lower.at)
        self._used_upper, self._used_lower = order <= 0, order >= 0
        chosen = upper if order <= 0 else lower
        self.buf, self.at = chosen.buf, chosen.at
        return self._has_upper or self._has_lower
