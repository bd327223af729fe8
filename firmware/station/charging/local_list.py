"""The local authorization list: cards that the backend has sent ahead (OCPP 1.6 §3.5.2, §5.10, §5.15).

`get` a card, ask the `version`, `begin` an update that becomes valid as a whole or not at all. The cards lie in a
`CardTable` in flash under a keyed hash, so RAM does not grow with the list. A power cut leaves the list and its
version as they were before an update or as they are after it.
"""

import asyncio

from micropython import const

from station.charging.authorization import STATUSES, IdTagInfo, parent_digest, parent_text
from station.storage.card_table import TableFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.charging.cache import Cache
    from station.log import Log
    from station.settings import Settings
    from station.storage.card_table import CardTable, Update
    from station.storage.cards.card_hash import CardHash

UNSUPPORTED = const(-1)  # the version of a list that is switched off (OCPP 1.6 §5.10)

ACCEPTED = "Accepted"  # UpdateStatus, OCPP 1.6 §7.46
FAILED = "Failed"
NOT_SUPPORTED = "NotSupported"
VERSION_MISMATCH = "VersionMismatch"

_VERSION_MAX = const(0x7FFFFFFF)
_MERGE_LOOK_MS = const(5000)


class LocalList:
    """`settings` has LocalAuthListEnabled, LocalAuthListMaxLength (cards) and SendLocalListMaxLength (entries)."""

    def __init__(
        self, table: "CardTable", hasher: "CardHash", cache: "Cache", settings: "Settings", log: "Log"
    ) -> None:
        self._table = table
        self._hasher = hasher
        self._cache = cache
        self._settings = settings
        self._log = log

    @property
    def enabled(self) -> bool:
        return bool(self._settings["LocalAuthListEnabled"])

    @property
    def version(self) -> int:
        """0 while there is no list, -1 while it is switched off (OCPP 1.6 §5.10)."""
        return self._table.version if self.enabled else UNSUPPORTED

    @property
    def max_length(self) -> int:
        """Cards that the list may have: what the flash has room for."""
        return self._table.capacity

    def get(self, id_tag: str) -> "IdTagInfo | None":
        """What the list says of a card; None if it does not name it, or is switched off."""
        if not self.enabled:
            return None
        found = self._table.get(self._hasher.of(id_tag))
        if found is None:
            return None
        status, expiry, parent = found
        return IdTagInfo(STATUSES[status], expiry, parent_text(parent) if parent else None)

    def forget(self) -> None:
        """Empty it without a word of the backend's: the names of its cards mean nothing any more."""
        try:
            self._table.clear()
        except OSError as error:
            self._log.error("list", "cannot be emptied: %s", error)

    def begin(self) -> "ListUpdate":
        """A new update, of which nothing is valid before its `finish`."""
        update = None
        if self.enabled and self._table.update is None:
            update = self._table.begin()
        return ListUpdate(self._table, update, self._hasher, self._cache, self._settings, self._log)

    async def run(self) -> None:
        """The task that brings the table in order when changes have gathered, in slices."""
        while True:
            await asyncio.sleep_ms(_MERGE_LOOK_MS)
            if self._table.merge_due:
                await self._table.merge()


class ListUpdate:
    """The entries of one SendLocalList: `put` and `remove` each, then `finish` or `abort`.

    `update` is None if the list is switched off or another update is under way: then it comes to nothing.
    """

    def __init__(
        self,
        table: "CardTable",
        update: "Update | None",
        hasher: "CardHash",
        cache: "Cache",
        settings: "Settings",
        log: "Log",
    ) -> None:
        self._table = table
        self._update = update
        self._hasher = hasher
        self._cache = cache
        self._settings = settings
        self._log = log
        self._count = 0
        self._removals = False
        self._problem: str = None  # why it must fail

    async def put(self, id_tag: str, info: IdTagInfo) -> None:
        """The card is in the list. The last word on a card counts; what the cache holds against it is dropped."""
        if self._admits():
            parent = parent_digest(info.parent_id_tag) if info.parent_id_tag else None
            status = STATUSES.index(info.status)
            await self._try(self._update.put(self._hasher.of(id_tag), status, info.expiry, parent))
            self._cache.contradict(id_tag, info)

    async def remove(self, id_tag: str) -> None:
        """The card is not in the list any more, if it ever was."""
        self._removals = True
        if self._admits():
            await self._try(self._update.remove(self._hasher.of(id_tag)))

    async def finish(self, version: int, full: bool) -> str:
        """Make it valid if it may be; the UpdateStatus says what came of it (OCPP 1.6 §5.15)."""
        if not self._settings["LocalAuthListEnabled"]:
            self.abort()
            return NOT_SUPPORTED
        if not full and version <= self._table.version:
            self.abort()
            return VERSION_MISMATCH
        if self._update is None:
            self._fail("another update is under way")
        elif not 0 < version <= _VERSION_MAX:
            self._fail("version %d, expected 1 to %d" % (version, _VERSION_MAX))
        elif full and self._removals:
            self._fail("an entry of a Full list has no idTagInfo")
        if self._problem is None:
            commit = self._update.commit_full if full else self._update.commit_differential
            await self._try(commit(version))
        if self._problem is not None:
            self._log.error("list", "version %d is refused: %s", version, self._problem)
            self.abort()
            return FAILED
        self._log.info("list", "version %d, %d cards", self._table.version, self._table.count)
        return ACCEPTED

    def abort(self) -> None:
        """Leave the list as it was; harmless if repeated."""
        if self._update is not None:
            self._update.abort()

    def _admits(self) -> bool:
        self._count += 1
        most = self._settings["SendLocalListMaxLength"]
        if self._count > most:
            self._fail("more than %d entries in one message" % most)
        return self._problem is None and self._update is not None

    async def _try(self, work) -> None:
        try:
            await work
        except (TableFull, OSError) as error:
            self._fail(str(error))

    def _fail(self, problem: str) -> None:
        self._problem = self._problem or problem
        self.abort()
