"""Contactless cards as ISO/IEC 14443-3 type A has them, and the field of a reader that they are held into.

A frame is a list of bits in the order of the air, without parity. Each card is a state machine of its own that hears
every frame; what several answer at once is put together bit by bit, and where they differ that is a collision.
"""

# A card's states (§6.3). Those with a star were reached out of HALT, and fall back to it.
OFF, IDLE, READY, ACTIVE, HALT = range(5)

# What can be wrong with a card. bcc: a wrong check byte; crc: a wrong CRC in SAK; mute: answers requests and nothing
# after; dead: nothing at all; weak: one answer of FEEBLE is lost; noisy: one of FEEBLE has a parity error
FAULTS = ("ok", "bcc", "crc", "mute", "dead", "weak", "noisy")
FEEBLE = 11

HELD_MS = 300  # a swipe: so long after the card was read,
PATIENCE_MS = 3000  # or so long if it is not;
AWAY_MS = 1000  # and so long it was away, if it was here already
WAKE_MS = 5  # that a card takes to wake in the field, and to forget all without


def bits_of(data) -> list:
    """Bytes in the order of the air, the lowest bit first."""
    return [byte >> i & 1 for byte in data for i in range(8)]


def crc_a(data) -> bytes:
    """CRC_A (§6.2.4, Annex B), bit by bit, as it is sent."""
    register = 0x6363
    for bit in bits_of(data):
        register = (register >> 1) ^ (0x8408 if (register ^ bit) & 1 else 0)
    return bytes((register & 255, register >> 8))


def _levels(uid: bytes) -> list:
    """The four bytes and the check byte of each cascade level (§6.5.4)."""
    parts = [uid]
    if len(uid) == 7:
        parts = [b"\x88" + uid[:3], uid[3:]]
    elif len(uid) == 10:
        parts = [b"\x88" + uid[:3], b"\x88" + uid[3:6], uid[6:]]
    return [part + bytes((part[0] ^ part[1] ^ part[2] ^ part[3],)) for part in parts]


