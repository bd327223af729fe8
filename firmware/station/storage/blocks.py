"""How the journal's records lie in an erase block: headers and records, written and found word by word.

What a power cut leaves: a header or a record, whole, or words in which nothing is found, for a checksum covers
all of it. `find` passes over such words, `used` counts them.

An erase block is a row of 32-byte words. Words 0 and 1 hold the block's header, twice, for a bit may flip:

    magic | salt u32 | entered u32 | first u32 | freed u32 | kept u32 | level u8, covered u24 | checksum u32

`entered` counts the blocks entered, `first` is the number of the block's first record, `freed` the mark, `kept`
the lowest number kept. A thinned block has a level, and stands for `covered` numbers behind its first.
Behind the header lie the records, each of whole words, none across two blocks:

    kind u8 | wanted u24 | length u16 | number u16 | checksum u32 | payload | 0xFF …

`number` is the low half; the whole of it, and the salt, go into the checksum, so that nothing but this
record in this life of the flash fits it. `wanted` says how many records before this one are not freed. A
mark is a record without payload and without a number of its own, for the sake of `wanted`.
"""

import binascii
import struct

from micropython import const

WORD = const(32)
FIRST_WORD = const(2)
LARGEST = const(16)  # words of the largest record
PREFIX = const(12)  # bytes before the payload
MARK = const(0xFE)  # kind of a mark
_MAGIC = b"LPJ2"
_CHECKED = const(28)  # bytes of a header before its checksum
_MASK = const(0xFFFFFFFF)


def span(length: int) -> int:
    """Words of a record with `length` bytes of payload."""
    return (PREFIX + length + WORD - 1) // WORD


def buffer() -> memoryview:
    """Room for one record, as `Blocks.find` fills it."""
    return memoryview(bytearray(LARGEST * WORD))


