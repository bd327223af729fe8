"""What the backend sends becomes a table: `Update` takes it card by card and makes it valid, by one last state.

A Full list becomes a new tree. A Differential goes into the delta, if it finds room there; else tree, delta and
Differential become a new tree.

What a power cut or an OSError leaves, anywhere before that state is whole: the old table.
"""

from micropython import const

from station.storage.cards.entries import KEY, PARENT, SIZE, is_removed
from station.storage.cards.rebuild import Over, Rebuild
from station.storage.cards.ring import TableFull
from station.storage.cards.stage import Stage
from station.storage.cards.states import MAX_ABORTED
from station.storage.cards.store import Store

_SMALL_SLICE = const(4)  # entries looked up and written to the delta between two turns of the loop


class Update(Rebuild):
    """`put` and `remove` in any order, then one of the commits, or `abort`. Any exception but ValueError aborts it."""

    def __init__(self, store: Store):
        super().__init__(store)
        reserve = store.tree_blocks(store.capacity) + store.delta_blocks(store.capacity)
        self._stage: "Stage" = Stage(store.ring, self._space, self._generation, reserve)  # as long as it is open

    async def put(self, key: bytes, status: int, expiry: int, parent: "bytes | None" = None) -> None:
        """The card `key` is in the list; `status` 0 to 255, `expiry` u32 and `parent` come back as they are.

        Raises TableFull, OSError, UpdateEnded.
        """
        if len(key) != KEY or (parent is not None and len(parent) != PARENT):
            raise ValueError("cards: key must have %d bytes, parent %d" % (KEY, PARENT))
        if not 0 <= status <= 255 or not 0 <= expiry >> 16 <= 0xFFFF:
            raise ValueError("cards: status %d (0 to 255), expiry %d (0 to 2^32 - 1)" % (status, expiry))
        self._check_open()
        entries = self._stage.entries
        if not entries.put(key, status, expiry, parent):
            await self._or_abort(self._spill())
            entries.put(key, status, expiry, parent)

    async def remove(self, key: bytes) -> None:
        """The card `key` is not in the list. Raises as `put`."""
        if len(key) != KEY:
            raise ValueError("cards: key must have %d bytes" % KEY)
        self._check_open()
        if not self._stage.entries.remove(key):
            await self._or_abort(self._spill())
            self._stage.entries.remove(key)

    async def commit_full(self, version: int) -> None:
        """The table is what was put, and nothing else; `version` i32. Raises TableFull, OSError, UpdateEnded."""
        _check_version(version)
        await self._or_abort(self._replace(version))
        self._stage = None

    async def commit_differential(self, version: int) -> None:
        """The table is what it was, with what was put and without what was removed. Raises as `commit_full`."""
        _check_version(version)
        await self._or_abort(self._change(version))
        self._stage = None

    def abort(self) -> None:
        super().abort()
        self._stage = None

    async def _spill(self) -> None:
        if not self._stage.has_room:
            raise TableFull("no room for an update of more than %d cards" % self._stage.count)
        await self._run(self._stage.spill())

    async def _settle(self) -> None:
        stage = self._stage
        if stage.runs:
            if stage.entries.count:
                await self._spill()
            await self._run(stage.verify())

    async def _replace(self, version: int) -> None:
        await self._settle()
        await self._build(self._stage.source(), version)

    async def _change(self, version: int) -> None:
        await self._settle()
        state, delta = self._store.state, self._store.delta
        if delta.fits(self._stage.count) and len(state.aborted) < MAX_ABORTED and await self._extend(version):
            return
        await self._build(Over(self._stage.source(), await self._old()), version)

    async def _extend(self, version: int) -> bool:
        """Add to the delta. False if there is no room."""
        store, source = self._store, self._stage.source()
        count = store.state.count
        step = 0
        while source.advance():
            change = self._effect(source.buf, source.at)
            if change is not None:
                if not store.state.is_open:
                    self._begin()
                if not store.delta.add(source.buf, source.at, store.view):
                    store.state.give_up()
                    return False
                count += change
            step += 1
            if step % _SMALL_SLICE == 0:
                await self._turn()
        if count > store.capacity:
            raise TableFull("more than %d cards" % store.capacity)
        await self._turn()
        state = store.state.copy()
        state.version, state.count, state.is_open = version, count, False
        if state.version != store.state.version or store.state.is_open:
            store.commit(state, store.tree)
        self.is_open = False
        return True

    def _begin(self) -> None:
        """Tell flash the serial of what follows: it counts only if a later state says so."""
        state = self._store.state.copy()
        state.serial += 1
        state.is_open = True
        self._store.commit(state, self._store.tree)

    def _effect(self, buf: "bytearray | memoryview", at: int) -> "int | None":
        """By how much the entry changes the number of cards; None if it changes nothing at all."""
        store = self._store
        old = store.find(bytes(buf[at : at + KEY]))
        if is_removed(buf, at):
            return None if old < 0 else -1
        if old < 0:
            return 1
        return None if store.view[old : old + SIZE] == memoryview(buf)[at : at + SIZE] else 0


def _check_version(version: int) -> None:
    if not -(1 << 31) <= version < 1 << 31:
        raise ValueError("cards: version %d is not within 32 bits" % version)
