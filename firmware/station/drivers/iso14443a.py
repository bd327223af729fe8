"""ISO/IEC 14443-3 type A: wake the cards in the field, single one out, learn its UID, send it to sleep.

`Cards(radio)` is the protocol alone: it gives bytes to `radio.transceive` and takes bytes from it, and knows no chip.
`await request()`, then `await select()` and `await halt()`, until nobody answers a request: so each is found once.
"""

from micropython import const

MAX_UID = const(10)  # bytes

_REQA = const(0x26)  # §6.4.1, 7 bits
_WUPA = const(0x52)
_SHORT_FRAME = const(7)
_HLTA = const(0x50)
_SEL = (0x93, 0x95, 0x97)  # of the cascade levels 1, 2, 3
_CASCADE_TAG = const(0x88)  # stands for a byte of a UID that goes on in the next level
_NVB_WHOLE = const(0x70)  # Number of Valid Bits of a SELECT: SEL, NVB and all five
_INCOMPLETE = const(0x04)  # in SAK: there is another level
_UID_BITS = const(32)  # of a level
_LEVEL_BITS = const(40)  # with its check byte
_SAK_BITS = const(24)  # with its CRC
_PARTS = const(5)


def crc_a(data, size: int) -> int:
    """The CRC_A of the first `size` bytes (ISO/IEC 13239 with 6363h before), sent low byte first."""
    crc = 0x6363
    i = 0
    while i < size:
        byte = data[i] ^ crc & 0xFF
        byte ^= byte << 4 & 0xFF
        crc = crc >> 8 ^ byte << 8 ^ byte << 3 ^ byte >> 4
        i += 1
    return crc & 0xFFFF


