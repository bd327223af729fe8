"""The authorization cache: what the backend last said about each card (OCPP 1.6 §3.5.1), in a journal of its own.

`get` and `put` a card, `contradict` what is held of it, `clear` it all; `load` at boot, `flush` before a restart.
Bounded by AuthorizationCacheMaxLength. What is learned is in flash when `put` returns: one word of 32 bytes a card,
under a keyed hash. The order of use is written later, by `run`: together, at most once a minute or when GATHERED
cards wait. So a power cut loses freshness only, the order of use of the last minute. A change for the worse (a card
that was Accepted is Blocked now) is even written twice, so that no single damaged record gives back the leave to
charge; else a damaged record is a card that is not known.

A record that is no longer true stays where it is, and a later one holds. All that count are written once more,
in the order of use, when room is short or when the others are too many to be read at every boot; then all the
others are free. Flash that refuses a change for the worse costs the whole cache: cards are asked about again,
nothing else is lost. Only if it takes nothing more at all, not even that, does the next start find its last words.
"""

import asyncio
import struct

from micropython import const

from station.charging.authorization import STATUSES, IdTagInfo, parent_digest, parent_text
from station.charging.cache_index import FOR_EVER, PREFIX, Index
from station.storage.journal import JournalFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generator

    from station.clock import Clock
    from station.log import Log
    from station.settings import Settings
    from station.storage.cards.card_hash import CardHash
    from station.storage.journal import Journal

GATHER_MS = const(60_000)  # between two writes of the order of use, so that a busy station does not wear its flash
GATHERED = const(16)  # cards used since the last write that make it due before

# The record of a card is of kind 1 + its status in STATUSES. Other kinds:
_FORGOTTEN = const(0x10)  # the card of this prefix is not held any more
_CLEARED = const(0x11)  # none is

_RECORD = "<8sI8s"  # key, expiry (epoch in s, 0 for never), hash of the parent or zeros
_SIZE = const(20)
_KEY = const(8)
_NO_PARENT = bytes(8)

_RESERVE = const(32)  # records that find room beside all that count, and between two times that these are written
_OUTDATED = const(4)  # a boot may have to read so many times the records that count


