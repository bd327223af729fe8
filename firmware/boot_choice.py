"""Which application runs: the records of the region "boot", and the choice that `boot.py` makes by them.

No update of an application touches the base image, with the application "factory" in it, nor this file, which is part
of it and which the applications in the slots use as well: the form of the records is the same for all of them, and for
each base image that ever comes. It imports nothing of `station`: the package must come from the slot that is chosen.

A record is one word of flash, 32 bytes, and the whole state: the latest that is whole is in force. So each change, and
the commit of an update too (`confirm`), is one word: it is there or it is not, wherever the power is cut.

    "LB" | kind u8 | confirmed u8 | former u8 | trial u8 | starts u8 | flags u8 | number u32 |
    slot_a: size u32, crc u32 | slot_b: size u24, crc u32 | reason u8 | crc u32

Two blocks are written in turn: when one is full the other is erased and begins with the state. Text of a reason follows
as words of its own kind. A word that is torn, or that failed, is passed over.
"""

import binascii
import struct

from micropython import const

FACTORY, SLOT_A, SLOT_B = const(0), const(1), const(2)
NAMES = ("factory", "slot_a", "slot_b")

# Why a slot lost its trial
NONE = const(0)
IMAGE = const(1)
CRASH = const(2)
WATCHDOG = const(3)
SILENT = const(4)
UNHEALTHY = const(5)
BY_HAND = const(6)
REASONS = (
    "",
    "its image is not what was written",
    "it crashed",
    "the watchdog reset it",
    "it never reported healthy",
    "it was not healthy in time",
    "rolled back by hand",
)

STARTS = const(3)  # that a slot on trial gets: more than one, for the power may go
WORD = const(32)
TEXT = const(64)  # characters kept of a reason, at most

_STATE, _TEXT = const(0x53), const(0x54)
_FORM = "<2sBBBBBBIII"  # and 7 bytes, a reason and the CRC
_CHECKED = const(28)
_PART = const(16)  # characters in one word
_ONLINE, _WELL = const(1), const(8)  # flags; the two bits between them are `failed`
_BLOCK_COUNT, _BLOCK_SIZE, _BLOCK_ERASE = const(4), const(5), const(6)
_CHUNK = const(1024)
_EIO = const(5)


class State:
    """What a record says. Slots are numbers, see NAMES; `images[slot]` is (bytes, CRC-32) of its image, (0, 0) if none.

    `confirmed` runs unless there is a `trial` (FACTORY: none); `former` ran before it. `starts`: of the trial so far.
    `reason`, `note`: why the last trial, of slot `failed`, came to its end; `failed` is FACTORY if it did not.
    """

    def __init__(self):
        self.confirmed = FACTORY
        self.former = FACTORY
        self.trial = FACTORY
        self.failed = FACTORY
        self.starts = 0
        self.was_online = False  # the application before the trial was connected,
        self.was_well = False  # and no device of it failed
        self.reason = NONE
        self.note = ""
        self.images = [(0, 0), (0, 0), (0, 0)]


