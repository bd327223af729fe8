"""`mask`: the XOR of RFC 6455 §5.3, at every alignment, and nowhere beside its range."""

import unittest

from station.ocpp.mask import mask

KEY = b"\xff\x80\x01\x7f"


def plainly(data, key, start, end):
    out = bytearray(data)
    for i in range(start, end):
        out[i] ^= key[(i - start) % 4]
    return out


class TestMask(unittest.TestCase):
    def test_example_of_the_standard(self):
        buf = bytearray(b"Hello")  # §5.7
        mask(buf, b"\x37\xfa\x21\x3d", 0, 5)
        self.assertEqual(bytes(buf), b"\x7f\x9f\x4d\x51\x58")

    def test_every_start_and_length(self):
        for start in range(9):
            for size in range(18):
                buf = bytearray(range(200, 232))
                wanted = plainly(buf, KEY, start, start + size)
                mask(buf, KEY, start, start + size)
                self.assertEqual(buf, wanted, "start %d, size %d" % (start, size))

    def test_every_alignment_of_the_memory(self):
        for offset in range(8):
            whole = bytearray(range(64))
            wanted = bytes(range(offset)) + plainly(range(offset, 64), KEY, 1, 40)
            mask(memoryview(whole)[offset:], KEY, 1, 40)
            self.assertEqual(whole, wanted, "offset %d" % offset)

    def test_twice_is_nothing(self):
        text = bytes([i * 7 & 0xFF for i in range(8195)])
        buf = bytearray(text)
        mask(buf, KEY, 0, len(buf))
        self.assertEqual(buf, plainly(text, KEY, 0, len(text)))
        mask(buf, KEY, 0, len(buf))
        self.assertEqual(bytes(buf), text)
