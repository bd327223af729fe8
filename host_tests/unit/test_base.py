"""update/base.py and boards/common/esp32_base.py, before a model of the ESP32's boot loader."""

import asyncio
import hashlib
import struct
import sys
import unittest

sys.path.append("boards/common")

import ramdisk
from fakes import FakeLog
from flashes import CuttableFlash
from station.update.base import Base
from station.update.components import ComponentError
from station.update.refused import Refused

BLOCK, BLOCKS = 4096, 3
VALID, NEW, PENDING, ABORTED = range(4)


class Chip:
    """Two places; `boots()` is a reset: which place runs then, as the boot loader with rollback has it."""

    def __init__(self):
        self.flashes = [CuttableFlash(BLOCKS, BLOCK, 16), CuttableFlash(BLOCKS, BLOCK, 16)]
        self.states = [VALID, ABORTED]
        self.chosen = self.running = 0

    def boots(self):
        if self.states[self.running] == PENDING:  # it was reset before it said that it is well
            self.states[self.running] = ABORTED
        if self.states[self.chosen] == NEW:
            self.states[self.chosen] = PENDING
        elif self.states[self.chosen] == ABORTED:
            self.chosen ^= 1
        self.running = self.chosen


class Partition:
    """`esp32.Partition`, what of it is used."""

    chip = None
    RUNNING = 1

    def __init__(self, which):
        self._place = Partition.chip.running if which == self.RUNNING else which - 10

    def get_next_update(self):
        return Partition(10 + (self._place ^ 1))

    def set_boot(self):
        chip = Partition.chip
        if chip.flashes[self._place].cells[0] != 0xE9:
            raise OSError(-5379)
        chip.chosen = self._place
        if self._place != chip.running or chip.states[self._place] == ABORTED:
            chip.states[self._place] = NEW

    @staticmethod
    def mark_app_valid_cancel_rollback():
        Partition.chip.states[Partition.chip.running] = VALID

    def readblocks(self, block, buf, offset=0):
        return Partition.chip.flashes[self._place].readblocks(block, buf, offset)

    def writeblocks(self, block, buf, offset=None):
        return Partition.chip.flashes[self._place].writeblocks(block, buf, offset)

    def ioctl(self, op, arg):
        return Partition.chip.flashes[self._place].ioctl(op, arg)


class esp32:
    pass


esp32.Partition = Partition
sys.modules["esp32"] = esp32

from esp32_base import Places  # noqa: E402


def image_of(version, size=5000):
    """An image with an esp_app_desc_t."""
    head = bytearray(size)
    head[0] = 0xE9
    struct.pack_into("<II8x32s32s", head, 32, 0xABCD5432, 0, version.encode(), b"ladepunkt")
    head[176:208] = hashlib.sha256(version.encode()).digest()
    return bytes(head)


class BaseTest(unittest.TestCase):
    def setUp(self):
        ramdisk.mount()
        self.chip = Partition.chip = Chip()
        self.chip.flashes[0].cells[:5000] = image_of("1.0.0")
        self.log = FakeLog()
        self.start()

    def tearDown(self):
        ramdisk.unmount()

    def start(self):
        """A reset of the board."""
        self.chip.boots()
        self.base = Base(Places(), bytes(16), bytes(16), ramdisk.MOUNT + "/base.json", self.log)
        return self.version()

    def version(self):
        return asyncio.run(self.base.status()).version

    def stage(self, image):
        async def stage():
            digest = hashlib.sha256(image).digest()
            await self.base.begin(len(image), digest)
            for at in range(0, len(image), 700):
                await self.base.write(at, memoryview(image)[at : at + 700])
            await self.base.verify(len(image), digest)
            return self.base.image(digest)

        return asyncio.run(stage())

    def do(self, action, *arguments):
        asyncio.run(action(*arguments))

    def test_one_that_is_held_stays_over_every_reset(self):
        image = self.stage(image_of("2.0.0"))
        self.assertEqual(self.start(), (1, 0, 0), "staged is not activated")
        self.do(self.base.activate)
        self.assertEqual(self.start(), (2, 0, 0))
        self.assertEqual(asyncio.run(self.base.status()).image, image)
        self.do(self.base.hold)
        self.do(self.base.confirm)
        for _ in range(3):
            self.assertEqual(self.start(), (2, 0, 0))

    def test_one_that_is_reset_before_gives_way_and_is_not_tried_again(self):
        self.stage(image_of("2.0.0"))
        self.do(self.base.activate)
        self.assertEqual(self.start(), (2, 0, 0))
        self.assertEqual(self.start(), (1, 0, 0))
        with self.assertRaises(ComponentError) as caught:
            self.do(self.base.activate)
        self.assertIn("did not stay", str(caught.exception))
        self.stage(image_of("2.0.0"))  # but when it is staged once more
        self.do(self.base.activate)
        self.assertEqual(self.start(), (2, 0, 0))

    def test_the_way_back_of_one_that_was_held(self):
        self.stage(image_of("2.0.0"))
        self.do(self.base.activate)
        self.start()
        self.do(self.base.hold)
        self.do(self.base.roll_back, "the router failed")
        self.assertEqual(self.start(), (1, 0, 0))
        self.do(self.base.hold)
        self.assertEqual(self.start(), (1, 0, 0))

    def test_what_is_no_image_is_refused(self):
        with self.assertRaises(ComponentError):
            self.stage(b"no image " * 100)
        with self.assertRaises(Refused):
            self.stage(image_of("2.0.0", BLOCK * BLOCKS + 1))
        self.assertEqual(self.start(), (1, 0, 0))
        self.chip.flashes[1].cells[0] = 0
        with self.assertRaises(ComponentError):
            self.do(self.base.roll_back, "")