class Card:
    """A card with a UID of 4, 7 or 10 bytes, or `uid` a function that draws one each time the card gets power."""

    def __init__(self, uid, fault: str = "ok") -> None:
        self._draw = uid if callable(uid) else None
        self.uid = uid if not callable(uid) else b""
        self.fault = fault
        self.state = OFF
        self.star = False
        self.selected = 0  # times that it was selected
        self._level = 0
        self._answers = 0
        self._parts = []

    def power(self, on: bool) -> None:
        """The field comes or goes."""
        self.state = IDLE if on else OFF
        self.star = False
        if on:
            if self._draw:
                self.uid = self._draw()
            self._parts = _levels(self.uid)

    def hear(self, bits: list) -> "tuple[list, bool] | None":
        """(answer, its parity is right) to a frame, or None."""
        answer = self._react(bits)
        if answer is None or self.fault == "dead" or (self.fault == "mute" and len(bits) != 7):
            return None
        self._answers += 1
        feeble = self._answers % FEEBLE == 0
        if feeble and self.fault == "weak":
            return None
        return answer, not (feeble and self.fault == "noisy")

    def _react(self, bits: list) -> "list | None":
        if self.state == OFF:
            return None
        short = sum([bit << i for i, bit in enumerate(bits)]) if len(bits) == 7 else None
        if self.state == IDLE and short in (0x26, 0x52):
            return self._wake(False)
        if self.state == HALT and short == 0x52:
            return self._wake(True)
        if self.state == READY and short is None:
            return self._anticollision(bits)
        if self.state == ACTIVE and bits == bits_of(b"\x50\x00\x57\xcd"):
            self.state = HALT
            return None
        if self.state in (READY, ACTIVE):
            self._fall_back()
        return None

    def _fall_back(self) -> None:
        self.state = HALT if self.star else IDLE

    def _wake(self, star: bool) -> list:
        self.state, self.star, self._level = READY, star, 0
        size = {4: 0x00, 7: 0x40, 10: 0x80}[len(self.uid)]
        return bits_of((0x04 | size, 0x00))  # ATQA

    def _anticollision(self, bits: list) -> "list | None":
        part = bits_of(self._parts[self._level])
        if len(bits) < 16 or bits[:8] != bits_of((0x93 + 2 * self._level,)):
            self._fall_back()
            return None
        whole = sum([bit << i for i, bit in enumerate(bits[12:16])])
        count = 8 * (whole - 2) + sum([bit << i for i, bit in enumerate(bits[8:12])])
        if count == 40:
            return self._select(bits, part)
        given = bits[16:]
        if len(given) != count:
            self._fall_back()
            return None
        if given != part[:count]:
            return None  # meant for others; it stays
        if self.fault == "bcc":
            part = part[:39] + [1 - part[39]]
        return part[count:]

    def _select(self, bits: list, part: list) -> "list | None":
        frame = bytes([sum([bits[8 * n + i] << i for i in range(8)]) for n in range(len(bits) // 8)])
        if len(bits) != 72 or bits[16:56] != part or frame[7:] != crc_a(frame[:7]):
            self._fall_back()
            return None
        self._level += 1
        sak = 0x04
        if self._level == len(self._parts):
            sak = 0x20
            self.state = ACTIVE
            self.selected += 1
        crc = crc_a((sak,))
        return bits_of((sak, crc[0], crc[1] ^ (1 if self.fault == "crc" else 0)))


class _Visit:
    """A card in the field from `at` to `until`; None is not known yet. A swiped one goes once it was read.

    `after` is an earlier visit of the same card, which must be over first.
    """

    def __init__(self, card: Card, at: "int | None", swiped: bool, after: "_Visit | None" = None) -> None:
        self.card = card
        self.at = at
        self.until = None
        self.after = after
        self.swiped = swiped
        self.here = self.over = False

    def settle(self, now: int) -> None:
        if self.after and self.after.over:
            self.at, self.after = self.after.until + AWAY_MS, None
        if self.at is None:
            return
        if self.swiped and (self.until is None or self.until > now):
            self.until = self.at + PATIENCE_MS
            if self.card.selected:
                self.swiped = False
                self.until = min(self.until, now + HELD_MS)
        self.over = self.until is not None and now >= self.until
        here = self.at <= now and not self.over
        if here != self.here:
            self.here = here
            self.card.power(False)


class Field:
    """What is in front of an antenna. `now()` in ms; a card comes and goes as `swipe`, `card_in`, `card_out` say.

    `frames` counts what was sent into it.
    """

    def __init__(self, now) -> None:
        self._now = now
        self._visits = []
        self._on = False
        self._on_at = 0
        self._off_at = -WAKE_MS
        self.frames = 0

    # --- what the reader's chip does

    def power(self, on: bool) -> None:
        if on == self._on:
            return
        self._on = on
        now = self._now()
        if not on:
            self._off_at = now
            return
        self._on_at = now
        if now - self._off_at >= WAKE_MS:
            for visit in self._visits:
                visit.card.power(False)

    def exchange(self, bits: list) -> "tuple[list, int, bool] | None":
        """(answer, place of the first collision or -1, parity is right), or None where nobody answers."""
        now = self._settle()
        self.frames += 1
        if not self._on or now - self._on_at < WAKE_MS:
            return None
        merged, collision, right = None, -1, True
        for visit in self._visits:
            if not visit.here:
                continue
            if visit.card.state == OFF:
                visit.card.power(True)
            spoken = visit.card.hear(bits)
            if spoken is None:
                continue
            answer, parity = spoken
            right = right and parity
            if merged is None:
                merged = list(answer)
                continue
            for i, bit in enumerate(answer):
                if i == len(merged):
                    merged.append(bit)
                elif merged[i] != bit and (collision < 0 or i < collision):
                    collision = i
        return None if merged is None else (merged, collision, right)

    # --- what a tester does

    def put(self, card: Card) -> None:
        """A card of the tester's own making is laid down; it stays until `card_out`."""
        self._visits.append(_Visit(card, self._now(), False))

    def card_in(self, uid: bytes) -> None:
        """A card is laid down; raises ValueError if it lies there already."""
        self._last_visit(uid)
        self.put(Card(uid))

    def card_out(self, uid: bytes) -> None:
        """A card is taken away; raises ValueError if it is not there."""
        now = self._settle()
        for visit in self._visits:
            if visit.card.uid == uid and visit.here:
                visit.until, visit.swiped = now, False
                return
        raise ValueError("uid: card %s is not in the field" % uid.hex())

    def swipe(self, uid: bytes) -> None:
        """A card is held up until it was read. The same once more is first taken away, long enough to be missed."""
        before = self._last_visit(uid)
        self._visits.append(_Visit(Card(uid), None if before else self._now(), True, before))

    def _last_visit(self, uid: bytes) -> "_Visit | None":
        """The last that is not forgotten; raises ValueError if the card lies in the field to stay."""
        self._settle()
        last = None
        for visit in self._visits:
            if visit.card.uid == uid:
                if visit.here and not visit.swiped and visit.until is None:
                    raise ValueError("uid: card %s lies in the field already" % uid.hex())
                last = visit
        return last

    def _settle(self) -> int:
        """Bring all up to the present; returns it. Who left is remembered until that no longer matters."""
        now = self._now()
        for visit in tuple(self._visits):
            visit.settle(now)
            if visit.over and now >= visit.until + AWAY_MS:
                self._visits.remove(visit)
        return now
