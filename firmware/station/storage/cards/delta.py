"""What changed since the tree was built: cards put or removed, one at a time, in a hash table that is only added to.

A bucket is a page of 32 slots, taken one after another; the key's first bits say which bucket, so that buckets follow
each other in the order of keys. Of two slots for one card the later one holds. A slot is an entry, then

    serial u16 | 0 u16 | checksum u32

`serial` is the update that wrote it: if that was not committed, the slot counts for nothing (`State.counts`).

What a power cut leaves: slots of an update that is not committed, the last one perhaps torn. Where nothing was torn,
a damaged slot could have been any card of its bucket: those that have no later slot are then unknown.
"""

import errno
import struct

import micropython
from micropython import const

from station.storage.cards.checks import DAMAGED, MENDED, intact, sum_of
from station.storage.cards.entries import SIZE, Entries, compare, copy
from station.storage.cards.ring import PAGE, Damaged, Ring, Space
from station.storage.cards.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as ptr16  # viper knows the word by itself: anything with a buffer

SLOTS = const(32)  # of a bucket
_SLOT = const(32)  # bytes
_FIT = const(20)  # slots that a bucket may have on average before one of them is likely full
_COUNTS = const(2)  # of a slot: part of the table
_VOID = const(1)  # whole, of an update that was not committed
_SURVEYED = const(4)  # buckets looked at in one slice


def create(ring: Ring, space: Space) -> int:
    """Take the next block for a delta, and see that it is blank. Raises OSError."""
    while True:
        block = space.take()
        if ring.is_blank(block):
            return block
        space.drop(block)


class Delta:
    """The delta of `state`."""

    def __init__(self, ring: Ring, state: State):
        self.ring = ring
        self.buckets = state.delta_blocks * ring.pages
        self._state = state

    def fits(self, slots: int) -> bool:
        """Whether so many more are likely to find room."""
        return self._state.used + slots <= self.buckets * _FIT

    @property
    def is_full(self) -> bool:
        """Whether it is time to put it into a new tree."""
        return self._state.used > self.buckets * _FIT // 2

    def find(self, key: bytes, view: memoryview) -> int:
        """Offset of the card's newest entry in `view`, -1 if there is none. Raises Damaged if that is not known."""
        if not self.buckets:
            return -1
        bucket = self._home(key, 0)
        damaged = False
        found = -1
        for slot in range(self._load(bucket, view) - 1, -1, -1):
            at = slot * _SLOT
            condition = self._check(bucket, view, at)
            if condition == DAMAGED:
                damaged = True
            elif condition == _COUNTS and not compare(view, key, at, 0):
                found = at
                break
        if damaged:
            self._doubt(bucket)
        return found

    def add(self, buf: "bytearray | memoryview", at: int, view: memoryview) -> bool:
        """Append the entry at `at` of `buf`, for the update `State.serial`. False if its bucket is full."""
        state, ring = self._state, self.ring
        bucket = self._home(buf, at)
        first = self._load(bucket, view)
        word = view[:_SLOT]
        copy(word, buf, 0, at)
        struct.pack_into("<HH", word, SIZE, state.serial, 0)
        sum_of(word, 0, _SLOT, state.generation)
        block = ring.block(state.delta, bucket // ring.pages)
        for slot in range(first, SLOTS):
            state.used += 1
            if ring.program(block, bucket % ring.pages * PAGE + slot * _SLOT, word):
                return True
            state.is_torn = True
        return False

    def read(self, bucket: int, view: memoryview, into: Entries) -> None:
        """Put the cards of a bucket into `into`. Raises Damaged."""
        damaged = False
        into.count = 0
        for slot in range(self._load(bucket, view)):
            condition = self._check(bucket, view, slot * _SLOT)
            if condition == _COUNTS:
                into.put_copy(view, slot * _SLOT)
            elif condition == DAMAGED:
                damaged = True
        if damaged:
            self._doubt(bucket)

    def is_empty(self, bucket: int, view: memoryview) -> bool:
        """Whether nothing was ever written there."""
        return not self._load(bucket, view)

    def _home(self, buf: "bytes | bytearray | memoryview", at: int) -> int:
        return ((buf[at] << 8 | buf[at + 1]) * self.buckets) >> 16

    def _load(self, bucket: int, view: memoryview) -> int:
        """Read a bucket: how many of its slots are used."""
        self.ring.read(self._state.delta, bucket * PAGE, view)
        return _used(view, SLOTS)

    def _check(self, bucket: int, view: memoryview, at: int) -> int:
        """DAMAGED, _VOID or _COUNTS."""
        condition = intact(view, at, _SLOT, self._state.generation)
        if condition == DAMAGED:
            return _VOID if _is_nearly_blank(view, at) else DAMAGED
        if condition == MENDED:
            self.ring.log.warning("cards", "bucket %d at %d has a wrong bit, put right", bucket, at)
        return _COUNTS if self._state.counts(struct.unpack_from("<H", view, at + SIZE)[0]) else _VOID

    def _doubt(self, bucket: int) -> None:
        """A slot is damaged. It may have been torn, and nothing is missing; else it may have been any card."""
        if not self._state.is_torn:
            raise Damaged(errno.EIO, "cards: bucket %d is damaged" % bucket)


class DeltaSource:
    """The delta's newest entries in order of their keys: at `at` of `buf` after each `advance`."""

    def __init__(self, delta: Delta, view: memoryview):
        """`view`: a page that others may use, too, but not while one of the functions here runs."""
        self.at = 0
        self._delta = delta
        self._view = view
        self._entries = Entries(SLOTS)
        self.buf = self._entries.buf
        self._filled = bytearray(delta.buckets)  # 1: holds something
        self._bucket = 0

    def survey(self):
        """A generator: look for buckets that hold something, and yield now and then. To be run before `advance`."""
        for bucket in range(self._delta.buckets):
            self._filled[bucket] = not self._delta.is_empty(bucket, self._view)
            if not bucket % _SURVEYED:
                yield

    def advance(self) -> bool:
        """False at the end. Raises Damaged."""
        self.at += SIZE
        while self.at >= self._entries.count * SIZE:
            self._bucket = self._filled.find(b"\1", self._bucket) + 1
            if not self._bucket:
                self._bucket = len(self._filled)
                return False
            self._delta.read(self._bucket - 1, self._view, self._entries)
            self.at = 0
        return True


def _is_nearly_blank(view: memoryview, at: int) -> bool:
    """Whether the slot was never written; one bit of it may have flipped since."""
    wrong = bytes(view[at : at + _SLOT]).strip(b"\xff")
    if len(wrong) > 1:
        return False
    flipped = 0xFF ^ wrong[0] if wrong else 0
    return not flipped & (flipped - 1)


@micropython.viper
def _used(view: ptr16, slots: int) -> int:
    """Slots up to the last one that is not blank."""
    last = slots * 16 - 1
    while last >= 0 and view[last] == 0xFFFF:
        last -= 1
    return (last + 16) >> 4