class Records:
    """The records in two blocks of `device` from `first` on. Raises OSError if the flash fails to be read.

    `state` is that in force; change it and `write()`.
    """

    def __init__(self, device, first: int, blocks: int):
        if blocks < 2:
            raise ValueError("boot: %d blocks, 2 are needed" % blocks)
        self._device = device
        self._first = first
        self._words = device.ioctl(_BLOCK_SIZE, 0) // WORD
        self._word = bytearray(WORD)
        self._number = 0
        self._block = 1  # so that the first record begins block 0
        self._next = self._words  # the word of `_block` to be written next
        self.state = State()
        self._load()

    def write(self) -> None:
        """Put the state on flash. Raises OSError if it cannot be done; then the former one stays in force.

        One word is what counts; the text of its reason comes before it.
        """
        words = [self._packed()]
        note = self.state.note.encode()[:TEXT]
        for start in range(0, len(note), _PART):
            words.insert(-1, self._text(start // _PART, note[start : start + _PART]))
        if self._next + len(words) > self._words:
            self._turn()
        for _ in range(3):  # worn words are passed over, then the other block is begun
            if self._put(words):
                self._number += 1
                return
            self._turn()
        raise OSError(_EIO)

    # --- reading

    def _load(self):
        best = -1
        for block in (0, 1):
            notes = {}
            for index in range(self._words):
                word = self._read(block, index)
                if word is None:
                    continue
                number = struct.unpack_from("<I", word, 8)[0]
                if word[2] == _TEXT:
                    length = min(word[3] & 31, _PART)
                    notes[number, word[3] >> 5] = bytes(word[12 : 12 + length])
                elif number > best:
                    best = number
                    self._unpack(word)
                    self.state.note = _decoded(
                        b"".join([notes.get((number, part), b"") for part in range(TEXT // _PART)])
                    )
                    self._block = block
        self._number = best + 1
        self._next = self._words
        if best >= 0:
            self._next = self._used(self._block)

    def _read(self, block, index):
        """The word if it is whole, else None."""
        word = self._word
        self._device.readblocks(self._first + block, word, index * WORD)
        if word[:2] != b"LB" or struct.unpack_from("<I", word, _CHECKED)[0] != binascii.crc32(word[:_CHECKED]):
            return None
        return word

    def _used(self, block):
        """Words of the block up to the last that is not erased."""
        for index in range(self._words - 1, -1, -1):
            self._device.readblocks(self._first + block, self._word, index * WORD)
            if bytes(self._word).count(b"\xff") != WORD:
                return index + 1
        return 0

    def _unpack(self, word):
        state = self.state
        _, _, state.confirmed, state.former, state.trial, state.starts, flags, _, size, crc = struct.unpack_from(
            _FORM, word
        )
        state.was_online = bool(flags & _ONLINE)
        state.was_well = bool(flags & _WELL)
        state.failed = flags >> 1 & 3
        state.images[SLOT_A] = size, crc
        low, high, crc, state.reason = struct.unpack_from("<HBIB", word, 20)
        state.images[SLOT_B] = high << 16 | low, crc

    # --- writing

    def _packed(self):
        state, word = self.state, bytearray(WORD)
        flags = (_ONLINE if state.was_online else 0) | state.failed << 1 | (_WELL if state.was_well else 0)
        size, crc = state.images[SLOT_A]
        struct.pack_into(
            _FORM,
            word,
            0,
            b"LB",
            _STATE,
            state.confirmed,
            state.former,
            state.trial,
            state.starts,
            flags,
            self._number,
            size,
            crc,
        )
        size, crc = state.images[SLOT_B]
        struct.pack_into("<HBIB", word, 20, size & 0xFFFF, size >> 16, crc, state.reason)
        return _sealed(word)

    def _text(self, part, text):
        word = bytearray(WORD)
        struct.pack_into("<2sBBII", word, 0, b"LB", _TEXT, part << 5 | len(text), 0, self._number)
        word[12 : 12 + len(text)] = text
        return _sealed(word)

    def _turn(self):
        """Begin the other block. What is in force stays in this one until the new record is whole."""
        self._block ^= 1
        self._device.ioctl(_BLOCK_ERASE, self._first + self._block)
        self._next = 0

    def _put(self, words):
        """Program them one behind the other, passing over what does not take them. False if the block is full."""
        for word in words:
            while True:
                if self._next >= self._words:
                    return False
                index = self._next
                self._next += 1
                try:
                    self._device.writeblocks(self._first + self._block, word, index * WORD)
                except OSError:
                    pass  # what can be read tells whether it was done
                self._device.readblocks(self._first + self._block, self._word, index * WORD)
                if self._word == word:
                    break
        return True


def choose(records: Records, image, by_watchdog: bool) -> int:
    """The slot to run now, written down as one more start where it is on trial. FACTORY runs whatever happens.

    `image(slot)` gives the slot's flash as a buffer, or None; `by_watchdog`: the last reset was the watchdog's. A
    trial ends without a confirmation at the first reset by the watchdog, at the `STARTS`th start, and when the image is
    not what was written. A confirmed slot whose image has gone bad makes way for the former one. Raises OSError if
    nothing can be written, `records.state.confirmed` is the one to run then.
    """
    state = records.state
    if state.trial:
        if state.starts and by_watchdog:
            fail(records, WATCHDOG)
        elif state.starts >= STARTS:
            fail(records, SILENT)
        elif not is_whole(state, state.trial, image):
            fail(records, IMAGE)
        else:
            state.starts += 1
            records.write()
            return state.trial
    while state.confirmed != FACTORY and not is_whole(state, state.confirmed, image):
        state.failed, state.reason, state.note = state.confirmed, IMAGE, ""
        state.confirmed, state.former = state.former, FACTORY
        records.write()
    return state.confirmed


def is_whole(state: State, slot: int, image) -> bool:
    """Is the slot's image the one that was written?"""
    size, crc = state.images[slot]
    flash = image(slot) if size else None
    if flash is None or size > len(flash):
        return False
    flash = memoryview(flash)
    found = 0
    for start in range(0, size, _CHUNK):
        found = binascii.crc32(flash[start : min(size, start + _CHUNK)], found)
    return found == crc


def fail(records: Records, reason: int, note: str = "") -> None:
    """The slot on trial has lost: the confirmed one runs from the next start on."""
    state = records.state
    state.failed, state.trial, state.starts = state.trial, FACTORY, 0
    state.reason, state.note = reason, note
    records.write()


def confirm(records: Records) -> None:
    """The slot on trial has won: one word of flash, and it stays."""
    state = records.state
    state.former, state.confirmed = state.confirmed, state.trial
    state.trial, state.starts, state.failed, state.reason, state.note = FACTORY, 0, FACTORY, NONE, ""
    records.write()


# What this start came to; set once, by `boot.py`. `records` is None where the base has no slots: a board that runs
# files, or whose region "boot" cannot be read.
records: "Records | None" = None
running = FACTORY


def on_trial() -> bool:
    """Does a slot run that is not confirmed?"""
    return records is not None and running != FACTORY and records.state.trial == running


def crashed(error: Exception) -> None:
    """What runs has ended by `error`; a slot on trial has lost by that."""
    if on_trial():
        fail(records, CRASH, "%s: %s" % (type(error).__name__, error))


def _sealed(word):
    struct.pack_into("<I", word, _CHECKED, binascii.crc32(word[:_CHECKED]))
    return word


def _decoded(text):
    return "".join([chr(byte) if 0x20 <= byte <= 0x7E else "?" for byte in text])
