"""Cards by key, searched in a region; the new table beside the old until it is whole: `mount`, `get`, `begin`, `merge`.

What a power cut leaves, at any program or erase, whether undone, half done or done: the list and the version that it
had before an update, or both as the update made them, once `commit_full` or `commit_differential` has returned surely
the latter. The same goes for an update that fails. One flipped bit in a page, a slot or a state is put right; worse
damage makes the cards that lay there unknown, which is logged, and never an older word on a card valid again.

At most 25 bytes of flash a card, and a sixth of that for changes; a block that fails is left out. A card is looked up
in at most 3 reads of 1 KiB. RAM: 3 KB at rest, 17 KB more while an update is open, whatever the number of cards.
"""

from station.storage.cards.entries import unpack
from station.storage.cards.ring import Damaged, TableFull, UpdateEnded
from station.storage.cards.states import MAX_ABORTED
from station.storage.cards.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log
    from station.storage.cards.rebuild import Rebuild
    from station.storage.cards.update import Update
    from station.storage.region import Region

__all__ = ("CardTable", "TableFull", "UpdateEnded")


class CardTable:
    """On the whole of `region`. `mount` comes before everything else."""

    def __init__(self, region: "Region", log: "Log"):
        """Raises ValueError if the region is too small for any card."""
        self._store = Store(region, log)
        self._log = log
        self._under_way: "Rebuild" = None
        self._update: "Update" = None  # the last one
        self._failed = -1  # generation that could not be merged

    def mount(self) -> None:
        """Find the table that is valid; an empty one with version 0 on blank flash."""
        self._store.mount()

    def clear(self) -> None:
        """No card, version 0. Unlike an update, a power cut may leave something older: call it again then.

        Raises OSError; RuntimeError if an update is open.
        """
        if self.update is not None:
            raise RuntimeError("cards: an update is open")
        if self._under_way is not None:
            self._under_way.abort()
        self._store.clear()

    @property
    def version(self) -> int:
        """As it was given to the last commit; 0 if there was none."""
        return self._store.state.version

    @property
    def count(self) -> int:
        """Cards in the list."""
        return self._store.state.count

    @property
    def capacity(self) -> int:
        """Cards that the list may have; an update of so many surely finds room."""
        return self._store.capacity

    @property
    def flash_bytes(self) -> int:
        """Bytes of the blocks that hold the list: its tree, and room for changes."""
        state, store = self._store.state, self._store
        return (store.tree_blocks(state.entries) + state.delta_blocks) * store.ring.pages * len(store.view)

    @property
    def update(self) -> "Update | None":
        """The one that is open."""
        update = self._update
        return update if update is not None and update.is_open else None

    def get(self, key: bytes) -> "tuple[int, int, bytes | None] | None":
        """(status, expiry, parent) of a card, as they were put; None if it is unknown. Reads at most 3 KiB."""
        store = self._store
        try:
            at = store.find(key)
        except Damaged as error:
            self._log.error("cards", "a card is taken for unknown: %s", error)
            return None
        return unpack(store.view, at) if at >= 0 else None

    def begin(self) -> "Update":
        """A new update. Raises RuntimeError if another one is open. A merge that is under way gives up."""
        if self.update is not None:
            raise RuntimeError("cards: another update is open")
        if self._under_way is not None:
            self._under_way.abort()
        from station.storage.cards.update import Update  # takes its memory where lists are sent

        update = self._under_way = self._update = Update(self._store)
        return update

    @property
    def merge_due(self) -> bool:
        """Whether so many changes have gathered that `merge` should be called when there is nothing else to do."""
        store = self._store
        if self._failed == store.state.generation:
            return False
        return store.delta.is_full or len(store.state.aborted) >= MAX_ABORTED

    async def merge(self) -> bool:
        """Put the changes in their place. False if it could not be, for an update that goes on or came meanwhile, or
        for flash that failed."""
        if self._under_way is not None and self._under_way.is_open:
            return False
        from station.storage.cards.rebuild import Rebuild

        merge = self._under_way = Rebuild(self._store)
        try:
            await merge.merge()
        except UpdateEnded:
            return False
        except OSError as error:
            self._log.error("cards", "changes could not be merged: %s", error)
            self._failed = self._store.state.generation
            return False
        return True
