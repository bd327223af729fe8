"""The simulated board's flash: NOR rules, the file behind it, slices, littlefs on it."""

import os
import unittest

import vfs
from flash import FileFlash
from flash_slice import Slice
from nor import is_erased
from station.storage.region import Region

PATH = "/tmp/ladepunkt-test-flash-%d.bin" % int.from_bytes(os.urandom(4), "little")


class TestFileFlash(unittest.TestCase):
    def setUp(self):
        self.flash = FileFlash(PATH, 16, strict=True)

    def tearDown(self):
        self.flash.close()
        os.remove(PATH)

    def read(self, block, offset, length, flash=None):
        buf = bytearray(b"?" * length)
        (flash or self.flash).readblocks(block, buf, offset)
        return bytes(buf)

    def test_new_flash_is_erased_and_its_file_empty(self):
        self.assertEqual(self.read(15, 0, 4096), b"\xff" * 4096)
        self.assertEqual(os.stat(PATH)[6], 0)

    def test_geometry(self):
        self.assertEqual((self.flash.ioctl(4, 0), self.flash.ioctl(5, 0)), (16, 4096))

    def test_what_lies_before_the_first_write_stays_erased(self):
        self.flash.writeblocks(9, b"x" * 32, 64)
        self.assertEqual(self.read(9, 60, 40), b"\xff" * 4 + b"x" * 32 + b"\xff" * 4)
        for block in range(9):
            self.assertTrue(is_erased(self.read(block, 0, 4096), 4096))
        self.assertEqual(os.stat(PATH)[6], 9 * 4096 + 96)

    def test_a_written_word_is_in_the_file_at_once(self):
        self.flash.writeblocks(1, b"y" * 32, 0)
        other = FileFlash(PATH, 16)
        self.assertEqual(self.read(1, 0, 32, other), b"y" * 32)
        other.close()

    def test_strict_refuses_to_program_twice(self):
        self.flash.writeblocks(0, b"\xf0" * 32, 0)
        with self.assertRaises(OSError):
            self.flash.writeblocks(0, b"\x00" * 32, 0)
        self.assertEqual(self.read(0, 0, 32), b"\xf0" * 32)
        self.flash.ioctl(6, 0)
        self.flash.writeblocks(0, b"\x0f" * 32, 0)
        self.assertEqual(self.read(0, 0, 32), b"\x0f" * 32)

    def test_a_program_clears_bits_only(self):
        loose = FileFlash(PATH, 16)
        loose.writeblocks(0, b"\xf0" * 32, 0)
        loose.writeblocks(0, b"\x3c" * 32, 0)
        self.assertEqual(self.read(0, 0, 32, loose), b"\x30" * 32)
        loose.close()

    def test_without_offset_a_write_erases_first(self):
        self.flash.writeblocks(2, b"a" * 4096)
        self.flash.writeblocks(2, b"b" * 8192)
        self.assertEqual(self.read(2, 0, 4096) + self.read(3, 0, 4096), b"b" * 8192)
        self.assertEqual(self.flash.erases, 3)

    def test_outside_the_chip(self):
        for block, offset in ((16, 0), (15, 4096 - 16), (-1, 0)):
            with self.assertRaises(OSError):
                self.read(block, offset, 32)

    def test_a_slice_is_a_device_of_its_own(self):
        part = Slice(self.flash, 4, 3)
        self.assertEqual((part.ioctl(4, 0), part.ioctl(5, 0)), (3, 4096))
        part.writeblocks(1, b"s" * 32, 32)
        self.assertEqual(self.read(5, 32, 32), b"s" * 32)
        self.assertEqual(self.read(1, 32, 32, part), b"s" * 32)
        part.ioctl(6, 1)
        self.assertEqual(self.read(5, 32, 32), b"\xff" * 32)
        for block in (-1, 3):
            with self.assertRaises(OSError):
                self.read(block, 0, 32, part)
            with self.assertRaises(OSError):
                part.ioctl(6, block)
        with self.assertRaises(ValueError):
            Slice(self.flash, 14, 3)

    def test_a_region_on_a_slice(self):
        region = Region(Slice(self.flash, 4, 3), 1, 2)
        region.program(4096, b"r" * 32)
        self.assertEqual(self.read(6, 0, 32), b"r" * 32)

    def test_littlefs_lives_on_a_strict_slice(self):
        part = Slice(self.flash, 2, 12)
        vfs.VfsLfs2.mkfs(part)
        for turn in range(30):
            files = vfs.VfsLfs2(part)
            with files.open("f%d" % (turn % 3), "wb") as file:
                file.write(b"%d" % turn * 300)
            again = vfs.VfsLfs2(part)
            with again.open("f%d" % (turn % 3), "rb") as file:
                self.assertEqual(file.read(), b"%d" % turn * 300)
