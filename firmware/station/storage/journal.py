"""A ring of checksummed records on a raw region, programmed once, never changed: `mount`, `append`,
`read`, `records`, `free`, `sync`; and `thin`, for the day when it fills.

What a power cut leaves, at any program or erase, whether undone, half done or done: every record whose
`append` had returned, in order, and perhaps the one under way, whole. Freed records may come back if the
cut came before the mark that frees them was on flash; then all that followed them are back as well, so a
reader never finds a beginning without the end that it once had.

`blocks` says how records lie in flash, `ring` which block holds which. Their numbers rise by one; some may be
left out (a torn record takes its number with it, `thinning` leaves some out on purpose), none is given twice.

Blocks are taken in turn. One is always kept free: a block is entered only when there is another one that may
be next, and its header says below which number that one lies (`kept`). So no erase that a cut may leave half
done touches what a mount could give back. The order of blocks is that of their first numbers, not of their
places.
"""

import errno
import os

from micropython import const

from station.storage.blocks import FIRST_WORD, LARGEST, MARK, PREFIX, WORD, Blocks, buffer, span
from station.storage.ring import NONE, Ring
from station.storage.thinning import Thinning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generator

MAX_PAYLOAD = const(500)
MAX_KIND = const(0xEF)


class JournalFull(Exception):
    """No block may be entered until more is freed; nothing was written."""