class Blocks:
    """The blocks of `region`, each of `words` words. `salt` is the caller's to set before he writes or finds."""

    def __init__(self, region, log):
        if WORD % region.word or region.block_size % WORD:
            raise ValueError(
                "journal: blocks of %d bytes in words of %d do not make words of %d"
                % (region.block_size, region.word, WORD)
            )
        self.salt = 0
        self.count = region.blocks
        self.words = region.block_size // WORD
        self._region = region
        self._size = region.block_size
        self._log = log
        self._view = buffer()
        self._proof = memoryview(bytearray(2 * WORD))

    # -- reading ---------------------------------------------------------------------------------

    def header(self, block: int) -> "tuple[int, int, int, int, int, int, int] | None":
        """(salt, entered, first, freed, kept, level, highest number that it replaces) from either copy."""
        both = self._proof
        self._region.read(block * self._size, both)
        for start in (0, WORD):
            magic, salt, entered, first, freed, kept, rank, checksum = struct.unpack_from("<4sIIIIIII", both, start)
            if magic == _MAGIC and binascii.crc32(both[start : start + _CHECKED]) == checksum:
                return salt, entered, first, freed, kept, rank & 0xFF, first + (rank >> 8)
        return None

    def find(self, view: memoryview, block: int, word: int, end: int, number: int) -> "tuple | None":
        """Read into `view` the first record or mark from `word` on that ends at `end` or before and whose
        number is at least `number`. Returns (word, number, kind, length), or None if there is none.

        Goes word by word over what is no record: torn or damaged ones, words that failed, erased ones.
        """
        read = self._region.read
        base = block * self._size
        limit = len(view) - PREFIX
        while word < end:
            at = base + word * WORD
            read(at, view[:WORD])
            kind, _, length, low, _, checksum = struct.unpack_from("<BBHHHI", view)
            if kind != 0xFF and length <= limit and word + span(length) <= end:
                found = number + ((low - number) & 0xFFFF)
                size = PREFIX + length
                if size > WORD:
                    read(at + WORD, view[WORD:size])
                if self._checksum(view, size, found) == checksum:
                    return word, found, kind, length
            word += 1
        return None

    def freed(self, view: memoryview, number: int) -> int:
        """Highest freed number, as the record or mark `number` in `view` tells it."""
        _, high, _, _, low = struct.unpack_from("<BBHHH", view)
        return number - 1 - (high << 16 | low)

    def used(self, block: int) -> int:
        """Words of `block` up to the last that is not erased."""
        chunk = len(self._view)
        for start in range((self._size - 1) // chunk * chunk, -1, -chunk):
            part = self._view[: min(chunk, self._size - start)]
            self._region.read(block * self._size + start, part)
            length = len(bytes(part).rstrip(b"\xff"))
            if length:
                return (start + length + WORD - 1) // WORD
        return 0

    # -- writing ---------------------------------------------------------------------------------

    def begin(self, block: int, entered: int, first: int, freed: int, kept: int) -> bool:
        """Erase `block` and write its header. False if the flash failed."""
        if not self.erase(block):
            return False
        if self._program(block, 0, self._pack_header(entered, first, freed, kept, 0)):
            return True
        self.erase(block)  # half of the header may be right, and must not be found
        return False

    def seal(self, block: int, entered: int, first: int, freed: int, kept: int, level: int, last: int) -> bool:
        """Write the header of a thinned block, behind all that is in it. False if nobody will ever find it."""
        rank = last - first << 8 | level
        return self._program(block, 0, self._pack_header(entered, first, freed, kept, rank)) or (
            self.header(block) is not None
        )

    def copy(self, block: int, word: int, view: memoryview, length: int) -> bool:
        """Program at `word` the record that `find` has read into `view`. False if the flash failed."""
        end = span(length) * WORD
        _blank(view[PREFIX + length : end])
        return self._program(block, word, view[:end])

    def write(self, block: int, word: int, kind: int, payload, number: int, freed: int) -> bool:
        """Program a record at `word`. False if the flash failed; the words are used up then, too."""
        view, length = self._view, len(payload)
        wanted = number - 1 - freed
        struct.pack_into("<BBHHH", view, 0, kind, wanted >> 16, length, number & 0xFFFF, wanted & 0xFFFF)
        size = PREFIX + length
        end = span(length) * WORD
        view[PREFIX:size] = payload
        _blank(view[size:end])
        struct.pack_into("<I", view, PREFIX - 4, self._checksum(view, size, number))
        return self._program(block, word, view[:end])

    def erase(self, block: int) -> bool:
        """False if the flash failed."""
        try:
            self._region.erase(block)
        except OSError as error:
            self._log.error("journal", "block %d cannot be erased: %s", block, error)
            return False
        return True

    def _pack_header(self, entered: int, first: int, freed: int, kept: int, rank: int) -> memoryview:
        view = self._view[: 2 * WORD]
        for start in (0, WORD):
            struct.pack_into("<4sIIIIII", view, start, _MAGIC, self.salt, entered, first, freed, kept, rank)
            struct.pack_into("<I", view, start + _CHECKED, binascii.crc32(view[start : start + _CHECKED]))
        return view

    def _program(self, block: int, word: int, data: memoryview) -> bool:
        """Program and read back: worn flash may fail without saying so, or say so and be right all the same."""
        offset = block * self._size + word * WORD
        try:
            self._region.program(offset, data)
        except OSError as error:
            self._log.warning("journal", "block %d word %d: %s", block, word, error)
        for start in range(0, len(data), len(self._proof)):
            part = data[start : start + len(self._proof)]
            proof = self._proof[: len(part)]
            self._region.read(offset + start, proof)
            if proof != part:
                self._log.error("journal", "block %d word %d failed, its words are left out", block, word)
                return False
        return True

    def _checksum(self, view: memoryview, size: int, number: int) -> int:
        """Of the record in `view`, `size` bytes, without the checksum's own place."""
        checksum = binascii.crc32(view[: PREFIX - 4], (self.salt + number) & _MASK)
        return binascii.crc32(view[PREFIX:size], checksum)


def _blank(view: memoryview) -> None:
    for i in range(len(view)):
        view[i] = 0xFF
