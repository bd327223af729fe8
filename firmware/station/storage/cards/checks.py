"""Checksums of what lies in flash: `sum_of` to make one, `intact` to hold a piece against its own.

A piece is some bytes and their CRC-32, seeded with what the piece belongs to. One flipped bit is put right in RAM: at
these lengths CRC-32 has a distance of at least 4, so whatever has two wrong bits is still found to be damaged.
"""

import binascii
import struct

import micropython
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    uint = int  # viper knows the word by itself: an unsigned machine word

DAMAGED = const(0)
GOOD = const(1)
MENDED = const(2)  # one bit was wrong and has been put right, in the buffer
_SUM = const(4)


def sum_of(view: memoryview, at: int, size: int, seed: int) -> None:
    """Put the checksum into the last 4 of the `size` bytes at `at`."""
    struct.pack_into("<I", view, at + size - _SUM, binascii.crc32(view[at : at + size - _SUM], seed))


def intact(view: memoryview, at: int, size: int, seed: int) -> int:
    """GOOD, MENDED or DAMAGED: the `size` bytes at `at`, their checksum included."""
    wrong = struct.unpack_from("<I", view, at + size - _SUM)[0] ^ binascii.crc32(view[at : at + size - _SUM], seed)
    if not wrong:
        return GOOD
    if not wrong & (wrong - 1):  # one bit of the checksum itself
        view[at + size - _SUM + _place(wrong) // 8] ^= 1 << _place(wrong) % 8
        return MENDED
    bit = _flipped(wrong, (size - _SUM) * 8)
    if bit < 0:
        return DAMAGED
    view[at + bit // 8] ^= 1 << bit % 8
    return MENDED


def _place(single: int) -> int:
    """Number of the only bit that is set."""
    place = 0
    while single >> place != 1:
        place += 1
    return place


@micropython.viper
def _flipped(wrong: uint, bits: int) -> int:
    """Which one of `bits` bits, flipped, changes their CRC-32 by `wrong`; -1 if none does.

    CRC is linear: a flipped bit changes it by the same amount whatever the others are. The last bit changes it by the
    polynomial, and each one before by what the register makes of that in one more step.
    """
    high = 0xEDB8  # in halves: a constant of 32 bits would be no small integer on a 32-bit port
    polynomial = uint(high) << 16 | 0x8320
    change = polynomial
    bit = bits - 1
    while bit >= 0:
        if change == wrong:
            return bit
        change = (change >> 1) ^ polynomial if change & 1 else change >> 1
        bit -= 1
    return -1
