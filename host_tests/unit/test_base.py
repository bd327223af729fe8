"""update/base.py and boards/common/esp32_base.py, before a model of the ESP32's boot loader."""

import asyncio
import hashlib
import unittest

import ramdisk
from esp32_chip import BLOCK, BLOCKS, Chip, Places, image_of
from fakes import FakeLog
from station.update.base import Base
from station.update.components import ComponentError
from station.update.refused import Refused


class BaseTest(unittest.TestCase):
    def setUp(self):
        ramdisk.mount()
        self.chip = Chip(image_of("1.0.0"))
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
