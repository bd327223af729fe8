"""The authorization cache: what the backend last said about each card (OCPP 1.6 §3.5.1).

`put` and `get` work in memory, `run` writes changes to the file, together and at most once a minute; `clear` at once.
Bounded by AuthorizationCacheMaxLength. A power cut loses what was learned in the last minute, a corrupt file all of it:
cards are asked about again, nothing else is lost.
"""

import asyncio

from micropython import const

from station.charging.authorization import STATUSES, IdTagInfo
from station.storage import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Coroutine

    from station.clock import Clock
    from station.log import Log
    from station.settings import Settings

GATHER_MS = const(60_000)  # between two writes, so that a busy station does not wear its flash


class Cache:
    """`settings` has AuthorizationCacheEnabled and AuthorizationCacheMaxLength. `sleep_ms` stands for asyncio's."""

    def __init__(
        self,
        path: str,
        settings: "Settings",
        clock: "Clock",
        log: "Log",
        sleep_ms: "Callable[[int], Coroutine[Any, Any, None]] | None" = None,
    ) -> None:
        self._path = path
        self._settings = settings
        self._clock = clock
        self._log = log
        self._sleep_ms = sleep_ms or asyncio.sleep_ms
        self._changed = asyncio.Event()
        self._entries: dict[str, IdTagInfo] = {}  # by id tag in capitals
        self._used: dict[str, int] = {}  # the same keys -> when last used, in counts of uses
        self._uses = 0
        self._load()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, id_tag: str) -> "IdTagInfo | None":
        """The entry as the backend gave it, or None; whether it has expired is for `IdTagInfo.as_of` to say."""
        if not self._settings["AuthorizationCacheEnabled"]:
            return None
        key = id_tag.upper()
        info = self._entries.get(key)
        if info is not None:
            self._touch(key)  # not worth a write of its own
        return info

    def put(self, id_tag: str, info: IdTagInfo) -> None:
        """Keep what the backend said; while switched off, forget what it has now contradicted."""
        key = id_tag.upper()
        old = self._entries.get(key)
        if not self._settings["AuthorizationCacheEnabled"]:
            if old is not None:
                self._forget(key)
                self._changed.set()
            return
        self._touch(key)
        if old is None or _row(key, old) != _row(key, info):
            self._entries[key] = info
            self._changed.set()
        self._shrink(key)

    def clear(self) -> bool:
        """Empty it, on flash too (ClearCache, OCPP 1.6 §5.4); False if that could not be written."""
        self._entries.clear()
        self._used.clear()
        return self.flush()

    def flush(self) -> bool:
        """Write it now, the least recently used first; False if that failed, and it will be tried again."""
        keys = sorted(self._entries, key=lambda key: self._used[key])
        try:
            atomic.replace_json(self._path, [_row(key, self._entries[key]) for key in keys])
        except OSError as error:
            self._log.error("cache", "%s could not be written: %s", self._path, error)
            self._changed.set()
            return False
        self._changed.clear()
        return True

    async def run(self) -> None:
        """Writes what has changed, for ever."""
        while True:
            await self._changed.wait()
            await self._sleep_ms(GATHER_MS)
            if self._changed.is_set():  # else `clear` has written it meanwhile
                self.flush()

    def _touch(self, key: str) -> None:
        self._uses += 1
        self._used[key] = self._uses

    def _forget(self, key: str) -> None:
        del self._entries[key]
        del self._used[key]

    def _shrink(self, keep: str) -> None:
        """Down to the limit: first what would not let anyone charge, of these the least recently used."""
        limit = self._settings["AuthorizationCacheMaxLength"]
        now = self._clock.now()
        while len(self._entries) > limit:
            ranks = [
                (info.as_of(now).accepted, self._used[key], key) for key, info in self._entries.items() if key != keep
            ]
            self._forget(min(ranks)[2])

    def _load(self) -> None:
        rows = atomic.load_json(self._path, self._log)
        if rows is None:
            return
        if not isinstance(rows, list):
            self._log.error("cache", "%s holds no cache: starting with an empty one", self._path)
            return
        for row in rows:
            if not _is_row(row):
                self._log.error("cache", "%s: entry ignored: %r", self._path, row)
                continue
            key, status, expiry, parent = row
            self._entries[key] = IdTagInfo(status, expiry, parent)
            self._touch(key)
            self._shrink(key)


def _row(key: str, info: IdTagInfo) -> list:
    return [key, info.status, info.expiry, info.parent_id_tag]


def _is_row(row: object) -> bool:
    if not isinstance(row, list) or len(row) != 4:
        return False
    key, status, expiry, parent = row
    known = isinstance(key, str) and status in STATUSES and isinstance(expiry, int)
    return known and (parent is None or isinstance(parent, str))
