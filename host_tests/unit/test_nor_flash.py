"""The Nucleo's flash driver against the model of the chip."""

import errno
import sys
import unittest

sys.path.append("boards/nucleo_h743zi")

import vfs
from nor_chip import BLOCK, Chip
from nor_flash import NorFlash

BLOCKS = 32


class NorFlashTest(unittest.TestCase):
    def setUp(self):
        self.chip = Chip(BLOCKS)
        self.flash = NorFlash(self.chip, self.chip, 0, BLOCKS)

    def test_says_what_it_has(self):
        self.assertEqual(self.flash.ioctl(4, 0), BLOCKS)
        self.assertEqual(self.flash.ioctl(5, 0), BLOCK)

    def test_programs_across_pages_and_reads_back(self):
        data = bytes([number & 255 for number in range(1000)])
        self.flash.writeblocks(3, data, 100)
        self.assertEqual(self.chip.programs, [156, 256, 256, 256, 76])
        buf = bytearray(1000)
        self.flash.readblocks(3, buf, 100)
        self.assertEqual(bytes(buf), data)
        self.assertEqual(self.chip.erases, 0)

    def test_programs_no_more_than_it_is_given(self):
        self.flash.writeblocks(1, b"\x00" * 32, 64)
        self.assertEqual(bytes(self.chip.cells[BLOCK : BLOCK + 64]), b"\xff" * 64)
        self.assertEqual(bytes(self.chip.cells[BLOCK + 96 : BLOCK + 128]), b"\xff" * 32)

    def test_erases_one_block(self):
        self.chip.cells[:] = bytes(len(self.chip.cells))
        self.flash.ioctl(6, 2)
        self.assertEqual(bytes(self.chip.cells[2 * BLOCK : 3 * BLOCK]), b"\xff" * BLOCK)
        self.assertEqual(self.chip.cells[2 * BLOCK - 1], 0)
        self.assertEqual(self.chip.cells[3 * BLOCK], 0)

    def test_a_write_without_an_offset_erases_first(self):
        self.chip.cells[:] = bytes(len(self.chip.cells))
        self.flash.writeblocks(4, b"\xa5" * (2 * BLOCK))
        self.assertEqual(self.chip.erases, 2)
        self.assertEqual(bytes(self.chip.cells[4 * BLOCK : 6 * BLOCK]), b"\xa5" * (2 * BLOCK))

    def test_a_window_keeps_within_itself(self):
        window = NorFlash(self.chip, self.chip, 8, 4)
        window.writeblocks(0, b"\x00" * 32, 0)
        self.assertEqual(self.chip.cells[8 * BLOCK], 0)
        for operation in (
            lambda: window.readblocks(4, bytearray(32), 0),
            lambda: window.writeblocks(4, bytes(32), 0),
            lambda: window.ioctl(6, 4),
            lambda: window.ioctl(6, -1),
        ):
            with self.assertRaises(OSError) as caught:
                operation()
            self.assertEqual(caught.exception.errno, errno.EINVAL)
        self.assertEqual(self.chip.erases, 0)

    def test_a_chip_that_stays_busy_is_told(self):
        self.chip.busy_for = 1 << 28
        with self.assertRaises(OSError) as caught:
            self.flash.writeblocks(0, b"\x00" * 32, 0)
        self.assertEqual(caught.exception.errno, errno.ETIMEDOUT)

    def test_a_chip_that_takes_no_write_is_told(self):
        self.chip.protected = True
        with self.assertRaises(OSError) as caught:
            self.flash.ioctl(6, 0)
        self.assertEqual(caught.exception.errno, errno.EIO)

    def test_no_chip_or_a_small_one_is_refused(self):
        for identity in (b"\xff\xff\xff", b"\x00\x00\x00", b"\xef\x40\x10"):
            self.chip.identity = identity
            with self.assertRaises(OSError) as caught:
                NorFlash(self.chip, self.chip, 0, BLOCKS)
            self.assertEqual(caught.exception.errno, errno.ENODEV)

    def test_a_littlefs_lives_on_it(self):
        vfs.VfsLfs2.mkfs(self.flash)
        files = vfs.VfsLfs2(self.flash)
        for number in range(20):
            with files.open("file", "w") as file:
                file.write("number %d" % number)
        again = vfs.VfsLfs2(NorFlash(self.chip, self.chip, 0, BLOCKS))
        with again.open("file", "r") as file:
            self.assertEqual(file.read(), "number 19")
