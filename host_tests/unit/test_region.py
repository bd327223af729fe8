"""Region: bounds, words, and devices that raise or return an errno."""

import unittest

from flashes import CuttableFlash
from station.storage.region import Region


class TestRegion(unittest.TestCase):
    def setUp(self):
        self.flash = CuttableFlash(8, block_size=1024)
        self.region = Region(self.flash, 2, 4)

    def test_geometry(self):
        region = self.region
        self.assertEqual((region.blocks, region.block_size, region.size, region.word), (4, 1024, 4096, 32))

    def test_program_and_read_are_at_the_place_in_the_partition(self):
        self.region.program(1024 + 64, b"x" * 64)
        self.assertEqual(self.flash.cells[3 * 1024 + 64 : 3 * 1024 + 128], b"x" * 64)
        buf = bytearray(10)
        self.region.read(1024 + 60, buf)
        self.assertEqual(buf, b"\xff" * 4 + b"x" * 6)
        self.assertEqual(self.flash.bytes_programmed, 64)

    def test_erase_leaves_the_neighbours(self):
        for block in range(4):
            self.region.program(block * 1024, b"x" * 32)
        self.region.erase(1)
        buf = bytearray(1)
        found = []
        for block in range(4):
            self.region.read(block * 1024, buf)
            found.append(buf[0])
        self.assertEqual(found, [0x78, 0xFF, 0x78, 0x78])

    def test_a_memoryview_is_programmed_as_it_is(self):
        self.region.program(0, memoryview(bytearray(b"abcd" * 24))[32:96])
        buf = bytearray(64)
        self.region.read(0, buf)
        self.assertEqual(buf, b"abcd" * 16)

    def test_only_whole_words_within_a_block(self):
        for offset, length in ((16, 32), (0, 31), (992, 64), (4096, 32), (-32, 32)):
            with self.assertRaises(ValueError):
                self.region.program(offset, bytes(length))
        for offset, length in ((1020, 8), (4096, 1), (-1, 1)):
            with self.assertRaises(ValueError):
                self.region.read(offset, bytearray(length))
        for block in (-1, 4):
            with self.assertRaises(ValueError):
                self.region.erase(block)
        self.assertEqual(self.flash.operations, 0)

    def test_a_region_lies_within_its_device(self):
        for first, blocks in ((-1, 2), (0, 0), (5, 4), (8, 1)):
            with self.assertRaises(ValueError):
                Region(self.flash, first, blocks)
        with self.assertRaises(ValueError):
            Region(self.flash, 0, 1, word=48)

    def test_failures_raise_oserror_however_the_device_reports_them(self):
        self.flash.fail(1)
        with self.assertRaises(OSError):
            self.region.program(0, bytes(32))
        quiet = CuttableFlash(8, quiet=True)
        region = Region(quiet, 0, 8)
        quiet.cut(1, "undone")
        for attempt in (
            lambda: region.program(0, bytes(32)),
            lambda: region.erase(0),
            lambda: region.read(0, bytearray(4)),
        ):
            with self.assertRaises(OSError) as raised:
                attempt()
            self.assertEqual(raised.exception.errno, 5)
