"""A reader for contactless cards (ISO/IEC 14443 A) with an MFRC522: `await read()` gives the next id tag.

Ten times a second it switches its field on for a round: it greets every card in it, one after the other, and tells
each that was not there before. The field is off in between, so all cards begin each round alike and none is missed
for having been seen; a card counts as removed when three rounds did not see it. A chip that fails three times in a row
is dead: `read()` raises OSError once, `alive` is False, and later reads wait until the chip is back and sees a card.
"""

import asyncio

from micropython import const

from station.drivers import iso14443a, mfrc522

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log

MAX_CARDS = const(8)  # that are known to be in the field; a further one is told when one of them has gone

_ROUND_MS = const(100)
_WAKE_MS = const(6)  # cards are ready 5 ms after the field is on (ISO/IEC 14443-3 §5); ticks may be 1 ms short
_GONE_ROUNDS = const(3)
_FAILED_SELECTS = const(6)  # in a round; a card that fails every time must not take all of it
_UNREADABLE_ROUNDS = const(5)
_FAILURES = const(3)
_RETRY_MS = const(1000)  # between attempts to wake a dead chip
_SEED = const(0x2B5D)
_RANDOM = const(0x08)  # first byte of a UID of four that is drawn anew each time (ISO/IEC 14443-3 §6.5.4)


class RfidReader:
    """The reader `name` with this `chip` (mfrc522.Mfrc522).

    `id_tag(uid: bytes)` makes the id tag of a UID of 4, 7 or 10 bytes, in the order of the air, or raises ValueError
    for one that it will not have. Such a card is logged once and ignored, as is one with a random UID: whoever reads it
    again gets another number, so it can be nobody's id tag.
    """

    def __init__(
        self, chip: mfrc522.Mfrc522, id_tag: "Callable[[bytes], str]", name: str, log: "Log | None" = None
    ) -> None:
        self._chip = chip
        self._cards = iso14443a.Cards(chip)
        self._id_tag = id_tag
        self._name = name
        self._log = log
        self._started = False
        self._failures = 0  # in a row
        self._present: dict[bytes, int] = {}  # UID -> rounds since it was seen; at most MAX_CARDS
        self._waiting: list[str] = []  # id tags still to be told, at most one for each that is present
        self._turns = _SEED
        self._unreadable = 0  # rounds in a row with a card that could not be selected
        self.alive = True

    async def read(self) -> str:
        """The next id tag. Between two calls the field is off, and no card comes or goes."""
        while not self._waiting:
            await asyncio.sleep_ms(_ROUND_MS if self.alive else _RETRY_MS)
            try:
                await self._round()
            except OSError as error:
                self._fail(error)
            else:
                self._succeed()
        return self._waiting.pop(0)

    def _succeed(self) -> None:
        self._failures = 0
        if not self.alive:
            self.alive = True
            if self._log:
                self._log.info("reader", "%s is back", self._name)

    def _fail(self, error: OSError) -> None:
        """Raises OSError if the chip is to be called dead now."""
        self._started = False
        self._failures += 1
        if self._failures >= _FAILURES and self.alive:
            self.alive = False
            raise OSError("card reader %s is dead: %s" % (self._name, error))
        if self._failures == 1 and self._log:
            self._log.warning("reader", "%s: %s; starting it again", self._name, error)

    async def _start(self) -> None:
        await self._chip.start()
        self._started = True
        version = self._chip.version
        if self._log and version in mfrc522.CLONES:
            self._log.info("reader", "%s: version 0x%02X, a copy of the MFRC522", self._name, version)

    async def _round(self) -> None:
        """See who is in the field; raises OSError if the chip fails."""
        chip = self._chip
        if not self._started:
            await self._start()
        chip.check()
        chip.field(True)
        try:
            await asyncio.sleep_ms(_WAKE_MS)
            await self._greet()
        finally:
            chip.field(False)
        for uid in tuple(self._present) if self._present else ():
            self._present[uid] += 1
            if self._present[uid] > _GONE_ROUNDS:
                del self._present[uid]

    async def _greet(self) -> None:
        cards = self._cards
        greeted = failed = 0
        while greeted < MAX_CARDS and failed < _FAILED_SELECTS and await cards.request():
            # after each failure the other side of the first difference, and of the others at random
            size = await cards.select(self._turns << 1 | failed & 1 if failed else 0)
            if size:
                greeted += 1
                self._saw(bytes(cards.uid[:size]))
                await cards.halt()
            else:
                failed += 1
                self._turns = _shuffled(self._turns)
        self._unreadable = self._unreadable + 1 if failed else 0
        if self._unreadable == _UNREADABLE_ROUNDS and self._log:
            self._log.warning("reader", "%s: a card cannot be read: %s", self._name, cards.problem)

    def _saw(self, uid: bytes) -> None:
        drawn = len(uid) == 4 and uid[0] == _RANDOM
        key = uid[:1] if drawn else uid  # else it would be another card in each round
        if key not in self._present:
            if len(self._present) >= MAX_CARDS:
                return
            self._tell(uid, drawn)
        self._present[key] = 0

    def _tell(self, uid: bytes, drawn: bool) -> None:
        try:
            if drawn:
                raise ValueError("its UID is drawn at random each time, so it is no id tag")
            self._waiting.append(self._id_tag(uid))
        except ValueError as error:
            if self._log:
                self._log.warning("reader", "%s: card ignored: %s", self._name, error)


def _shuffled(bits: int) -> int:
    """The next of 65,535 numbers of 16 bits, in an order without a pattern."""
    bits ^= bits << 7 & 0xFFFF
    bits ^= bits >> 9
    return bits ^ bits << 8 & 0xFFFF
