"""The Nucleo's flash driver against a model of the chip at the level of its commands (Winbond W25Q128JV §8)."""

import errno
import sys
import unittest

sys.path.append("boards/nucleo_h743zi")

import vfs
from nor_flash import NorFlash

BLOCK = 4096
BLOCKS = 32


class Chip:
    """SPI bus and select pin at once: `select(level)`, `write`, `readinto`. Time is counted in reads of the status."""

    def __init__(self, capacity=24, blocks=BLOCKS):
        self.cells = bytearray(b"\xff" * (blocks * BLOCK))
        self.identity = b"\xef\x40" + bytes((capacity,))
        self.busy_for = 3  # reads of the status that a program or erase takes
        self.programs = []  # bytes in each
        self.erases = 0
        self.protected = False
        self.asleep = True
        self._busy = 0
        self._enabled = False
        self._got = None

    def __call__(self, level):
        if level:
            if self._got:
                self._do(bytes(self._got))
            self._got = None
        else:
            assert self._got is None, "selected twice"
            self._got = bytearray()

    def write(self, data):
        self._got.extend(data)

    def readinto(self, buf):
        command = self._got[0]
        if self.asleep:
            buf[:] = b"\xff" * len(buf)
        elif command == 0x9F:
            buf[:] = self.identity
        elif command == 0x05:
            buf[0] = (1 if self._busy else 0) | (2 if self._enabled else 0)
            self._busy = max(0, self._busy - 1)
        else:
            assert command == 0x03 and not self._busy
            at = self._address(self._got)
            buf[:] = self.cells[at : at + len(buf)]

    def _address(self, got):
        return got[1] << 16 | got[2] << 8 | got[3]

    def _do(self, got):
        """What a command does when the chip is let go."""
        command = got[0]
        if command == 0xAB:
            self.asleep = False
        if self.asleep or command in (0x9F, 0x05, 0x03, 0xAB):
            return
        assert not self._busy, "a busy chip ignores commands"
        if command == 0x06:
            self._enabled = not self.protected
            return
        if not self._enabled:
            return
        self._enabled = False
        self._busy = self.busy_for
        at = self._address(got)
        if command == 0x20:
            self.erases += 1
            at -= at % BLOCK
            self.cells[at : at + BLOCK] = b"\xff" * BLOCK
        else:
            assert command == 0x02
            data = got[4:]
            self.programs.append(len(data))
            page = at - at % 256
            for index, byte in enumerate(data):
                self.cells[page + (at + index) % 256] &= byte  # at its end a page begins again


class NorFlashTest(unittest.TestCase):
    def setUp(self):
        self.chip = Chip()
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