class Cards:
    """The cards in the field of `radio`: it has transceive, collided, before_collision as drivers/mfrc522.py has them.

    After a `select` that returned a size, `uid` holds the UID in that many bytes, in the order of the air, and `sak`
    the card's SAK. After one that returned 0, `problem` says why. What the radio raises passes through.
    """

    def __init__(self, radio) -> None:
        self._radio = radio
        self._frame = bytearray(9)  # SEL, NVB, four bytes of UID, BCC, CRC
        self._answer = bytearray(8)
        self.uid = bytearray(MAX_UID)
        self.sak = 0
        self.problem = ""

    async def request(self, wake: bool = False) -> bool:
        """REQA, or for `wake` WUPA, which halted cards hear, too (§6.4.1). Did anybody answer?"""
        self._frame[0] = _WUPA if wake else _REQA
        # several cards of different kinds collide in ATQA, and a weak one garbles it: somebody is there, anyway
        answered = await self._radio.transceive(self._frame, 1, _SHORT_FRAME, self._answer) != 0
        if not answered and self.problem:
            # an anticollision that came to nothing left cards READY: they fell back at this, and hear the next (§6.3)
            answered = await self._radio.transceive(self._frame, 1, _SHORT_FRAME, self._answer) != 0
        return answered

    async def select(self, turns: int = 0) -> int:
        """Single out one of the cards that answered and select it, through all levels (§6.5); its size of UID or 0.

        Where cards differ, the next bit of `turns` says whether to turn to the other side than usual: with another
        number at each try, a card that cannot be selected does not stand before the others for ever.
        """
        size = 0
        self.problem = ""
        self._turns = turns
        for level in range(len(_SEL)):
            if not await self._single_out(_SEL[level]) or not await self._choose():
                return 0
            frame = self._frame
            more = self.sak & _INCOMPLETE
            # a tag without more to come is a byte like any other on the last level only
            tag = frame[2] == _CASCADE_TAG
            if (more and (not tag or level == 2)) or (tag and not more and level < 2):
                self.problem = "SAK 0x%02X does not go with UID byte 0x%02X of level %d" % (
                    self.sak,
                    frame[2],
                    level + 1,
                )
                return 0
            i = 3 if more else 2
            while i < 6:
                self.uid[size] = frame[i]
                size += 1
                i += 1
            if not more:
                return size
        return 0

    async def halt(self) -> None:
        """Send the selected card to sleep until a WUPA or until the field was off (§6.4.3); it does not answer."""
        frame = self._frame
        frame[0], frame[1] = _HLTA, 0
        self._seal(2)
        await self._radio.transceive(frame, 4, 0, self._answer)

    async def _single_out(self, sel: int) -> bool:
        """Anticollision (§6.5.3.1): ask for the UID of a level, ever more of it given, until one card is left."""
        frame, answer, radio = self._frame, self._answer, self._radio
        frame[0] = sel
        i = 2
        while i < 7:
            frame[i] = 0
            i += 1
        known = 0  # bits
        second = False  # the last known bit was tried both ways
        while known < _UID_BITS:
            whole, rest = known >> 3, known & 7
            frame[1] = 2 + whole << 4 | rest
            bits = await radio.transceive(frame, 2 + whole + (1 if rest else 0), rest, answer, rest)
            if bits < 0 or (bits == 0 and (not known or second)):
                self.problem = "no answer to anticollision" if bits == 0 else "broken answer to anticollision"
                return False
            if bits == 0:
                second = True
                self._flip(known - 1)
                continue
            if not radio.collided:
                if bits != _LEVEL_BITS - 8 * whole:
                    self.problem = "%d bits to anticollision" % bits
                    return False
                self._merge(known, _LEVEL_BITS)
                return self._is_checked()
            # How a chip counts the place of a collision is certain only while nothing is known; from there on go
            # bit by bit: the next bit is the same for all, or has cards on both sides, or the second try is right.
            certain = radio.before_collision if not known else 0
            if certain < 0:  # the chip counts as far as the UID's bits go
                certain = _UID_BITS
            if bits <= rest + certain:
                self.problem = "collision out of place"
                return False
            differs = not known
            last = min(known + certain, _UID_BITS - 1)  # cards that differ in the check byte only: one has it wrong
            self._merge(known, last + 1)
            if known + certain == last:
                self._turn(last, differs)
            known = last + 1
            second = False
        frame[6] = frame[2] ^ frame[3] ^ frame[4] ^ frame[5]
        return True

    def _turn(self, bit: int, differs: bool) -> None:
        """At this bit cards differ, or may: choose a side."""
        turn, self._turns = self._turns & 1, self._turns >> 1
        if differs:  # whatever it was read as, begin with 1
            self._frame[2 + (bit >> 3)] |= 1 << (bit & 7)
        if turn:
            self._flip(bit)

    def _flip(self, bit: int) -> None:
        self._frame[2 + (bit >> 3)] ^= 1 << (bit & 7)

    def _merge(self, first: int, end: int) -> None:
        """Bits `first` to `end` - 1 of the level come from the answer, which begins with the byte of `first`."""
        frame, answer = self._frame, self._answer
        offset = first & ~7
        while first < end:
            mask = 1 << (first & 7)
            at = 2 + (first >> 3)
            frame[at] = frame[at] & ~mask | answer[first - offset >> 3] & mask
            first += 1

    def _is_checked(self) -> bool:
        frame = self._frame
        if frame[2] ^ frame[3] ^ frame[4] ^ frame[5] ^ frame[6]:
            self.problem = "wrong check byte of UID"
            return False
        return True

    async def _choose(self) -> bool:
        """SELECT (§6.5.3.2) the card whose bytes are in the frame; takes its SAK."""
        frame, answer = self._frame, self._answer
        frame[1] = _NVB_WHOLE
        self._seal(2 + _PARTS)
        bits = await self._radio.transceive(frame, 4 + _PARTS, 0, answer)
        if bits != _SAK_BITS or self._radio.collided or crc_a(answer, 1) != answer[1] | answer[2] << 8:
            self.problem = "no answer to SELECT" if not bits else "broken answer to SELECT"
            return False
        self.sak = answer[0]
        return True

    def _seal(self, size: int) -> None:
        """Put the CRC behind the first `size` bytes of the frame."""
        crc = crc_a(self._frame, size)
        self._frame[size], self._frame[size + 1] = crc & 0xFF, crc >> 8
