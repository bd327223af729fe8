"""Makes room in a journal that fills: leaves out every other reading of each transaction, evenly (`run`).

First every second reading at intervals goes, from the oldest transaction to the newest; when that is done and room
is short again, every second of those that are left, up to one in 16. Readings at a transaction's ends stay, and
the one that a power loss would be billed by, and what may be under way to the backend; answered readings that no
StopTransaction wants go without being counted.

What a power cut leaves: see `storage/thinning.py`. It loses at most a minute of the count in `Ledger.dropped`.
"""

import asyncio

from micropython import const

from station.charging import records
from station.storage import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.charging.transaction import Ledger
    from station.log import Log
    from station.storage.journal import Journal

_PERIOD_MS = const(1000)
_GATHER = const(60)  # periods between two writes of the count, so that it does not wear the flash


class _Policy:
    """What one rewriting of a block leaves out, and the count of it. `waiting`: the first number not answered."""

    def __init__(self, ledger: "Ledger", waiting: int) -> None:
        self._ledger = ledger
        self.waiting = waiting
        self.lowest = 0  # number of the first that the backend will never hear of, 0 for none
        self.untold = 0  # so many are these
        self.dropped = 0  # and so many with those that a StopTransaction would have told

    def keeps(self, seq: int, kind: int, payload, level: int) -> bool:
        if kind != records.READING or seq == self.waiting or self._ledger.needs(records.number_of(payload), seq):
            return True
        index, wanted_at_stop = records.unpack_index(payload)
        if seq < self.waiting and not wanted_at_stop:
            return False
        return index % (2 << level) == 0

    def left_out(self, seq: int, kind: int, payload) -> None:
        if seq > self.waiting:
            self.lowest = self.lowest or seq
            self.untold += 1
        if seq > self.waiting or records.unpack_index(payload)[1]:
            self.dropped += 1


class Thinner:
    """`path`: the file that keeps the count. `on_thinned(n)` hears of n messages fewer that wait."""

    def __init__(self, journal: "Journal", ledger: "Ledger", log: "Log", path: "str | None") -> None:
        self._journal = journal
        self._ledger = ledger
        self._log = log
        self._path = path
        self.on_thinned: Callable[[int], None] = None
        self._stored = 0
        if path:
            stored = atomic.load_json(path, log)
            self._stored = stored if isinstance(stored, int) else 0
        ledger.dropped += self._stored

    async def run(self) -> None:
        """The task: thin while room is short, and write down how much was dropped."""
        periods = 0
        while True:
            await asyncio.sleep_ms(_PERIOD_MS)
            await self.relieve()
            periods += 1
            if periods % _GATHER == 0:
                self.store()

    async def relieve(self) -> None:
        """Thin until room is no longer short, or nothing more can be gained."""
        before = self._ledger.dropped
        while self._ledger.is_short() and await self._thin_block():
            await asyncio.sleep_ms(0)
        if self._ledger.dropped > before:
            text = "%d readings left out to make room: %d bytes"
            self._log.warning("ledger", text, self._ledger.dropped - before, self._journal.room())

    def store(self) -> None:
        """Write down how many readings were dropped, if they have become more."""
        dropped = self._ledger.dropped
        if not self._path or dropped == self._stored:
            return
        try:
            atomic.replace_json(self._path, dropped)
        except OSError as error:
            self._log.error("ledger", "the number of dropped readings cannot be stored: %s", error)
        self._stored = dropped

    async def _thin_block(self) -> bool:
        """False if nothing is to be gained, or the outbox has come to what was about to go."""
        freed = self._journal.freed
        policy = _Policy(self._ledger, self._waiting())
        for done in self._journal.thin(policy):
            if done:
                self._ledger.dropped += policy.dropped
                if self.on_thinned and policy.untold:
                    self.on_thinned(policy.untold)
                return True
            await asyncio.sleep_ms(0)
            if self._journal.freed != freed:
                freed = self._journal.freed
                policy.waiting = self._waiting()
                if policy.lowest and policy.waiting >= policy.lowest:
                    return False
        return False

    def _waiting(self) -> int:
        """The record that the outbox tells now, or will tell next."""
        for seq, kind, _ in self._journal.records(self._journal.first):
            if kind in records.TOLD:
                return seq
        return self._journal.next
