"""A ring of checksummed records on a raw region, programmed once, never rewritten: `mount`, `append`,
`read`, `records`, `free`, `sync`.

What a power cut leaves, at any program or erase, whether undone, half done or done: every record whose
`append` had returned, in order, and perhaps the one under way, whole. Freed records may come back if the
cut came before the mark that frees them was on flash; then all that followed them are back as well, so a
reader never finds a beginning without the end that it once had.

`blocks` says how records lie in flash. Their numbers rise by one; some may be left out (a torn record takes
its number with it), none is given twice.

Blocks are taken in turn. One is always kept free: a block is entered only when there is another one that may
be next, and its header says below which number that one lies (`kept`). So no erase that a cut may leave half
done touches what a mount could give back. The order of blocks is that of their first numbers, not of their
places.
"""

import errno
import os
from array import array

from micropython import const

from station.storage.blocks import FIRST_WORD, LARGEST, MARK, PREFIX, WORD, Blocks, buffer, span

MAX_PAYLOAD = const(500)
MAX_KIND = const(0xEF)
_BAD = const(0xFFFFFFFF)  # in `_firsts`: this block could not be erased or programmed since mount


class JournalFull(Exception):
    """No block may be entered until more is freed; nothing was written."""


class Journal:
    """Numbers start at 1 and rise over the life of the flash. `mount` comes before everything else.

    RAM: 4 bytes a block, two buffers of 512 and 64 bytes.
    """

    def __init__(self, region, log):
        if region.blocks < 3:
            raise ValueError("journal: needs 3 blocks, got %d" % region.blocks)
        self._log = log
        self._blocks = Blocks(region, log)
        self._words = self._blocks.words
        self._firsts = array("I", bytes(4 * region.blocks))  # number of each block's first record, 0: none
        self._view = buffer()
        self._forget()

    def _forget(self):
        self._entered = 0
        self._head = -1  # block that is written to
        self._word = 0  # next free word in it
        self._next = 1
        self._freed = 0
        self._persisted = 0  # the mark that is on flash
        self._kept = 0  # lowest number kept until another block is entered, on flash as well
        self._spare = 0  # blocks that may be entered
        self._until = 0  # freed + 1 at which there are more of them
        self._cursor = (-1, 0, 0, 0)  # of the record read last: block, word, number, first of the next block
        self._hold = _BAD  # from here on freed records stay readable
        for block in range(len(self._firsts)):
            self._firsts[block] = 0

    # -- what the caller sees ------------------------------------------------------------------

    @property
    def salt(self) -> int:
        """32-bit number that identifies this life of the flash."""
        return self._blocks.salt

    @property
    def first(self) -> int:
        """Lowest number that is not freed; equals `next` when the journal is empty."""
        return self._freed + 1

    @property
    def freed(self) -> int:
        """Highest number that is freed, 0 for none."""
        return self._freed

    @property
    def oldest(self) -> int:
        """Lowest number that can still be read with `records`, freed or not; `next` if there is none."""
        return min(self._following(0), self._next)

    @property
    def hold(self) -> "int | None":
        """From this number on records stay readable though they are freed; None: nothing is held.

        It protects what is still there: set it before the record is freed, or at the latest before the next
        `append`. It is in RAM only: set it again after `mount`, before the first `append`.
        """
        return None if self._hold == _BAD else self._hold

    @hold.setter
    def hold(self, seq: "int | None") -> None:
        self._hold = _BAD if seq is None else seq
        self._survey()

    @property
    def capacity(self) -> int:
        """Bytes that records can take in all."""
        return (len(self._firsts) - 1) * (self._words - FIRST_WORD) * WORD

    @property
    def next(self) -> int:
        """Number that the next `append` will give."""
        return self._next

    def size(self, length: int) -> int:
        """Bytes of room that a record with `length` bytes of payload takes."""
        return span(length) * WORD

    def room(self) -> int:
        """Bytes that can surely still be appended: any records whose `size`s sum up to it will fit."""
        ahead = max(0, self._words - self._word) if self._head >= 0 else 0
        more = self._spare - 1  # one is kept
        if more < 1:
            return ahead * WORD
        # a record that does not fit leaves up to LARGEST - 1 words unused, in each block but the last
        whole = self._words - FIRST_WORD
        waste = LARGEST - 1
        return (max(0, ahead - waste) + (more - 1) * (whole - waste) + whole) * WORD

    def mount(self) -> None:
        """Find head and tail: two words of each block, then the records of the newest block."""
        self._forget()
        newest = 0
        for block in range(len(self._firsts)):
            header = self._blocks.header(block)
            if header is None:
                continue
            salt, entered, first, freed, kept = header
            if newest and salt != self.salt:
                self._log.error("journal", "block %d is of another life of this flash: unused", block)
                continue
            self._blocks.salt = salt
            self._firsts[block] = first
            self._entered = max(self._entered, entered)
            self._freed = max(self._freed, freed)
            self._kept = max(self._kept, kept)
            if first > newest:
                newest = first
                self._head = block
        if self._head < 0:
            self._blocks.salt = int.from_bytes(os.urandom(4), "little")  # the first append writes it
        else:
            for block in range(len(self._firsts)):
                if self._firsts[block] < self._kept:
                    self._firsts[block] = 0  # perhaps half erased: not even history
            self._next = newest
            self._mount_head()
        self._persisted = self._freed
        self._survey()
        self._log.info("journal", "records %d to %d, room %d bytes", self.first, self._next - 1, self.room())

    def append(self, kind: int, payload: "bytes | bytearray | memoryview") -> int:
        """Write a record, kind 0 to MAX_KIND; on return it is on flash. Returns its number.

        Raises JournalFull; OSError when flash failed here, behind here and in the next block (the number
        is used up).
        """
        length = len(payload)
        if not 0 <= kind <= MAX_KIND or length > MAX_PAYLOAD:
            text = "journal: kind %d (0 to %d), %d bytes (at most %d)"
            raise ValueError(text % (kind, MAX_KIND, length, MAX_PAYLOAD))
        if self._head < 0 or self._word + span(length) > self._words:
            self._enter()
        written = self._write(kind, payload) or self._write_elsewhere(kind, payload)
        number = self._next
        self._next += 1  # even if not: whatever is there now must not become the next record
        if not written:
            raise OSError(errno.EIO, "journal: record %d cannot be written" % number)
        self._persisted = self._freed
        return number

    def free(self, up_to: int) -> None:
        """Records up to this number are no longer wanted. On flash with the next `append` or `sync`."""
        if up_to >= self._next:
            raise ValueError("journal: free up to %d, last record is %d" % (up_to, self._next - 1))
        if up_to > self._freed:
            self._freed = up_to
            if up_to + 1 >= self._until:
                self._survey()

    def sync(self, keep: int = 0) -> bool:
        """Put the mark on flash, in a word of its own, if at least `keep` bytes of room are left then.

        False if the mark stays in RAM: for lack of room, or because the flash failed.
        """
        if self._persisted == self._freed:
            return True
        if self._word >= self._words:
            try:
                self._enter()  # the header carries the mark
            except JournalFull:
                return False
            return True
        if self.room() - WORD < keep:
            return False
        if not self._write(MARK, b""):
            return False
        self._persisted = self._freed
        return True

    def read(self, seq: int, buf) -> "tuple[int, int]":
        """Copy the payload of record `seq` into `buf`: (kind, length).

        Raises KeyError if it is freed, not yet written or lost; ValueError if `buf` is too small.
        """
        if not self._freed < seq < self._next:
            raise KeyError(seq)
        block, word, number, until = self._cursor
        if not number <= seq < until:
            block = self._block_of(seq)
            word, number = FIRST_WORD, self._firsts[block]
            until = self._following(number)
        while True:
            found = self._blocks.find(self._view, block, word, self._end(block), number)
            if found is None:
                break
            word, number, kind, length = found
            if number >= seq and kind != MARK:
                break
            word += span(length)
        if found is None or number != seq:
            self._log_missing(seq, seq)
            raise KeyError(seq)
        self._cursor = block, word, number, until
        if length > len(buf):
            raise ValueError("journal: record %d has %d bytes, the buffer %d" % (seq, length, len(buf)))
        buf[:length] = self._view[PREFIX : PREFIX + length]
        return kind, length

    def records(self, start: "int | None" = None):
        """Iterate over (number, kind, payload) from `start` (default: `first`) to the end, in order.

        `start` may lie among the freed ones: those that flash still holds are given too. The payload is a
        memoryview that the next step overwrites. Lost records are left out; those that were wanted are logged.
        Appending and freeing while it runs is allowed; it goes on to what was appended.
        """
        view = buffer()
        seq = start or self.first
        block, base = -1, 0
        while seq < self._next:
            if block < 0 or self._firsts[block] != base:  # at the start, or freed and reused meanwhile
                seq = max(seq, self.oldest)
                block = self._block_of(seq)
                word, base = FIRST_WORD, self._firsts[block]
                number = base
            found = self._blocks.find(view, block, word, self._end(block), number)
            if found is None:
                following = self._following(base)
                if following == _BAD:
                    self._log_missing(seq, self._next - 1)  # torn, at the very end
                    return
                block = self._block_of(following)
                word, base, number = FIRST_WORD, following, following
                continue
            word, number, kind, length = found
            word += span(length)
            if kind == MARK:
                continue
            if number >= seq:
                if number > seq:
                    self._log_missing(seq, number - 1)
                seq = number + 1
                yield number, kind, view[PREFIX : PREFIX + length]
            number += 1

    # -- reading flash ---------------------------------------------------------------------------

    def _mount_head(self) -> None:
        """Find the end of the newest block, and the newest mark."""
        used = self._blocks.used(self._head)
        end = min(used + LARGEST - 1, self._words)  # a record may end in words of 0xFF
        word, number = FIRST_WORD, self._next
        while True:
            found = self._blocks.find(self._view, self._head, word, end, number)
            if found is None:
                break
            word, number, kind, length = found
            self._freed = max(self._freed, self._blocks.freed(self._view, number))
            word += span(length)
            if kind != MARK:
                number += 1
        self._next = number
        if used > word:
            # Torn, or a whole record that a flipped bit made unreadable and whose number is known outside:
            # so the number is not given again. Where it ended is unknown as well.
            self._next = number + 1
            word = used - 1 + LARGEST
            self._log_missing(number, number)
        self._word = min(word, self._words)

    def _end(self, block: int) -> int:
        return self._word if block == self._head else self._words

    def _block_of(self, seq: int) -> int:
        """The block in which `seq` is, if it is anywhere."""
        firsts = self._firsts
        best = 0
        for first in firsts:
            if best < first <= seq:
                best = first
        for block in range(len(firsts)):
            if best and firsts[block] == best:
                return block
        raise KeyError(seq)

    def _following(self, first: int) -> int:
        """First number of the block behind the one that begins with `first`; _BAD if there is none."""
        best = _BAD
        for other in self._firsts:
            if first < other < best:
                best = other
        return best

    # -- writing flash ---------------------------------------------------------------------------

    def _write(self, kind: int, payload) -> bool:
        """Program a record into the next words, which are used up either way."""
        word = self._word
        self._word += span(len(payload))
        return self._blocks.write(self._head, word, kind, payload, self._next, self._freed)

    def _write_elsewhere(self, kind: int, payload) -> bool:
        """The words were bad: try those behind them, then a new block."""
        if self._word + span(len(payload)) <= self._words and self._write(kind, payload):
            return True
        try:
            self._enter()
        except JournalFull:
            return False
        return self._write(kind, payload)

    def _enter(self) -> None:
        """Go on in the next block that is free. Raises JournalFull."""
        if self._enter_below(self._kept):
            return
        if self._spare > 1:
            # Only after the block that was kept free had failed. A cut in the middle of this erase could bring
            # back the beginning of what was freed without its end: better than a journal that is stuck.
            self._log.warning("journal", "the block kept free has failed, another one is taken")
            if self._enter_below(self._floor()):
                return
        raise JournalFull("journal: full with records %d to %d" % (self.first, self._next - 1))

    def _enter_below(self, floor: int) -> bool:
        """Enter the next block whose records all come before `floor`, taking turns for even wear."""
        count = len(self._firsts)
        for i in range(1, count + 1):
            block = (self._head + i) % count
            first = self._firsts[block]
            if self._spare > 1 and block != self._head and (first < floor or not first) and self._open(block):
                return True
        return False

    def _open(self, block: int) -> bool:
        """Erase `block` and write its header. A block that fails is left out until the next mount."""
        if self._head >= 0 and self._firsts[self._head] == self._next:
            self._next += 1  # nothing could be written in the old block; no two may begin with one number
        self._firsts[block] = self._next
        self._cursor = (-1, 0, 0, 0)
        kept = self._floor()
        if not self._blocks.begin(block, self._entered + 1, self._next, self._freed, kept):
            self._firsts[block] = _BAD
            self._survey()
            return False
        self._entered += 1
        self._head, self._word = block, FIRST_WORD
        self._persisted, self._kept = self._freed, kept
        self._survey()
        return True

    def _floor(self) -> int:
        """First number of the block in which is the lowest one that is wanted or held: earlier blocks may go."""
        wanted = min(self._freed + 1, self._hold)
        floor = 0
        for first in self._firsts:
            if floor < first <= wanted:
                floor = first
        return floor

    def _survey(self) -> None:
        """Count the blocks that may be entered, and note which mark will make it more."""
        floor = self._floor()
        spare, until = 0, _BAD
        for block in range(len(self._firsts)):
            first = self._firsts[block]
            if block != self._head and (first < floor or not first):
                spare += 1
            if self._freed + 1 < first < until:
                until = first
        self._spare, self._until = spare, until

    def _log_missing(self, first: int, last: int) -> None:
        first = max(first, self._freed + 1)
        if first <= last:
            self._log.warning("journal", "no record %d to %d: torn by a power cut, or unreadable", first, last)
