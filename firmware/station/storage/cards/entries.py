"""One card in 24 bytes, and `Entries`, some of them in RAM in order of their keys.

    key 10 | parent 8 | status u8 | flags u8 | expiry u32

An entry is named by the buffer that it lies in and its offset there, so that none of them needs an object.
"""

import struct

import micropython
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as ptr8  # viper knows these words by itself: anything with a buffer
    from typing import Any as ptr32

SIZE = const(24)
KEY = const(10)
PARENT = const(8)
REMOVED = const(1)  # flag: the card is no longer in the list
_HAS_PARENT = const(2)
_FLAGS = const(19)  # offset
_FORMAT = "<10s8sBBI"


def unpack(view: memoryview, at: int) -> "tuple[int, int, bytes | None]":
    """(status, expiry, parent) of the entry at `at`."""
    _, parent, status, flags, expiry = struct.unpack_from(_FORMAT, view, at)
    return status, expiry, parent if flags & _HAS_PARENT else None


def is_removed(buf: "bytearray | memoryview", at: int) -> bool:
    """Whether the entry says that the card is no longer in the list."""
    return bool(buf[at + _FLAGS] & REMOVED)


class Entries:
    """Up to `limit` entries, each key once, the last one put wins."""

    def __init__(self, limit: int):
        self.limit = limit
        self.count = 0
        self.buf = bytearray(limit * SIZE)

    def put(self, key: bytes, status: int, expiry: int, parent: "bytes | None") -> bool:
        """False if there is no room."""
        at = self._place(key)
        if at < 0:
            return False
        flags = 0 if parent is None else _HAS_PARENT
        struct.pack_into(_FORMAT, self.buf, at, key, parent or b"", status, flags, expiry)
        return True

    def remove(self, key: bytes) -> bool:
        """Put an entry that says the card is removed. False if there is no room."""
        at = self._place(key)
        if at < 0:
            return False
        struct.pack_into(_FORMAT, self.buf, at, key, b"", 0, REMOVED, 0)
        return True

    def put_copy(self, view: memoryview, at: int) -> bool:
        """Put the entry at `at` of `view`. False if there is no room."""
        place = self._place(view[at : at + KEY])
        if place < 0:
            return False
        copy(self.buf, view, place, at)
        return True

    def _place(self, key: "bytes | memoryview") -> int:
        """Offset of the key's entry, of a new one if there is none; -1 if there is no room for it."""
        found = seek(self.buf, key, self.count, SIZE)
        at = found >> 1
        if not found & 1:
            if self.count == self.limit:
                return -1
            _open_gap(self.buf, at, self.count)
            self.count += 1
        return at * SIZE


@micropython.viper
def seek(buf: ptr8, key: ptr8, count: int, stride: int) -> int:
    """Twice the number of keys below `key` among `count` in order, `stride` bytes apart; plus 1 if `key` is next."""
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        at = middle * stride
        i = 0
        while i < 10 and buf[at + i] == key[i]:
            i += 1
        if i == 10:
            return middle << 1 | 1
        if buf[at + i] < key[i]:
            low = middle + 1
        else:
            high = middle
    return low << 1


@micropython.viper
def compare(a: ptr8, b: ptr8, at_a: int, at_b: int) -> int:
    """Below, equal or above 0: as the key at `at_a` of `a` lies to that at `at_b` of `b`."""
    i = 0
    while i < 10:
        difference = int(a[at_a + i]) - int(b[at_b + i])
        if difference:
            return difference
        i += 1
    return 0


@micropython.viper
def copy(to: ptr8, source: ptr8, at: int, source_at: int):
    """Copy one entry."""
    i = 0
    while i < 24:
        to[at + i] = source[source_at + i]
        i += 1


@micropython.viper
def _open_gap(buf: ptr32, index: int, count: int):
    """Move the entries from `index` on up by one. A heap block is aligned, and so are 24 bytes."""
    i = count * 6 - 1
    end = index * 6
    while i >= end:
        buf[i + 6] = buf[i]
        i -= 1