class Journal:
    """Numbers start at 1 and rise over the life of the flash. `mount` comes before everything else.

    RAM: 5 bytes a block, two buffers of 512 and 64 bytes.
    """

    def __init__(self, region, log):
        if region.blocks < 3:
            raise ValueError("journal: needs 3 blocks, got %d" % region.blocks)
        self._log = log
        self._blocks = Blocks(region, log)
        self._words = self._blocks.words
        self._ring = Ring(region.blocks)
        self._view = buffer()
        self._thinning = Thinning(self._ring, self._blocks, self._view, self._wanted, self._replace)
        self._forget()

    def _forget(self):
        self._ring.clear()
        self._thinning.clear()
        self._entered = 0
        self._word = 0  # next free word in the head
        self._next = 1
        self._freed = 0
        self._persisted = 0  # the mark that is on flash
        self._spare = 0  # blocks that may be entered
        self._until = 0  # freed + 1 at which there are more of them
        self._cursor = (-1, 0, 0, 0)  # of the record read last: block, word, number, first of the next block
        self._hold = NONE  # from here on freed records stay readable

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
        return min(self._ring.following(0), self._next)

    @property
    def hold(self) -> "int | None":
        """From this number on records stay readable though they are freed; None: nothing is held.

        It protects what is still there: set it before the record is freed, or at the latest before the next
        `append` or `thin`. It is in RAM only: set it again after `mount`, before the first of these.
        """
        return None if self._hold == NONE else self._hold

    @hold.setter
    def hold(self, seq: "int | None") -> None:
        self._hold = NONE if seq is None else seq
        self._survey()

    @property
    def capacity(self) -> int:
        """Bytes that records can take in all."""
        return (self._ring.count - 1) * (self._words - FIRST_WORD) * WORD

    @property
    def next(self) -> int:
        """Number that the next `append` will give."""
        return self._next

    def size(self, length: int) -> int:
        """Bytes of room that a record with `length` bytes of payload takes."""
        return span(length) * WORD

    def room(self) -> int:
        """Bytes that can surely still be appended: any records whose `size`s sum up to it will fit."""
        ahead = max(0, self._words - self._word) if self._ring.head >= 0 else 0
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
        ring = self._ring
        newest, kept = 0, 0
        for block in range(ring.count):
            header = self._blocks.header(block)
            if header is None:
                continue
            salt, entered, first, freed, below, level, last = header
            if newest and salt != self.salt:
                self._log.error("journal", "block %d is of another life of this flash: unused", block)
                continue
            self._blocks.salt = salt
            ring.found(block, first, level, last)
            self._entered = max(self._entered, entered)
            self._freed = max(self._freed, freed)
            kept = max(kept, below)
            self._next = max(self._next, last + 1 if level else first)
            if first > newest:
                newest = first
                ring.head = block
        if ring.head < 0:
            self._blocks.salt = int.from_bytes(os.urandom(4), "little")  # the first append writes it
        else:
            ring.settle(kept)
            self._mount_head()
        self._persisted = self._freed
        self._survey()
        self._log.info("journal", "records %d to %d, room %d bytes", self.first, self._next - 1, self.room())

    def append(self, kind: int, payload: "bytes | bytearray | memoryview", free: int = 0) -> int:
        """Write a record, kind 0 to MAX_KIND; on return it is on flash. Returns its number.

        `free`: with it, and only with it, records up to this number are freed: a power cut leaves both or neither.

        Raises JournalFull; OSError when flash failed here, behind here and in the next block (the number
        is used up).
        """
        length = len(payload)
        if not 0 <= kind <= MAX_KIND or length > MAX_PAYLOAD:
            text = "journal: kind %d (0 to %d), %d bytes (at most %d)"
            raise ValueError(text % (kind, MAX_KIND, length, MAX_PAYLOAD))
        if self._ring.head < 0 or self._word + span(length) > self._words:
            self._enter()
        freed = max(free, self._freed)  # not for the header of a block that is entered: the cut may come behind it
        written = self._write(kind, payload, freed) or self._write_elsewhere(kind, payload, freed)
        number = self._next
        self._next += 1  # even if not: whatever is there now must not become the next record
        if not written:
            raise OSError(errno.EIO, "journal: record %d cannot be written" % number)
        self.free(freed)
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
        if not self._write(MARK, b"", self._freed):
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
            block = self._ring.block_of(seq)
            word, number = FIRST_WORD, self._ring.firsts[block]
            until = self._ring.following(number)
        while True:
            found = self._blocks.find(self._view, block, word, self._end(block), number)
            if found is None:
                break
            word, number, kind, length = found
            if number >= seq and kind != MARK:
                break
            word += span(length)
        if found is None or number != seq:
            if not self._ring.levels[block]:
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
        Appending, freeing and thinning while it runs is allowed; it goes on to what was appended.
        """
        view, ring = buffer(), self._ring
        seq = start or self.first
        block, base, changes = -1, 0, 0
        while seq < self._next:
            if block < 0 or ring.firsts[block] != base or ring.changes != changes:  # at the start, or moved meanwhile
                seq = max(seq, self.oldest)
                block = ring.block_of(seq)
                word, base, changes = FIRST_WORD, ring.firsts[block], ring.changes
                number = base
            found = self._blocks.find(view, block, word, self._end(block), number)
            if found is None:
                following = ring.following(base)
                if following == NONE:
                    self._log_missing(seq, self._next - 1)  # torn, at the very end
                    return
                if ring.levels[block]:
                    seq = max(seq, following)  # left out on purpose
                block = ring.block_of(following)
                word, base, number = FIRST_WORD, following, following
                continue
            sound = found[0] == word or word == FIRST_WORD
            word, number, kind, length = found
            word += span(length)
            if kind == MARK:
                continue
            if number >= seq:
                if number > seq and not (sound and ring.levels[block]):
                    self._log_missing(seq, number - 1)
                seq = number + 1
                yield number, kind, view[PREFIX : PREFIX + length]
            number += 1

    def thin(self, policy) -> "Generator[bool, None, None]":
        """Leave out records to make room: fills one block, in small steps; see `Thinning.slices`. One at a time.

        Between the steps all else goes on as ever. Numbers left out are not logged as missing.
        """
        for done in self._thinning.slices(policy):
            yield done
        self._survey()  # a block may have failed

    # -- reading flash ---------------------------------------------------------------------------

    def _mount_head(self) -> None:
        """Find the end of the newest block, and the newest mark."""
        head = self._ring.head
        used = self._blocks.used(head)
        end = min(used + LARGEST - 1, self._words)  # a record may end in words of 0xFF
        word, number = FIRST_WORD, self._ring.firsts[head]
        while True:
            found = self._blocks.find(self._view, head, word, end, number)
            if found is None:
                break
            word, number, kind, length = found
            self._freed = max(self._freed, self._blocks.freed(self._view, number))
            word += span(length)
            if kind != MARK:
                number += 1
        if self._ring.levels[head]:  # both headers of the block behind it are unreadable
            self._word = self._words
            return
        self._next = number
        if used > word:
            # Torn, or a whole record that a flipped bit made unreadable and whose number is known outside:
            # so the number is not given again. Where it ended is unknown as well.
            self._next = number + 1
            word = used - 1 + LARGEST
            self._log_missing(number, number)
        self._word = min(word, self._words)

    def _end(self, block: int) -> int:
        return self._word if block == self._ring.head else self._words

    # -- writing flash ---------------------------------------------------------------------------

    def _write(self, kind: int, payload, freed: int) -> bool:
        """Program a record into the next words, which are used up either way."""
        word = self._word
        self._word += span(len(payload))
        return self._blocks.write(self._ring.head, word, kind, payload, self._next, freed)

    def _write_elsewhere(self, kind: int, payload, freed: int) -> bool:
        """The words were bad: try those behind them, then a new block."""
        if self._word + span(len(payload)) <= self._words and self._write(kind, payload, freed):
            return True
        try:
            self._enter()
        except JournalFull:
            return False
        return self._write(kind, payload, freed)

    def _enter(self) -> None:
        """Go on in the next block that is free. Raises JournalFull."""
        if self._enter_below(self._ring.kept):
            return
        if self._spare > 1:
            # Only after the block that was kept free had failed. A cut in the middle of this erase could bring
            # back the beginning of what was freed without its end: better than a journal that is stuck.
            self._log.warning("journal", "the block kept free has failed, another one is taken")
            if self._enter_below(self._ring.floor(self._wanted())):
                return
        raise JournalFull("journal: full with records %d to %d" % (self.first, self._next - 1))

    def _enter_below(self, floor: int) -> bool:
        """Enter the next block whose records all come before `floor`, taking turns for even wear."""
        ring = self._ring
        for i in range(1, ring.count + 1):
            block = (ring.head + i) % ring.count
            if self._spare > 1 and ring.may_enter(block, floor) and self._open(block):
                return True
        return False

    def _open(self, block: int) -> bool:
        """Erase `block` and write its header. A block that fails is left out until the next mount."""
        ring = self._ring
        if ring.head >= 0 and ring.firsts[ring.head] == self._next:
            self._next += 1  # nothing could be written in the old block; no two may begin with one number
        ring.enter(block, self._next)
        self._cursor = (-1, 0, 0, 0)
        kept = ring.floor(self._wanted())
        if not self._blocks.begin(block, self._entered + 1, self._next, self._freed, kept):
            ring.fail(block)
            self._survey()
            return False
        ring.head, self._word = block, FIRST_WORD
        self._has_entered(kept)
        return True

    def _replace(self, sources: "list[int]", last: int, level: int) -> bool:
        """Let the target of a thinning take the place of `sources` up to number `last`."""
        ring = self._ring
        kept = ring.floor(self._wanted())
        first = ring.firsts[sources[0]]
        if not self._blocks.seal(ring.target, self._entered + 1, first, self._freed, kept, level, last):
            ring.fail(ring.target)
            return False
        ring.replace(sources, last, level)
        self._cursor = (-1, 0, 0, 0)
        self._has_entered(kept)
        return True

    def _has_entered(self, kept: int) -> None:
        """A header was written."""
        self._entered += 1
        self._persisted, self._ring.kept = self._freed, kept
        self._survey()

    def _wanted(self) -> int:
        """The lowest number that is wanted or held."""
        return min(self._freed + 1, self._hold)

    def _survey(self) -> None:
        """Count the blocks that may be entered, and note which mark will make it more."""
        self._spare = self._ring.spare(self._ring.floor(self._wanted()))
        self._until = self._ring.following(self._freed + 1)

    def _log_missing(self, first: int, last: int) -> None:
        first = max(first, self._freed + 1)
        if first <= last:
            self._log.warning("journal", "no record %d to %d: torn by a power cut, or unreadable", first, last)