class Cache:
    """`journal` is mounted and its own, `card_hash` names cards and groups in flash.

    RAM: 12 bytes a card that may be held, and the journal.
    """

    def __init__(
        self, journal: "Journal", card_hash: "CardHash", settings: "Settings", clock: "Clock", log: "Log"
    ) -> None:
        self._journal = journal
        self._hash = card_hash
        self._settings = settings
        self._clock = clock
        self._log = log
        self._index = Index(settings["AuthorizationCacheMaxLength"])
        self._payload = bytearray(_SIZE)  # of the record read last
        self._renewed = 0  # the journal's next number when all records had been written once more
        self._owed = False  # flash may still hold cards that were given up
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        settings.on_change("AuthorizationCacheMaxLength", self._resize)

    def __len__(self) -> int:
        return self._index.count

    # --- what others ask

    def get(self, id_tag: str) -> "IdTagInfo | None":
        """The entry as the backend gave it, or None; whether it has expired is for `IdTagInfo.as_of` to say."""
        if not self._settings["AuthorizationCacheEnabled"] or not self._index.count:
            return None
        key = self._key(id_tag)
        row = self._index.find(key[:PREFIX])
        kind = self._read(row, key)
        if not kind:
            return None
        self._touch(row)
        return _unpack(kind, self._payload)

    def put(self, id_tag: str, info: IdTagInfo) -> None:
        """Keep what the backend said; while switched off, forget what it has now contradicted."""
        if not self._settings["AuthorizationCacheEnabled"]:
            self.contradict(id_tag, info)
            return
        index = self._index
        key = self._key(id_tag)
        kind, payload = 1 + STATUSES.index(info.status), _pack(key, info)
        row = index.find(key[:PREFIX])
        held = self._read(row, key)
        if held == kind and self._payload == payload:
            self._touch(row)
            return
        is_worse = bool(held) and _lets_in_less(info, _unpack(held, self._payload))
        row = index.find(key[:PREFIX])  # a damaged record has lost its row
        if row >= 0:
            index.touch(row)
        self._settle_others(key[:PREFIX])
        number = self._append(kind, payload, 2 if is_worse else 1)
        if number:
            self._enter(key[:PREFIX], number, _until(info))
        elif is_worse:
            self.clear()

    def contradict(self, id_tag: str, info: IdTagInfo) -> None:
        """Who has the last word on a card says this: forget the card if the cache holds anything else of it."""
        if self._owed:
            self.flush()  # or this card could be among those that come back
        if not self._index.count:
            return
        key = self._key(id_tag)
        row = self._index.find(key[:PREFIX])
        held = self._read(row, key)
        if held and (held != 1 + STATUSES.index(info.status) or self._payload != _pack(key, info)):
            until = self._index.untils[row]
            self._index.remove(row)
            self._forget(key[:PREFIX], until)

    def clear(self) -> bool:
        """Empty it, on flash too (ClearCache, OCPP 1.6 §5.4); False if that could not be written, and is owed."""
        self._index.clear()
        self._release()
        self._owed = True
        try:
            self._journal.append(_CLEARED, b"")
            self._release()
            self._journal.sync()  # a second word that says so: one of them may be damaged
        except (JournalFull, OSError) as error:
            self._log.error("cache", "could not be cleared in flash: %s", error)
            self._changed.set()
            return False
        self._owed = False
        return True

    def flush(self) -> bool:
        """Write the order of use now; False if that failed, and it will be tried again."""
        for _ in self._slices():
            pass
        return self._index.settled == self._index.count and not self._owed

    async def run(self) -> None:
        """Writes the order of use, and all that counts once more when it is due; for ever."""
        while True:
            await self._changed.wait()
            try:
                await asyncio.wait_for_ms(self._urgent.wait(), GATHER_MS)
            except asyncio.TimeoutError:
                pass  # not urgent: a minute's changes together
            self._changed.clear()
            self._urgent.clear()
            for _ in self._slices():
                await asyncio.sleep_ms(0)

    # --- at boot

    def load(self) -> None:
        """Read the journal of the lives before."""
        for number, kind, payload in self._journal.records():
            self._replay(number, kind, payload)
        self._resize(self._settings["AuthorizationCacheMaxLength"])
        self._log.info("cache", "%d cards", self._index.count)
        if self._is_due():
            self._hurry()

    def _replay(self, number: int, kind: int, payload: memoryview) -> None:
        """Take in one record, the oldest first."""
        index = self._index
        if kind == _CLEARED:
            index.clear()
        elif kind == _FORGOTTEN and len(payload) == PREFIX:
            row = index.find(bytes(payload))
            if row >= 0:
                index.remove(row)
        elif 1 <= kind <= len(STATUSES) and len(payload) == _SIZE:
            key, _, _ = struct.unpack(_RECORD, payload)
            row = index.find(key[:PREFIX])
            if row >= 0:
                index.remove(row)
            elif index.count == index.limit:
                index.resize(index.limit + GATHERED)  # more were allowed when the power went
            index.add(key[:PREFIX], number, _until(_unpack(kind, payload)))
        else:
            self._log.warning("cache", "record %d is of no known kind: ignored", number)

    # --- one card

    def _key(self, id_tag: str) -> bytes:
        return self._hash.of(id_tag)[:_KEY]

    def _read(self, row: int, key: "bytes | None" = None) -> int:
        """Read a row's record into `_payload`; its kind, 0 if there is none of this key. A damaged one is forgotten."""
        if row < 0:
            return 0
        number = self._index.numbers[row]
        try:
            kind, _ = self._journal.read(number, self._payload)
        except KeyError:
            self._log.error("cache", "record %d is damaged: a card is forgotten", number)
            self._index.remove(row)
            return 0
        return kind if key is None or self._payload[:_KEY] == key else 0

    def _touch(self, row: int) -> None:
        index = self._index
        if index.touch(row):
            self._changed.set()
            if index.count - index.settled >= GATHERED:
                self._urgent.set()

    def _enter(self, prefix: bytes, number: int, until: int) -> None:
        """The newest record is this card's; if the card is held, it is the last one used."""
        index = self._index
        row = index.find(prefix)
        if row >= 0:
            index.set(row, number, until)
        else:
            index.add(prefix, number, until)

    def _forget(self, prefix: bytes, until: int) -> None:
        """Write that this card is not held any more; it has lost its row."""
        if not self._append(_FORGOTTEN, prefix, 2 if until else 1) and until:
            self.clear()

    def _make_place(self) -> None:
        """Give up a card for one that is about to be written."""
        index = self._index
        row = index.victim(self._clock.now())
        prefix, number, until = index.prefix(row), index.numbers[row], index.untils[row]
        index.remove(row)
        self._release()
        if number > self._journal.freed:  # else the next record frees all of this card's
            self._forget(prefix, until)

    def _settle_others(self, prefix: bytes) -> None:
        """Before a record of this card: write the order of use so far, and give up a card if there is no place."""
        index = self._index
        own = index.find(prefix) >= 0  # then it is the last one used
        if index.count - index.settled <= GATHERED:
            while index.settled < index.count - own and self._settle():
                pass
        if not own:
            while index.count >= index.limit:
                self._make_place()

    # --- all that is held

    def _slices(self) -> "Generator[None, None, None]":
        """Do what `run` does, and yield after each record."""
        if self._is_due():
            self._renew()
        while self._index.settled < self._index.count and self._settle():
            yield
        self._release()
        if self._index.settled < self._index.count:
            self._changed.set()
        elif self._owed:
            self._owed = not self._journal.sync()
            if self._owed:
                self._changed.set()

    def _settle(self) -> bool:
        """Write the record of the first row that is not settled once more. False if that failed."""
        row = self._index.settled
        kind = self._read(row)
        if kind:
            number = self._append(kind, self._payload)
            if not number:
                return False
            self._index.set(row, number, self._index.untils[row])
        return True

    def _renew(self) -> None:
        """Have all records written once more."""
        self._index.settled = 0
        self._renewed = self._journal.next + self._index.count

    def _hurry(self) -> None:
        self._changed.set()
        self._urgent.set()

    def _is_due(self) -> bool:
        """Whether the records that count should be written once more: their old places are needed, or too many.

        Not before some others were written: what gained nothing would gain nothing the next time.
        """
        journal, most = self._journal, self._index.count + _RESERVE
        if journal.next - self._renewed < _RESERVE:
            return False
        return journal.next - journal.first > _OUTDATED * most or journal.room() < journal.size(_SIZE) * most

    def _resize(self, limit: int) -> None:
        """Hold so many cards from now on."""
        index = self._index
        if index.count > limit:
            while index.count > limit:
                index.remove(index.victim(self._clock.now()))
            self._owed = True
            self._renew()
            self._hurry()
        if index.limit != limit:
            index.resize(limit)

    # --- flash

    def _append(self, kind: int, payload: "bytes | bytearray", times: int = 1) -> int:
        """Write a record so many times; its number, 0 if flash took none."""
        self._release()
        number = 0
        try:
            for _ in range(times):
                number = self._journal.append(kind, payload)
        except JournalFull as error:
            self._log.error("cache", "all cards are forgotten: %s", error)
            self.clear()
            return 0
        except OSError as error:
            self._log.error("cache", "a record could not be written: %s", error)
            self._owed = True  # it would have freed the records of cards that were given up before
            self._changed.set()  # in a minute: flash that fails is not worn any faster
            return number
        if self._is_due():
            self._hurry()
        return number

    def _release(self) -> None:
        """Free the records before the first that counts; in flash with the next record."""
        last = self._index.lowest() - 1 if self._index.count else self._journal.next - 1
        if last > self._journal.freed:
            self._journal.free(last)


def _pack(key: bytes, info: IdTagInfo) -> bytes:
    parent = _NO_PARENT if info.parent_id_tag is None else parent_digest(info.parent_id_tag)
    return struct.pack(_RECORD, key, _seconds(info.expiry), parent)


def _unpack(kind: int, payload: "bytearray | memoryview") -> IdTagInfo:
    _, expiry, parent = struct.unpack(_RECORD, payload)
    return IdTagInfo(STATUSES[kind - 1], expiry, None if parent == _NO_PARENT else parent_text(parent))


def _seconds(expiry: int) -> int:
    """In 32 bits: what expired before 1970 has expired, what expires after 2106 will."""
    return min(max(expiry, 1), FOR_EVER - 1) if expiry else 0


def _until(info: IdTagInfo) -> int:
    if not info.accepted:
        return 0
    return _seconds(info.expiry) or FOR_EVER


def _lets_in_less(new: IdTagInfo, old: IdTagInfo) -> bool:
    """Is anything that the old word allowed not allowed by the new one?"""
    return old.accepted and (_until(new) < _until(old) or new.parent_id_tag != old.parent_id_tag)
